//! What takes hours: many kills and cuts on many rows, the memory of a million, and live jobs under load. Run by `make soak`.
//!
//! Every failure names its seed; `SEED=… ONLY=… make soak` has it again. Variables make a run shorter: `SEEDS` (live_seeds),
//! `STRIKES` (live_kills), `CUTOVERS` (live_cutovers), `CUTS` (link_cuts), `RENEWALS` (renewals), `SECONDS` (how long live_seeds looks at the lag, and a target hangs).

mod copy_kills;
mod copy_memory;
mod copy_segments;
mod figures;
mod lag;
mod link_cuts;
mod live_cutovers;
mod live_kills;
mod live_memory;
mod live_seeds;
mod renewals;
mod writers;

use anyhow::Result;
use harness::faults;
use harness::servers::{Bulk, Kind, Server};
use std::time::Duration;
use tokio::runtime::Runtime;

const LIMIT: Duration = Duration::from_secs(3600);

/// What an agent may use by default.
const MOST_BYTES: u64 = 256 << 20;

fn run(test: impl Future<Output = Result<()>>) -> Result<()> {
    Runtime::new()?.block_on(test)
}

/// A number from the environment, or this one.
fn number_or(variable: &str, default: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The one seed that `$SEED` gives, to have a failure again; else `$SEEDS` of them, or so many, that no run had before.
fn seeds(default: u64) -> Vec<u64> {
    let first = faults::seed_or(u64::from(std::process::id()) * 1000);
    let count = if std::env::var_os("SEED").is_some() {
        1
    } else {
        number_or("SEEDS", default)
    };
    (first..first + count).collect()
}

async fn seeded(rows: u64, name: &str) -> Result<(Server, u64)> {
    let source = Server::start(Kind::V2_3_5).await?;
    let flags = ["--partitions", "3", "--shards", "2"];
    let bytes = source
        .seed_bulk(&Bulk {
            database: "default",
            collection: name,
            rows,
            dim: 128,
            flags: &flags,
        })
        .await?;
    Ok((source, bytes))
}
