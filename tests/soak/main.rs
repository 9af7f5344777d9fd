//! What takes hours: many kills and cuts on many rows, and the memory of a million. Run by `make soak`.
//!
//! Every failure names its seed; `SEED=… ONLY=… make soak` has it again.

mod copy_kills;
mod copy_memory;

use anyhow::Result;
use harness::servers::{Bulk, Kind, Server};
use std::time::Duration;
use tokio::runtime::Runtime;

const LIMIT: Duration = Duration::from_secs(3600);

/// What an agent may use by default.
const MOST_BYTES: u64 = 256 << 20;

fn run(test: impl Future<Output = Result<()>>) -> Result<()> {
    Runtime::new()?.block_on(test)
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
