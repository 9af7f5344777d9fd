//! The channel through an HTTP proxy: the agent that dials knows no other way to its peer.

use crate::fleet;
use anyhow::Result;
use harness::agents::{Dialler, Over, Pair};
use harness::http_proxy::HttpProxy;
use harness::oracle::Comparison;
use harness::servers::{Bulk, Server};
use harness::{jobs, wait};
use model::codes;
use serde_json::json;
use std::time::Duration;

/// A host that nobody resolves (RFC 6761): only the proxy knows where it is.
const PEER: &str = "globex.invalid:7443";

const USER: &str = "passage";
const PASSWORD: &str = "c4nary-passw0rd-of-the-proxy";
const WRONG: &str = "c4nary-passw0rd-that-is-wrong";
/// User and password, as the proxy is told.
const LOGIN: &str = "cGFzc2FnZTpjNG5hcnktcGFzc3cwcmQtb2YtdGhlLXByb3h5";

const ROWS: u64 = 20_000;
const LIMIT: Duration = Duration::from_secs(180);

/// Slow enough that the copy is still under way when the next moment comes.
const BYTES_PER_SECOND: u64 = 3 << 20;

/// Two agents, not started, of which the source's dials a name that leads nowhere; and a proxy that knows better.
struct Ground {
    pair: Pair,
    proxy: HttpProxy,
    servers: (&'static Server, &'static Server),
    bytes: u64,
}

async fn ground(collection: &str) -> Result<Ground> {
    let (source, target) = (fleet::lite_source().await?, fleet::lite_target().await?);
    let bulk = Bulk {
        database: "default",
        collection,
        rows: ROWS,
        dim: 64,
        flags: &[],
    };
    let bytes = source.seed_bulk(&bulk).await?;
    let mut pair = Pair::over(source, target, Over::Grpc, Dialler::Source).await?;
    let proxy = HttpProxy::start(Some(LOGIN), &[(PEER, pair.link.address())]).await?;
    pair.source.config["channel"]["dial"] = PEER.into();
    pair.source.canary.add("password of the proxy", PASSWORD);
    pair.source.canary.add("login of the proxy", LOGIN);
    Ok(Ground {
        pair,
        proxy,
        servers: (source, target),
        bytes,
    })
}

impl Ground {
    /// Names the proxy in the source's configuration, and keeps a password for it.
    fn configure(&mut self, password: &str) -> Result<()> {
        let file = self.pair.folder().join("proxy.pw");
        std::fs::write(&file, password)?;
        self.pair.source.config["channel"]["proxy"] = json!({
            "uri": format!("http://{}", self.proxy.address()), "user": USER, "password_file": file,
        });
        Ok(())
    }

    async fn assert_equal(&self, collection: &str) -> Result<()> {
        let (source, target) = self.servers;
        let compared = Comparison::of(source, target)
            .only(&[collection])
            .assert_equal(1)
            .await?;
        assert_eq!(compared.rows, ROWS);
        Ok(())
    }
}

#[test]
fn a_copy_goes_through_a_proxy_that_is_killed_on_the_way() -> Result<()> {
    fleet::run(async {
        let mut ground = ground("proxied").await?;
        ground.configure(PASSWORD)?;
        ground.pair.start().await?;
        ground.pair.link.slow_to(BYTES_PER_SECOND);
        ground.pair.linked().await?;
        let opened = ground.proxy.counts().opened;
        let spec = jobs::spec("proxied", &["proxied"]);
        jobs::begin(&ground.pair.source, &spec).await?;
        for share in 1..=2 {
            let carried = ground.bytes * share * 2 / 10;
            ground.pair.link.wait_carried(carried).await;
            ground.proxy.kill().await;
            let code = codes::PROXY_UNREACHABLE;
            let status = jobs::stuck_with(&ground.pair.source, "proxied", code, LIMIT).await?;
            assert!(!status.phase.is_terminal(), "{status:#?}");
            ground.proxy.restart().await?;
            let wanted = opened * (share + 1);
            wait::until("tunnels anew", LIMIT, || async {
                Ok((ground.proxy.counts().opened >= wanted).then_some(()))
            })
            .await?;
        }
        ground.pair.link.slow_to(0);
        let status = jobs::wait(&ground.pair.source, "proxied", LIMIT).await?;
        jobs::ensure_completed(&ground.pair.source, &status).await?;
        assert_eq!(ground.proxy.counts().unknown, 0);
        ground.assert_equal("proxied").await
    })
}

#[test]
fn a_proxy_that_asks_who_calls_is_named_until_it_knows() -> Result<()> {
    fleet::run(async {
        let mut ground = ground("asked").await?;
        ground.configure(WRONG)?;
        ground.pair.source.canary.add("wrong password", WRONG);
        // At its most talkative it shows no login either.
        ground.pair.source.config["telemetry"]["filter"] = "trace".into();
        ground.pair.start().await?;
        let spec = jobs::spec("asked", &["asked"]);
        jobs::begin(&ground.pair.source, &spec).await?;
        let code = codes::PROXY_REFUSED;
        let status = jobs::stuck_with(&ground.pair.source, "asked", code, LIMIT).await?;
        let cause = status.cause.map(|cause| cause.to_string());
        let told = cause.unwrap_or_default();
        assert!(
            told.contains("407") && told.contains("channel.proxy.user"),
            "{told}"
        );
        assert_eq!(ground.proxy.counts().opened, 0);
        // The password is read for each connection: no restart.
        std::fs::write(ground.pair.folder().join("proxy.pw"), PASSWORD)?;
        let status = jobs::wait(&ground.pair.source, "asked", LIMIT).await?;
        jobs::ensure_completed(&ground.pair.source, &status).await?;
        for words in [&["config", "check"][..], &["config", "show", "--origin"]] {
            // Looks through what it prints by itself.
            let told = ground.pair.source.tell(words).await?;
            let named = format!("http://{}", ground.proxy.address());
            assert!(told.out.contains(&named), "{told:?}");
        }
        ground.assert_equal("asked").await
    })
}

#[test]
fn the_environments_proxy_is_taken_where_the_configuration_names_none() -> Result<()> {
    fleet::run(async {
        let mut ground = ground("by_environment").await?;
        let uri = format!("http://{USER}:{PASSWORD}@{}", ground.proxy.address());
        let variables = [("HTTPS_PROXY", uri.as_str()), ("NO_PROXY", "acme.invalid")];
        let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        ground.pair.source.environment.extend(owned);
        ground.pair.start().await?;
        let spec = jobs::spec("by_environment", &["by_environment"]);
        jobs::run_to_completion(&ground.pair.source, &spec, LIMIT).await?;
        let parts = ["the peer is dialled through a proxy"];
        ground.pair.source.logged(&parts, LIMIT).await?;
        assert!(ground.proxy.counts().opened >= 3);
        ground.assert_equal("by_environment").await
    })
}
