//! What the channel costs: raw TCP, TLS over it, the channel over gRPC and over QUIC, and the libraries under both used plainly, side by
//! side in one run on loopback.
//!
//! ```text
//! SECONDS=3 RUNS=3 ONLY= make bench-channel       ONLY: loopback, strangers, or line
//! ```
//! Then the channel over an emulated line of 1 Gbit/s and 25 ms each way that loses packets, where the machine lets one be set up: over gRPC with
//! one connection and with four, and over QUIC.
//!
//! And the channel beside a thousand strangers who never finish a handshake.
//!
//! Every way has its sender and its receiver in processes of their own, with the allocator of the agents, and the same certificates, windows
//! and counts of connections and streams. Ways take turns, and what is told is the median of their runs.

mod crowd;
mod line;
mod lines;
mod ours;
mod plain;
mod streams;
mod way;

use anyhow::{Context, Result, ensure};
use channel::certs::{Existing, LeafRequest, Validity, make_leaf, make_pair};
use harness::agents::Side;
use harness::process::Process;
use line::{Line, address};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use way::{AT, CONNECTIONS_OF, Place, Way};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The sizes of what is sent at a time.
const BATCHES: [usize; 2] = [1 << 20, 256 << 10];

/// What `ONLY` may choose of.
const PARTS: [&str; 3] = ["loopback", "strangers", "line"];

/// How long a run may take beyond what it sends.
const LIMIT: Duration = Duration::from_secs(60);

/// What one run of a way gave.
#[derive(Debug, Clone, Copy)]
struct Run {
    megabytes_per_second: f64,
    /// Processor seconds a GiB, of the sender and of the receiver.
    cpu: (f64, f64),
}

/// What a run goes over, if not loopback.
struct Over<'a> {
    line: &'a Line,
    connections: usize,
}

impl Run {
    fn whole_cpu(self) -> f64 {
        self.cpu.0 + self.cpu.1
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [_, "receive", way, place] => receive(way.parse()?, Path::new(place)).await,
        [_, "send", way, place, address, bytes] => {
            let place = Place::read(Path::new(place), bytes.parse()?)?;
            way::send(way.parse()?, &place, address.parse()?).await
        }
        [_, "crowd", way, address] => crowd::gather(way.parse()?, address.parse()?).await,
        // `cargo bench` passes flags of its own runner.
        _ => {
            let folder = tempfile::tempdir()?;
            make_certificates(folder.path())?;
            let only = std::env::var("ONLY").unwrap_or_default();
            let wanted = |part: &str| part.contains(&only);
            ensure!(PARTS.into_iter().any(wanted), "ONLY is one of {PARTS:?}");
            let [loopback, strangers, line] = PARTS.map(wanted);
            if loopback {
                compare(folder.path()).await?;
            }
            if strangers {
                crowd::compare(folder.path()).await?;
            }
            if line {
                lines::compare(folder.path()).await?;
            }
            Ok(())
        }
    }
}

async fn receive(way: Way, folder: &Path) -> Result<()> {
    let place = Place::read(folder, 0)?;
    way::receive(way, &place).await
}

fn make_certificates(folder: &Path) -> Result<()> {
    let pair = make_pair(folder, "bench.example", Existing::Keep)?;
    ensure!(pair.source.cert.exists(), "certificates were made");
    // Plain quinn knows its peer by the host's name.
    let plain = LeafRequest {
        name: "plain".parse()?,
        spiffe: None,
        hosts: vec!["localhost".into()],
        validity: Validity::days(1),
    };
    make_leaf(folder, &plain, Existing::Keep)?;
    Ok(())
}

async fn compare(folder: &Path) -> Result<()> {
    let runs = way::number("RUNS", 3);
    for bytes in BATCHES {
        let mut measured = vec![Vec::new(); Way::ALL.len()];
        for _ in 0..runs {
            for (way, runs) in Way::ALL.into_iter().zip(&mut measured) {
                runs.push(run(way, folder, bytes, None, false).await?);
            }
        }
        let medians: Vec<_> = measured.iter().map(|runs| median(runs)).collect();
        tell(bytes, &medians);
    }
    Ok(())
}

/// One run, in two processes, at the ends of a line or on loopback; perhaps beside strangers in a third.
async fn run(
    way: Way,
    folder: &Path,
    bytes: usize,
    over: Option<&Over<'_>>,
    beside_strangers: bool,
) -> Result<Run> {
    let words = [folder.to_str().context("a name in UTF-8")?];
    let receive = [&["receive", way.name()][..], &words].concat();
    let mut receiver = process(&receive, Side::Target, over)?;
    let mut told = BufReader::new(receiver.stdout.take().context("an output")?).lines();
    let address = told.next_line().await?.context("an address")?;
    let crowd = if beside_strangers {
        Some(crowd::gathered(way, &address).await?)
    } else {
        None
    };
    let bytes = bytes.to_string();
    let send = [&["send", way.name()][..], &words, &[&address, &bytes]].concat();
    let sender = process(&send, Side::Source, over)?;
    let measured = async {
        let sent = sender.wait_with_output().await?;
        ensure!(sent.status.success(), "{way:?}: the sender failed");
        let sent: Value = serde_json::from_slice(&sent.stdout)?;
        let received = told.next_line().await?.context("a count")?;
        let received: Value = serde_json::from_str(&received)?;
        ensure!(
            receiver.wait().await?.success(),
            "{way:?}: the receiver failed"
        );
        if let Some(mut crowd) = crowd {
            ensure!(crowd.try_wait()?.is_none(), "{way:?}: the strangers left");
        }
        let of = |value: &Value, key: &str| value[key].as_f64().with_context(|| key.to_owned());
        let (carried, seconds) = (of(&received, "bytes")?, of(&received, "seconds")?);
        let gib = carried / f64::from(1 << 30);
        Ok(Run {
            megabytes_per_second: carried / seconds / 1e6,
            cpu: (of(&sent, "cpu")? / gib, of(&received, "cpu")? / gib),
        })
    };
    let limit = LIMIT + way::seconds();
    tokio::time::timeout(limit, measured)
        .await
        .with_context(|| format!("{way:?} takes too long"))?
}

fn process(words: &[&str], side: Side, over: Option<&Over<'_>>) -> Result<Child> {
    let this = std::env::current_exe()?;
    let mut command = match over {
        None => Command::new(this),
        Some(over) => {
            let [program, before @ ..] = over.line.at(side);
            let mut command = Command::new(program);
            command.args(before).arg(this);
            command.env(AT, address(Side::Target).to_string());
            command.env(CONNECTIONS_OF, over.connections.to_string());
            command
        }
    };
    command.args(words);
    command.stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command.spawn()?)
}

fn median(runs: &[Run]) -> Run {
    let mut runs = runs.to_vec();
    runs.sort_by(|a, b| a.megabytes_per_second.total_cmp(&b.megabytes_per_second));
    runs[runs.len() / 2]
}

fn tell(bytes: usize, medians: &[Run]) {
    println!("batches of {} KiB", bytes >> 10);
    println!("{:<34} {:>6}   CPU s/GiB: sender, receiver", "", "MB/s");
    for (way, run) in Way::ALL.into_iter().zip(medians) {
        println!(
            "{:<34} {:>6.0}   {:>17.2} {:>9.2}",
            way.about(),
            run.megabytes_per_second,
            run.cpu.0,
            run.cpu.1
        );
    }
    let of = |way: Way| medians[Way::ALL.iter().position(|other| *other == way).unwrap_or(0)];
    for (one, other) in [
        (Way::Grpc, Way::Tls),
        (Way::Grpc, Way::PlainTonic),
        (Way::Quic, Way::PlainQuinn),
    ] {
        let (ours, theirs) = (of(one), of(other));
        println!(
            "{} / {}: {:.2} of its MB/s, {:.2} of its CPU",
            one.about(),
            other.about(),
            ours.megabytes_per_second / theirs.megabytes_per_second,
            ours.whole_cpu() / theirs.whole_cpu()
        );
    }
    println!();
}

/// The processor seconds of this process until now.
pub(crate) fn cpu() -> Result<f64> {
    Process::of(std::process::id())?
        .cpu_seconds()
        .context("processor time is told")
}
