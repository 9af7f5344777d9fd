//! Agents: real processes, started until they say that they are ready, killed, and started again on the same state.

mod pair;

pub use pair::{Dialler, Over, Pair};

use crate::canary::Canary;
use crate::process::{Process, Signal};
use crate::{places, wait};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};

/// How long an agent may take until it is ready, or has refused to start: it waits for its Milvus, which may have been killed too.
const START_LIMIT: Duration = Duration::from_secs(180);

/// How long an agent may take to stop when it is asked to.
const STOP_LIMIT: Duration = Duration::from_secs(40);

/// How long a command to an agent may take, if it does not wait for a job.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// How much of a log is shown with an error.
const TAIL_BYTES: usize = 6000;

/// One of the two agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// `agent-source`.
    Source,
    /// `agent-target`.
    Target,
}

impl Side {
    /// The name of its program.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Source => "agent-source",
            Self::Target => "agent-target",
        }
    }
}

/// An agent: its folder, its configuration, and its process while it runs.
#[derive(Debug)]
pub struct Agent {
    side: Side,
    folder: PathBuf,
    /// Its configuration, written to its file at each start: change it before. To change it under a running agent, see
    /// [`Agent::write_config`] and [`Agent::reload`].
    pub config: Value,
    /// Variables that the process is given beside ours.
    pub environment: Vec<(String, String)>,
    /// What must not be seen anywhere.
    pub canary: Canary,
    child: Option<Child>,
}

/// What a command printed, and how it ended.
#[derive(Debug, Clone)]
pub struct Told {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Agent {
    /// An agent that does not run yet.
    #[must_use]
    pub fn new(side: Side, folder: PathBuf, config: Value) -> Self {
        Self {
            side,
            folder,
            config,
            environment: Vec::new(),
            canary: Canary::default(),
            child: None,
        }
    }

    /// Starts it, and waits until it is ready.
    ///
    /// # Errors
    /// When it ends instead: with the end of its log.
    pub async fn start(&mut self) -> Result<()> {
        match self.start_or_refuse().await? {
            None => Ok(()),
            Some(status) => bail!(
                "{} ended: {status}\n{}",
                self.side.program(),
                self.log_tail()
            ),
        }
    }

    /// Starts it, and waits until it is ready, or has refused to start.
    ///
    /// # Errors
    /// When it does neither.
    pub async fn start_or_refuse(&mut self) -> Result<Option<ExitStatus>> {
        ensure!(self.child.is_none(), "{} runs already", self.side.program());
        self.write_config()?;
        let notify = self.folder.join("notify.sock");
        std::fs::remove_file(&notify).ok();
        let notified = UnixDatagram::bind(&notify)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())?;
        let mut command = Command::new(places::built(self.side.program())?);
        command
            .args(["serve", "--config"])
            .arg(self.config_file())
            .env("NOTIFY_SOCKET", &notify);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        if let Some(process) = child.id().and_then(|pid| Process::of(pid).ok()) {
            process.end_with_us()?;
        }
        let what = format!("start of {}", self.side.program());
        let refused = wait::within(&what, START_LIMIT, async {
            tokio::select! {
                ready = is_ready(&notified) => ready.map(|()| None),
                status = child.wait() => Ok(Some(status?)),
            }
        });
        let refused = refused.await.with_context(|| self.log_tail())?;
        self.child = refused.is_none().then_some(child);
        Ok(refused)
    }

    /// Writes its configuration as it is now, which a running agent finds by itself.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write_config(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.config)?;
        Ok(std::fs::write(self.config_file(), text)?)
    }

    /// Writes its configuration, and has it read at once, as `systemctl reload` does.
    ///
    /// # Errors
    /// When the file can't be written, or it does not run.
    pub fn reload(&self) -> Result<()> {
        self.write_config()?;
        self.process()?.signal(Signal::Hup)
    }

    /// Its process.
    ///
    /// # Errors
    /// When it does not run.
    pub fn process(&self) -> Result<Process> {
        let pid = self.child.as_ref().and_then(Child::id);
        Process::of(pid.with_context(|| format!("{} does not run", self.side.program()))?)
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        let mut child = self
            .child
            .take()
            .with_context(|| format!("{} does not run", self.side.program()))?;
        Ok(child.kill().await?)
    }

    /// Asks it to stop, as systemd does, and waits until it has.
    ///
    /// # Errors
    /// When it does not run, or does not stop.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        self.process()?.signal(Signal::Term)?;
        self.ended(STOP_LIMIT).await
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it has not within the limit.
    pub async fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let child = self
            .child
            .as_mut()
            .with_context(|| format!("{} does not run", self.side.program()))?;
        let what = format!("end of {}", self.side.program());
        let status = wait::within(&what, limit, async { Ok(child.wait().await?) }).await?;
        self.child = None;
        Ok(status)
    }

    /// Runs a command of the agent's program, of those that talk to the running agent.
    ///
    /// # Errors
    /// When it can't be run, takes too long, or shows a secret.
    pub async fn tell(&self, words: &[&str]) -> Result<Told> {
        self.tell_within(words, COMMAND_LIMIT).await
    }

    /// As [`Agent::tell`], for commands that wait for something.
    ///
    /// # Errors
    /// When it can't be run, takes too long, or shows a secret.
    pub async fn tell_within(&self, words: &[&str], limit: Duration) -> Result<Told> {
        let mut command = self.command(words)?;
        let what = format!("{} {}", self.side.program(), words.join(" "));
        let output = wait::within(&what, limit, async { Ok(command.output().await?) }).await;
        let output = output.with_context(|| self.log_tail())?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let told = Told {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        self.canary.assert_absent(&what, &told.out)?;
        self.canary.assert_absent(&what, &told.err)?;
        Ok(told)
    }

    /// A command of the agent's program, with JSON for its output.
    ///
    /// # Errors
    /// When the program was not built.
    pub fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(places::built(self.side.program())?);
        command
            .args(words)
            .args(["--output", "json", "--config"])
            .arg(self.config_file());
        command.stdin(Stdio::null()).kill_on_drop(true);
        Ok(command)
    }

    /// What its metrics page says.
    ///
    /// # Errors
    /// When there is none.
    pub async fn metrics(&self) -> Result<String> {
        let address = self.config["metrics"]["listen"]
            .as_str()
            .context("the agent has no metrics")?;
        let page = wait::within(
            "metrics",
            COMMAND_LIMIT,
            pair::http_page(address, "/metrics"),
        )
        .await?;
        self.canary.assert_absent("metrics", &page)?;
        Ok(page)
    }

    /// The sum of a metric over its labels; 0 where it was never counted.
    ///
    /// # Errors
    /// When the agent shows no metrics.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        let page = self.metrics().await?;
        let of_name = |line: &&str| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with([' ', '{']))
        };
        let values = page
            .lines()
            .filter(of_name)
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(values.sum())
    }

    /// Its whole log, over all starts.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until its log has a line with all of these.
    ///
    /// # Errors
    /// When it has not within the limit.
    pub async fn logged(&self, parts: &[&str], limit: Duration) -> Result<String> {
        let what = format!("{} logs {parts:?}", self.side.program());
        let found = wait::until(&what, limit, || async {
            let log = self.log();
            Ok(log
                .lines()
                .find(|line| parts.iter().all(|part| line.contains(part)))
                .map(str::to_owned))
        });
        found.await.with_context(|| self.log_tail())
    }

    /// The end of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let mut from = log.len().saturating_sub(TAIL_BYTES);
        while !log.is_char_boundary(from) {
            from += 1;
        }
        format!("end of {}:\n{}", self.log_file().display(), &log[from..])
    }

    /// Its folder: configuration, log and state.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of its journal.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// The file that its configuration is written to.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("agent.yaml")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("agent.log")
    }
}

impl Drop for Agent {
    /// No secret in any log, whatever test it was.
    fn drop(&mut self) {
        if !std::thread::panicking()
            && let Err(error) = self.canary.assert_absent("log", &self.log())
        {
            panic!("{}: {error}", self.side.program());
        }
    }
}

/// Waits for systemd's word: the agent says when it is ready.
async fn is_ready(notified: &UnixDatagram) -> Result<()> {
    let mut message = [0; 4096];
    loop {
        let length = notified.recv(&mut message).await?;
        if message[..length]
            .split(|byte| *byte == b'\n')
            .any(|line| line == b"READY=1")
        {
            return Ok(());
        }
    }
}
