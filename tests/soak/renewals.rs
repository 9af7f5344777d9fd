//! Certificates of both sides that are renewed again and again while a copy goes on, over either transport: it takes no harm.
//!
//! Each is valid for a short while only, so that links end when the one they were made with expires, and the next shows a newer one.

use crate::{LIMIT, number_or, run, seeded};
use anyhow::{Context, Result, ensure};
use channel::certs::{Existing, LeafRequest, Validity, make_leaf};
use harness::agents::{Dialler, Over, Pair, Side};
use harness::certs;
use harness::oracle::Comparison;
use harness::servers::{Kind, Server};
use harness::{jobs, wait};
use model::{JobStatus, Phase};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep};

const ROWS: u64 = 300_000;

/// So slow that all renewals fall into the copy, and so fast that many batches arrive over each link.
const BYTES_PER_SECOND: u64 = 1 << 20;

const RENEWALS: u64 = 200;
const EVERY: Duration = Duration::from_millis(500);

const SIDES: [Side; 2] = [Side::Source, Side::Target];

/// How long each certificate is valid.
const VALID: Duration = Duration::from_secs(20);
const DAY: Duration = Duration::from_secs(86_400);

/// How long an agent may take to read what it was asked to.
const READ_WITHIN: Duration = Duration::from_secs(15);

/// The most that a link may have under way when it ends: the credit of its four lanes (a 64th of the target's memory), and a part on each.
const WINDOW_BYTES: u64 = (4 << 20) + 4 * (2 << 20);

const READ_AGAIN: &str = "certificates were read again";
const LINKED: &str = "passage_channel_linked_total";
const SENT: &str = "passage_channel_raw_bytes_total";

#[test]
fn renewals_over_grpc() -> Result<()> {
    run(renewed(Over::Grpc))
}

#[test]
fn renewals_over_quic() -> Result<()> {
    run(renewed(Over::Quic))
}

async fn renewed(over: Over) -> Result<()> {
    let (source, _) = seeded(ROWS, "renewed").await?;
    let target = Server::start(Kind::V2_3_5).await?;
    let mut pair = Pair::over(&source, &target, over, Dialler::Source).await?;
    pair.source.config["limits"]["channel"] = BYTES_PER_SECOND.into();
    for side in SIDES {
        place(&pair, side, short())?;
    }
    pair.start().await?;
    jobs::begin(&pair.source, &jobs::spec("renewed", &["renewed"])).await?;
    let copying = || async {
        let status = jobs::show(&pair.source, "renewed").await?;
        Ok((status.phase == Phase::Copying).then_some(()))
    };
    wait::until("the copy", LIMIT, copying).await?;
    let begun = Instant::now();
    let renewals = number_or("RENEWALS", RENEWALS);
    for number in 1..=renewals {
        sleep(EVERY).await;
        renew(&pair)
            .await
            .with_context(|| format!("renewal {number}"))?;
    }
    let status = jobs::show(&pair.source, "renewed").await?;
    ensure!(status.phase == Phase::Copying, "{status:#?}");
    let lasted = begun.elapsed();
    lasting(&pair)?;
    let links = pair.target.metric(LINKED).await?;

    pair.source.config["limits"]["channel"] = "1GiB".into();
    pair.source.reload()?;
    let status = jobs::wait(&pair.source, "renewed", LIMIT).await?;
    jobs::ensure_completed(&pair.source, &status).await?;
    let compared = Comparison::of(&source, &target).assert_equal(1).await?;
    assert_eq!(compared.rows, ROWS);

    let again = sent_again(&pair, &status).await?;
    println!(
        "{over:?}: {renewals} renewals of both certificates in {:.0} s: {links} links, {} KiB sent again",
        lasted.as_secs_f64(),
        again >> 10
    );
    // A link lasts as long as the certificates that it was made with, and no renewal ends it before.
    let expired = lasted.as_secs_f64() / VALID.as_secs_f64();
    ensure!(links > expired, "links outlived their certificates");
    ensure!(
        links < 2.0 * expired + 3.0,
        "links ended before their certificates"
    );
    ensure!(
        again <= (links - 1.0) as u64 * WINDOW_BYTES,
        "{again} bytes were sent again"
    );
    source.stop().await?;
    target.stop().await
}

/// Bytes of values that were sent more than once.
async fn sent_again(pair: &Pair, status: &JobStatus) -> Result<u64> {
    let copied: u64 = status.collections.iter().map(|one| one.bytes_copied).sum();
    // A count of bytes, far below what a float holds exactly.
    let sent = pair.source.metric(SENT).await? as u64;
    sent.checked_sub(copied)
        .with_context(|| format!("{sent} bytes were sent, and {copied} arrived"))
}

/// Puts new certificates and keys into the places of both agents', and waits until both have read them.
async fn renew(pair: &Pair) -> Result<()> {
    for side in SIDES {
        let agent = pair.agent(side);
        let reads = || agent.log().matches(READ_AGAIN).count();
        let before = reads();
        place(pair, side, short())?;
        agent.reload()?;
        wait::until(READ_AGAIN, READ_WITHIN, || async {
            Ok((reads() > before).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// Puts certificates into their places that last.
fn lasting(pair: &Pair) -> Result<()> {
    for side in SIDES {
        place(pair, side, Validity::days(1))?;
        pair.agent(side).reload()?;
    }
    Ok(())
}

/// From long ago until soon: certificates are made for whole days.
fn short() -> Validity {
    Validity {
        from: SystemTime::now() + VALID - DAY,
        days: 1,
    }
}

fn place(pair: &Pair, side: Side, validity: Validity) -> Result<()> {
    let request = LeafRequest {
        name: side.program().parse()?,
        spiffe: Some(certs::identity(side)),
        hosts: Vec::new(),
        validity,
    };
    make_leaf(pair.certs.folder(), &request, Existing::Replace)?;
    Ok(())
}
