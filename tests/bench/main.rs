//! How fast a copy is: Passage, a plain script, and the ceiling, side by side on the same two servers in one run.
//!
//! ```text
//! ROWS=200000 DIM=384 READERS=4 WRITERS=4 make bench
//! ```
//! Beside each stand the processor seconds that the two servers used meanwhile: on a small machine they are what binds.
//!
//! What is timed is the way of the rows: from the first read to the last row acknowledged by the target. Passage does more in its
//! time than the others: it encrypts, journals, confirms; so its whole job, with preflight, indexes and the comparison, stands beside.

mod ceiling;
mod files;
mod passage;

use anyhow::Result;
use harness::python;
use harness::servers::{Bulk, Kind, Server};
use std::time::{Duration, Instant};

/// The collection.
const COLLECTION: &str = "bench";

/// What two servers with nothing to do use in a second, at most.
const IDLE_CPU_SECONDS: f64 = 0.3;

const LIMIT: Duration = Duration::from_secs(3600);

/// What one way of copying took.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    name: String,
    rows: u64,
    seconds: f64,
    /// Processor seconds of the source and of the target.
    servers: (f64, f64),
}

/// The servers' processor time at a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch<'a> {
    servers: (&'a Server, &'a Server),
    used: (f64, f64),
    begun: Instant,
}

impl<'a> Stopwatch<'a> {
    pub(crate) fn start(source: &'a Server, target: &'a Server) -> Self {
        let servers = (source, target);
        Self {
            servers,
            used: used(servers),
            begun: Instant::now(),
        }
    }

    /// What was copied since.
    pub(crate) fn stop(self, name: impl Into<String>, rows: u64) -> Measured {
        let used = used(self.servers);
        Measured {
            name: name.into(),
            rows,
            seconds: self.begun.elapsed().as_secs_f64(),
            servers: (used.0 - self.used.0, used.1 - self.used.1),
        }
    }
}

fn used((source, target): (&Server, &Server)) -> (f64, f64) {
    let of = |server: &Server| server.process().cpu_seconds().unwrap_or_default();
    (of(source), of(target))
}

impl Measured {
    fn rows_per_second(&self) -> f64 {
        self.rows as f64 / self.seconds
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    // `cargo bench` passes flags of its own runner; there is nothing to choose here.
    let (rows, dim) = (number("ROWS", 200_000), number("DIM", 384) as u32);
    let (source, target) =
        tokio::try_join!(Server::start(Kind::V2_3_5), Server::start(Kind::V2_3_5))?;
    let bulk = Bulk {
        database: "default",
        collection: COLLECTION,
        rows,
        dim,
        flags: &["--text", "--json"],
    };
    let bytes = source.seed_bulk(&bulk).await?;
    println!(
        "{rows} rows of {dim} dimensions with a text and a JSON document: {} MiB",
        bytes >> 20
    );

    let mut table = Vec::new();
    for (tasks, page) in [(2, 2500), (4, 2500), (8, 2500)] {
        settle(&source, &target).await;
        table.push(ceiling::measure(&source, &target, rows, tasks, page).await?);
        drop_copy(&target).await?;
    }
    settle(&source, &target).await;
    let script = plain(&source, &target).await?;
    drop_copy(&target).await?;
    settle(&source, &target).await;
    let job = passage::measure(&source, &target, "rows").await?;
    drop_copy(&target).await?;
    settle(&source, &target).await;
    let spec = source.client().await?;
    let spec = spec.describe_collection(COLLECTION).await?;
    let by_hand = files::measure(&source, &target, &ceiling::same(&spec), rows).await?;
    drop_copy(&target).await?;
    settle(&source, &target).await;
    let shipped = passage::measure(&source, &target, "segments").await?;
    drop_copy(&target).await?;

    let ceiling = table
        .iter()
        .map(Measured::rows_per_second)
        .fold(0.0, f64::max);
    let copy = job.copy.rows_per_second();
    let gib = bytes as f64 / f64::from(1 << 30);
    table.extend([script.clone(), job.copy.clone(), job.whole.clone()]);
    table.push(by_hand.clone());
    table.extend([shipped.copy.clone(), shipped.whole.clone()]);
    println!(
        "{:<44} {:>10} {:>16} {:>20}",
        "", "", "", "CPU source, target"
    );
    for row in &table {
        println!(
            "{:<44} {:>8.1} s {:>9.0} rows/s {:>9.1} s {:>6.1} s",
            row.name,
            row.seconds,
            row.rows_per_second(),
            row.servers.0,
            row.servers.1
        );
    }
    println!(
        "passage / plain script: {:.1}",
        copy / script.rows_per_second()
    );
    println!("passage / ceiling:      {:.2}", copy / ceiling);
    let by_segments = shipped.copy.rows_per_second();
    println!("segments / rows:        {:.1}", by_segments / copy);
    println!(
        "segments / by hand:     {:.2}",
        by_segments / by_hand.rows_per_second()
    );
    let source_cpu = |job: &passage::Job| job.copy.servers.0 + job.cpu.0;
    println!(
        "CPU of source and its agent, segments / rows: {:.2}",
        source_cpu(&shipped) / source_cpu(&job)
    );
    for (by, job) in [("rows", &job), ("segments", &shipped)] {
        println!(
            "CPU seconds per GiB:    agent-source {:.1}, agent-target {:.1} (copy, {by})",
            job.cpu.0 / gib,
            job.cpu.1 / gib
        );
    }
    source.stop().await?;
    target.stop().await
}

/// Waits until the servers have done what earlier copies left them to do, or for two minutes.
async fn settle(source: &Server, target: &Server) {
    for _ in 0..120 {
        let before = used((source, target));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let after = used((source, target));
        if after.0 - before.0 + after.1 - before.1 < IDLE_CPU_SECONDS {
            return;
        }
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

async fn drop_copy(target: &Server) -> Result<()> {
    Ok(target.client().await?.drop_collection(COLLECTION).await?)
}

/// The official SDK: an iterator, and an insert for each of its pages, at the page size that suits it best.
async fn plain(source: &Server, target: &Server) -> Result<Measured> {
    let watch = Stopwatch::start(source, target);
    let done = python::script(
        "tests/bench/plain.py",
        &[source.uri(), target.uri(), COLLECTION],
        LIMIT,
    )
    .await?;
    let rows = done["rows"].as_u64().unwrap_or_default();
    let name = format!(
        "plain script, {} rows a page (CPU: with trials)",
        done["page"]
    );
    // Neither the interpreter's start nor the trials are part of what it is measured by.
    Ok(Measured {
        seconds: done["seconds"].as_f64().unwrap_or_default(),
        ..watch.stop(name, rows)
    })
}
