//! The channel over QUIC, in short: a copy in both dialling directions, faults, and agents that do not use the same transport. All tests
//! of copies, faults and trust run over it where `PASSAGE_TEST_TRANSPORT=quic` says so.

use crate::fleet;
use anyhow::Result;
use harness::agents::{Dialler, Over, Pair, Side};
use harness::faults::Victim;
use harness::oracle::Comparison;
use harness::servers::{Bulk, Server};
use harness::{jobs, wait};
use model::{Fault, codes};
use std::time::Duration;

const ROWS: u64 = 20_000;
const LIMIT: Duration = Duration::from_secs(180);

/// Slow enough that the copy is still under way when the next moment comes.
const BYTES_PER_SECOND: u64 = 3 << 20;

/// Two servers, a collection on the first, and how large it is.
async fn ground(name: &str) -> Result<(&'static Server, &'static Server, u64)> {
    let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
    let bulk = Bulk {
        database: "default",
        collection: name,
        rows: ROWS,
        dim: 64,
        flags: &[],
    };
    let bytes = source.seed_bulk(&bulk).await?;
    Ok((source, target, bytes))
}

async fn assert_equal(source: &Server, target: &Server, name: &str) -> Result<()> {
    let compared = Comparison::of(source, target)
        .only(&[name])
        .assert_equal(1)
        .await?;
    assert_eq!(compared.rows, ROWS);
    Ok(())
}

#[test]
fn a_copy_over_quic_arrives_whichever_side_dials() -> Result<()> {
    fleet::run(async {
        for (name, dialler) in [
            ("by_quic", Dialler::Source),
            ("by_quic_called", Dialler::Target),
        ] {
            let (source, target, _) = ground(name).await?;
            let mut pair = Pair::over(source, target, Over::Quic, dialler).await?;
            pair.start().await?;
            pair.linked().await?;
            jobs::run_to_completion(&pair.source, &jobs::spec(name, &[name]), LIMIT).await?;
            assert_equal(source, target, name).await?;
            let told = "QUIC's socket is bound";
            assert!(
                pair.source.log().contains(told),
                "{}",
                pair.source.log_tail()
            );
        }
        Ok(())
    })
}

#[test]
fn a_cut_line_and_killed_agents_lose_and_double_nothing_over_quic() -> Result<()> {
    fleet::run(async {
        let (source, target, bytes) = ground("struck_by_quic").await?;
        let mut pair = Pair::over(source, target, Over::Quic, Dialler::Source).await?;
        pair.start().await?;
        pair.link.slow_to(BYTES_PER_SECOND);
        pair.linked().await?;
        let spec = jobs::spec("struck_by_quic", &["struck_by_quic"]);
        jobs::begin(&pair.source, &spec).await?;
        let strikes = [Victim::TargetAgent, Victim::Link, Victim::SourceAgent];
        for (share, victim) in (1..).zip(strikes) {
            pair.link.wait_carried(bytes * share * 2 / 10).await;
            victim.strike(&mut pair, source, target).await?;
        }
        pair.link.slow_to(0);
        let status = jobs::wait(&pair.source, "struck_by_quic", LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await?;
        assert_equal(source, target, "struck_by_quic").await
    })
}

/// The job waits, and its cause says what to look at; it goes on once both sides use the same transport.
async fn told_and_mended(name: &str, dials_by: Over, words: &[&str]) -> Result<()> {
    let (source, target, _) = ground(name).await?;
    let (ours, theirs) = match dials_by {
        Over::Quic => ("quic", "grpc"),
        Over::Grpc => ("grpc", "quic"),
    };
    let mut pair = Pair::over(source, target, dials_by, Dialler::Source).await?;
    pair.target.config["channel"]["transport"] = theirs.into();
    // The relay takes TCP where nobody listens behind it.
    pair.source.config["channel"]["dial"] = pair.listener().to_string().into();
    pair.start().await?;
    jobs::begin(&pair.source, &jobs::spec(name, &[name])).await?;
    // The first attempt over UDP takes its whole limit; until then no more is known than that there is no link.
    wait::until("a cause that says what to look at", LIMIT, || async {
        let cause = jobs::show(&pair.source, name).await?.cause;
        let says = |cause: &Fault| {
            let told = cause.to_string();
            cause.code == codes::PEER_UNREACHABLE && words.iter().all(|word| told.contains(word))
        };
        Ok(cause.as_ref().is_some_and(says).then_some(()))
    })
    .await?;
    pair.agent_mut(Side::Target).stop().await?;
    pair.target.config["channel"]["transport"] = ours.into();
    pair.target.start().await?;
    let status = jobs::wait(&pair.source, name, LIMIT).await?;
    jobs::ensure_completed(&pair.source, &status).await
}

#[test]
fn who_dials_over_quic_where_only_grpc_answers_is_told_so() -> Result<()> {
    let words = ["nothing answers by UDP", "channel.transport: grpc"];
    fleet::run(told_and_mended("quic_to_grpc", Over::Quic, &words))
}

#[test]
fn who_dials_over_grpc_where_only_quic_answers_is_told_so() -> Result<()> {
    let words = ["can't be reached", "the same channel.transport"];
    fleet::run(told_and_mended("grpc_to_quic", Over::Grpc, &words))
}
