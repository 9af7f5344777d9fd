//! Secrets are seen nowhere: not in logs at their most talkative, errors, reports, metrics, traces or the list of processes. What
//! every other test's agents print is looked through for their keys, too (`harness::agents`).

use crate::fleet;
use anyhow::{Context, Result};
use harness::agents::{Pair, Side};
use harness::canary::Canary;
use harness::process;
use harness::servers::{Bulk, Kind, Server};
use harness::{jobs, python};
use serde_json::json;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const LIMIT: Duration = Duration::from_secs(120);
const PASSWORD: &str = "c4nary-passw0rd-of-root";
const WRONG: &str = "c4nary-passw0rd-that-is-wrong";

/// Takes whatever is sent to it, as a collector of traces would.
async fn collector() -> Result<(String, Arc<Mutex<Vec<u8>>>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shared = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = shared.clone();
            tokio::spawn(async move {
                let mut chunk = vec![0; 64 << 10];
                // Empty SETTINGS, so that an HTTP/2 client goes on to speak.
                let _ = stream.write_all(b"\0\0\0\x04\0\0\0\0\0").await;
                while let Ok(read @ 1..) = stream.read(&mut chunk).await {
                    seen.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .extend(&chunk[..read]);
                }
            });
        }
    });
    Ok((endpoint, seen))
}

#[test]
fn no_secret_is_shown_anywhere() -> Result<()> {
    fleet::run(async {
        let source = fleet::lite_source().await?;
        let target = Server::start_with(Kind::V2_3_5, &["--auth"]).await?;
        python::script(
            "tests/e2e/users.py",
            &[
                target.uri(),
                "root:Milvus",
                "password",
                "root",
                "Milvus",
                PASSWORD,
            ],
            LIMIT,
        )
        .await?;
        source
            .seed_bulk(&Bulk {
                database: "default",
                collection: "canary",
                rows: 500,
                dim: 8,
                flags: &[],
            })
            .await?;
        let (endpoint, traces) = collector().await?;
        let mut pair = Pair::new(source, &target).await?;
        let file = pair.folder().join("milvus.pw");
        std::fs::write(&file, PASSWORD)?;
        pair.target.config["milvus"]["user"] = "root".into();
        pair.target.config["milvus"]["password_file"] = json!(file);
        let mut canary =
            Canary::of_keys(&[pair.certs.key(Side::Source), pair.certs.key(Side::Target)])?;
        canary.add("password", PASSWORD);
        canary.add("wrong password", WRONG);
        // Milvus is told the two of them in base64.
        canary.add(
            "password in base64",
            "cm9vdDpjNG5hcnktcGFzc3cwcmQtb2Ytcm9vdA",
        );
        for side in [Side::Source, Side::Target] {
            let agent = pair.agent_mut(side);
            agent.canary = canary.clone();
            agent.config["telemetry"] =
                json!({ "log": "json", "filter": "trace", "otlp_endpoint": endpoint });
        }
        pair.start().await?;
        jobs::run_to_completion(&pair.source, &jobs::spec("canary", &["canary"]), LIMIT).await?;
        for side in [Side::Source, Side::Target] {
            let agent = pair.agent(side);
            for words in [
                &["job", "report", "canary"][..],
                &["job", "list"],
                &["config", "show", "--origin"],
            ] {
                // Looks through what it prints by itself.
                agent.tell(words).await?;
            }
            agent.metrics().await?;
            let own = agent.process()?.pid();
            let (_, shown) = process::list()
                .into_iter()
                .find(|(pid, _)| *pid == own)
                .context("it runs")?;
            canary.assert_absent("process list", &shown)?;
        }
        pair.target.stop().await?;
        std::fs::write(&file, WRONG)?;
        let refused = pair.target.start_or_refuse().await?;
        assert!(
            refused.is_some_and(|status| !status.success()),
            "{}",
            pair.target.log_tail()
        );
        let seen = traces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        assert!(!seen.is_empty(), "traces were sent");
        canary.assert_absent("traces", &String::from_utf8_lossy(&seen))?;
        // The journals hold no secret either.
        for side in [Side::Source, Side::Target] {
            let journal = std::fs::read(pair.agent(side).state().join("journal.redb"))?;
            canary.assert_absent("journal", &String::from_utf8_lossy(&journal))?;
        }
        target.stop().await
    })
}
