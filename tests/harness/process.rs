//! Processes by their identity, and what the system says of them. Linux: from `/proc`.

use crate::{python, wait};
use anyhow::{Context, Result, bail};
use std::process::Command;
use std::time::Duration;

/// A process that is known by its number and the time when it began, so that no other one is ever taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pid: u32,
    ticks: u64,
}

/// A signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Asks it to end.
    Term,
    /// Ends it at once.
    Kill,
    /// Interrupts it, as Ctrl-C does.
    Int,
    /// Stops it until `Cont`.
    Stop,
    /// Lets a stopped one go on.
    Cont,
    /// Has it read its configuration again.
    Hup,
}

/// How long a killed process may take to be gone.
const GONE_LIMIT: Duration = Duration::from_secs(10);

/// Processor time has 100 ticks a second on every Linux that we know.
const TICKS_PER_SECOND: f64 = 100.0;

/// When a process began, in ticks since the machine started; `None` for one that is gone or waits to be reaped.
#[must_use]
pub fn start_ticks(pid: u32) -> Option<u64> {
    let fields = stat_fields(pid)?;
    if matches!(fields.first()?.as_str(), "Z" | "X") {
        None
    } else {
        fields.get(19)?.parse().ok()
    }
}

/// The fields of `/proc/<pid>/stat` behind the program's name.
fn stat_fields(pid: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let behind_name = stat.rsplit_once(')')?.1;
    Some(behind_name.split_whitespace().map(str::to_owned).collect())
}

impl Process {
    /// The process of this number.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(pid: u32) -> Result<Self> {
        let ticks = start_ticks(pid).with_context(|| format!("process {pid} is gone"))?;
        Ok(Self { pid, ticks })
    }

    /// Its number.
    #[must_use]
    pub fn pid(self) -> u32 {
        self.pid
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_alive(self) -> bool {
        start_ticks(self.pid) == Some(self.ticks)
    }

    /// Sends it a signal, if it runs.
    ///
    /// # Errors
    /// When the signal can't be sent.
    pub fn signal(self, signal: Signal) -> Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        let name = match signal {
            Signal::Term => "TERM",
            Signal::Kill => "KILL",
            Signal::Int => "INT",
            Signal::Stop => "STOP",
            Signal::Cont => "CONT",
            Signal::Hup => "HUP",
        };
        // The shell's own `kill`: there is no safe call for it in the standard library.
        let sent = Command::new("sh")
            .args([
                "-c",
                "kill -s \"$1\" \"$2\"",
                "-",
                name,
                &self.pid.to_string(),
            ])
            .output()?;
        if !sent.status.success() && self.is_alive() {
            bail!(
                "no signal to process {}: {}",
                self.pid,
                String::from_utf8_lossy(&sent.stderr)
            );
        }
        Ok(())
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// When it does not go.
    pub async fn kill(self) -> Result<()> {
        self.signal(Signal::Kill)?;
        self.gone(GONE_LIMIT).await
    }

    /// Waits until it is gone.
    ///
    /// # Errors
    /// When it is still there after the limit.
    pub async fn gone(self, limit: Duration) -> Result<()> {
        let what = format!("end of process {}", self.pid);
        wait::until(&what, limit, || async {
            Ok((!self.is_alive()).then_some(()))
        })
        .await
    }

    /// Has it killed when this test process ends, by a small watcher.
    ///
    /// # Errors
    /// When the watcher can't be started.
    pub fn end_with_us(self) -> Result<()> {
        let own = std::process::id();
        let arguments = [
            u64::from(own),
            start_ticks(own).unwrap_or_default(),
            u64::from(self.pid),
            self.ticks,
        ];
        python::watcher(&arguments.map(|number| number.to_string()))
    }

    /// The processor time that it has used, in seconds.
    #[must_use]
    pub fn cpu_seconds(self) -> Option<f64> {
        let fields = stat_fields(self.pid)?;
        let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
        Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
    }

    /// The most memory that it has had resident so far, in bytes.
    #[must_use]
    pub fn peak_resident_bytes(self) -> Option<u64> {
        self.memory("VmHWM:")
    }

    /// The memory that it has resident now, in bytes.
    #[must_use]
    pub fn resident_bytes(self) -> Option<u64> {
        self.memory("VmRSS:")
    }

    fn memory(self, which: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(which))?;
        line.trim()
            .strip_suffix("kB")?
            .trim()
            .parse::<u64>()
            .ok()
            .map(|kib| kib << 10)
    }
}

/// The command line and environment of every process that we may look at, as text, each with its number.
#[must_use]
pub fn list() -> Vec<(u32, String)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let read = |pid: u32| {
        let file = |name| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let bytes = [file("cmdline"), file("environ")].join(&0);
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    pids.map(|pid| (pid, read(pid))).collect()
}
