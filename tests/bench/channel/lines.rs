//! The channel over a long line that loses packets.

use crate::line::{Line, Terms};
use crate::way::{self, Way};
use crate::{Over, median, run};
use anyhow::Result;
use std::path::Path;
use std::time::Duration;

/// What is sent at a time.
const BATCH_BYTES: usize = 1 << 20;

const DELAY: Duration = Duration::from_millis(25);

/// Packets lost of ten thousand.
const LOSSES: [u64; 3] = [0, 10, 100];

/// What is compared, and over how many connections of its own each.
const WAYS: [(Way, usize); 3] = [(Way::Grpc, 1), (Way::Grpc, 4), (Way::Quic, 2)];

/// Tells what each carries, and which part of the line that is.
pub(crate) async fn compare(folder: &Path) -> Result<()> {
    let megabits = way::number("MEGABITS", 1000);
    let bytes_per_second = megabits * 1_000_000 / 8;
    println!(
        "a line of {megabits} Mbit/s, {} ms each way: MB/s, and the part of the line",
        DELAY.as_millis()
    );
    for lost in LOSSES {
        let terms = Terms {
            bytes_per_second,
            delay: DELAY,
            lost,
        };
        let line = match Line::set_up(terms) {
            Ok(line) => line,
            Err(error) => {
                println!("not measured: no such line can be set up here: {error:#}");
                return Ok(());
            }
        };
        for (way, connections) in WAYS {
            let over = Over {
                line: &line,
                connections,
            };
            let mut runs = Vec::new();
            for _ in 0..way::number("RUNS", 3) {
                runs.push(run(way, folder, BATCH_BYTES, Some(&over), false).await?);
            }
            let carried = median(&runs).megabytes_per_second;
            println!(
                "loss of {:.1} %  {:<18} {connections} connection(s) {carried:>6.0} {:>6.2}",
                lost as f64 / 100.0,
                way.about(),
                carried * 1e6 / bytes_per_second as f64
            );
        }
    }
    println!();
    Ok(())
}
