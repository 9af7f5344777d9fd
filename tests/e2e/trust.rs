//! Who may speak with an agent, and how it is told that somebody may not.

use crate::fleet;
use anyhow::Result;
use channel::certs::{Existing, LeafRequest, Validity, make_leaf};
use harness::agents::{Dialler, Over, Pair, Side};
use harness::certs::{self, Certs};
use harness::servers::Bulk;
use harness::{jobs, python, wait};
use model::{Phase, codes};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, SystemTime};

const LIMIT: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// A certificate that an agent starts with, and that does not last for its job.
const EXPIRES_IN: Duration = Duration::from_secs(15);
const BYTES_PER_SECOND: u64 = 256 << 10;

/// The exit code of an agent or a command whose configuration is refused.
const REFUSED: Option<i32> = Some(2);

/// Two agents, not started, and a job that they could do if they trusted each other.
async fn pair_for(collection: &str) -> Result<(Pair, Value)> {
    let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
    source
        .seed_bulk(&Bulk {
            database: "default",
            collection,
            rows: 100,
            dim: 4,
            flags: &[],
        })
        .await?;
    // The job's cause tells what the side knows that has it: here the one that dials.
    let pair = Pair::with(source, target, Dialler::Source).await?;
    Ok((pair, jobs::spec(collection, &[collection])))
}

fn leaf(folder: &Path, side: Side, name: &str, validity: Validity) -> Result<(String, String)> {
    let request = LeafRequest {
        name: name.parse()?,
        spiffe: Some(certs::identity(side)),
        hosts: Vec::new(),
        validity,
    };
    let made = make_leaf(folder, &request, Existing::Replace)?;
    Ok((
        made.cert.display().to_string(),
        made.key.display().to_string(),
    ))
}

/// The job waits with this code, its words name these things, the target's log has the code too, and the job completes once the cause
/// is mended.
async fn assert_waits(
    pair: &mut Pair,
    spec: &Value,
    code: &str,
    named: &[&str],
    mend: impl FnOnce(&mut Pair),
) -> Result<()> {
    pair.start().await?;
    jobs::begin(&pair.source, spec).await?;
    let name = spec["name"].as_str().unwrap_or_default();
    let status = jobs::stuck_with(&pair.source, name, code, LIMIT).await?;
    assert!(!status.phase.is_terminal(), "{status:#?}");
    let cause = status
        .cause
        .map(|cause| cause.to_string())
        .unwrap_or_default();
    assert!(
        named.iter().all(|named| cause.contains(named)),
        "{named:?} in: {cause}"
    );
    // Either side tells on its own, and the target may be the later one.
    wait::until("the target's log names the cause", LIMIT, || async {
        Ok(pair.target.log().contains(code).then_some(()))
    })
    .await?;
    pair.source.stop().await?;
    pair.target.stop().await?;
    mend(pair);
    pair.start().await?;
    let status = jobs::wait(&pair.source, name, LIMIT).await?;
    jobs::ensure_completed(&pair.source, &status).await
}

#[test]
fn a_key_that_does_not_belong_to_its_certificate_keeps_the_agent_from_starting() -> Result<()> {
    fleet::run(async {
        let (mut pair, _) = pair_for("unfit_key").await?;
        let key = pair.certs.key(Side::Target);
        pair.source.config["channel"]["tls"]["key"] = json!(key);
        let status = pair
            .source
            .start_or_refuse()
            .await?
            .expect("it does not start");
        let log = pair.source.log();
        assert_eq!(status.code(), REFUSED, "{log}");
        assert!(
            log.contains(codes::CERTIFICATE_INVALID) && log.contains(&key.display().to_string()),
            "{log}"
        );
        Ok(())
    })
}

#[test]
fn an_agent_does_not_start_with_a_certificate_that_has_expired() -> Result<()> {
    fleet::run(async {
        let (mut pair, _) = pair_for("expired").await?;
        let validity = Validity {
            from: SystemTime::now() - 2 * DAY,
            days: 1,
        };
        let folder = pair.certs.folder().to_owned();
        let (cert, key) = leaf(&folder, Side::Source, "old-source", validity)?;
        pair.source.config["channel"]["tls"]["cert"] = cert.clone().into();
        pair.source.config["channel"]["tls"]["key"] = key.into();
        let status = pair
            .source
            .start_or_refuse()
            .await?
            .expect("it does not start");
        let log = pair.source.log();
        assert_eq!(status.code(), REFUSED, "{log}");
        assert!(
            log.contains(codes::CERTIFICATE_EXPIRED) && log.contains(&cert),
            "{log}"
        );
        Ok(())
    })
}

#[test]
fn a_peer_that_is_not_on_the_list_is_named_and_let_in_once_it_is() -> Result<()> {
    fleet::run(async {
        let (mut pair, spec) = pair_for("unlisted").await?;
        let listed = pair.target.config["channel"]["peers"].clone();
        pair.target.config["channel"]["peers"] =
            json!([{ "name": "other", "id": "spiffe://other.test/passage/source" }]);
        assert_waits(&mut pair, &spec, codes::PEER_NOT_ALLOWED, &[], |pair| {
            pair.target.config["channel"]["peers"] = listed;
        })
        .await?;
        let told = pair.target.log();
        assert!(
            told.contains(codes::PEER_NOT_ALLOWED) && told.contains(&certs::identity(Side::Source)),
            "{told}"
        );
        Ok(())
    })
}

#[test]
fn a_peer_of_another_ca_is_not_trusted() -> Result<()> {
    fleet::run(async {
        let (mut pair, spec) = pair_for("other_ca").await?;
        let other = Certs::make(&pair.folder().join("other")).await?;
        let own = pair.source.config["channel"]["tls"].clone();
        pair.source.config["channel"]["tls"]["cert"] = json!(other.cert(Side::Source));
        pair.source.config["channel"]["tls"]["key"] = json!(other.key(Side::Source));
        assert_waits(&mut pair, &spec, codes::PEER_UNTRUSTED, &[], |pair| {
            pair.source.config["channel"]["tls"] = own;
        })
        .await
    })
}

#[test]
fn plain_and_old_clients_have_no_way_in_and_disturb_nobody() -> Result<()> {
    fleet::run(async {
        let (pair, spec) = pair_for("clients").await?;
        // Such clients speak over TCP.
        let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
        drop(pair);
        let mut pair = Pair::over(source, target, Over::Grpc, Dialler::Source).await?;
        pair.start().await?;
        let address = pair.listener().to_string();
        let plain = python::script("tests/e2e/clients.py", &[&address, "plain"], LIMIT).await?;
        assert_eq!(plain["let_in"], false, "{plain}");
        let files = [
            pair.certs.authority(),
            pair.certs.cert(Side::Source),
            pair.certs.key(Side::Source),
        ];
        let files = files.map(|file| file.display().to_string());
        let words = [&address, "old", &files[0], &files[1], &files[2]];
        let old = python::script("tests/e2e/clients.py", &words, LIMIT).await?;
        assert_eq!(old["let_in"], false, "{old}");
        pair.target.logged(&[codes::PEER_UNTRUSTED], LIMIT).await?;
        assert!(pair.target.metric("passage_channel_refused_total").await? >= 2.0);
        let status = jobs::run_to_completion(&pair.source, &spec, LIMIT).await?;
        assert_eq!(status.phase, Phase::Completed);
        Ok(())
    })
}

#[test]
fn a_second_agent_on_the_same_state_is_refused() -> Result<()> {
    fleet::run(async {
        let (mut pair, _) = pair_for("second").await?;
        pair.start().await?;
        let mut config = pair.source.config.clone();
        let folder = pair.folder().join("second");
        std::fs::create_dir_all(&folder)?;
        config["admin"]["listen"] = format!("unix:{}", folder.join("admin.sock").display()).into();
        config["metrics"]["listen"] = "off".into();
        let mut second = harness::agents::Agent::new(Side::Source, folder, config);
        let status = second.start_or_refuse().await?.expect("it does not start");
        assert!(!status.success());
        assert!(
            second.log().contains(codes::JOURNAL_LOCKED),
            "{}",
            second.log_tail()
        );
        Ok(())
    })
}

#[test]
fn a_job_goes_on_when_a_certificate_expires_under_it_and_is_renewed_in_its_place() -> Result<()> {
    fleet::run(async {
        let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
        source
            .seed_bulk(&Bulk {
                database: "default",
                collection: "renewed",
                rows: 20_000,
                dim: 128,
                flags: &[],
            })
            .await?;
        let mut pair = Pair::with(source, target, Dialler::Source).await?;
        let folder = pair.certs.folder().to_owned();
        let soon = Validity {
            from: SystemTime::now() + EXPIRES_IN - DAY,
            days: 1,
        };
        let (cert, key) = leaf(&folder, Side::Source, "brief-source", soon)?;
        pair.source.config["channel"]["tls"]["cert"] = cert.into();
        pair.source.config["channel"]["tls"]["key"] = key.into();
        pair.start().await?;
        // The copy lasts longer than the certificate.
        pair.link.slow_to(BYTES_PER_SECOND);
        jobs::begin(&pair.source, &jobs::spec("renewed", &["renewed"])).await?;
        let ended = ["the link is ended", "expired on"];
        pair.target.logged(&ended, LIMIT).await?;
        let status = jobs::show(&pair.source, "renewed").await?;
        assert_eq!(status.phase, Phase::Copying, "{status:#?}");
        leaf(&folder, Side::Source, "brief-source", Validity::days(3))?;
        let read = ["certificates were read again"];
        pair.source.logged(&read, LIMIT).await?;
        pair.link.slow_to(0);
        let status = jobs::wait(&pair.source, "renewed", LIMIT).await?;
        jobs::ensure_completed(&pair.source, &status).await
    })
}
