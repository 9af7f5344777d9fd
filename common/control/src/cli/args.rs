//! The command line: what can be said, and the help that teaches it.
//!
//! Help texts name the program as `{agent}`, its side as `{side}` and the other agent as `{peer}`; [`command`] fills them in.

mod certs;

pub(crate) use certs::{CertsSub, Placing};

use super::exit;
use super::terminal::Output;
use crate::Program;
use crate::address::Address;
use clap::builder::StyledStr;
use clap::{Arg, Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use model::JobName;
use runtime::config::PeerId;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Move collections from one Milvus to another, and prove that they are equal.
///
/// {agent} runs beside the {side} Milvus and is joined to {peer} by one mutually authenticated connection. `{agent} serve` is
/// the agent itself; every other command talks to a running one, or needs none.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_long_help = FIRST_STEPS)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Sub,
    /// The form of the output: text for people, JSON for programs.
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORM"
    )]
    pub(crate) output: Output,
}

const FIRST_STEPS: &str = "\
First steps, on either side:
  {agent} certs pair --dir ./certs          certificates for both agents, if you have none
  {agent} config check --config agent.yaml  is the configuration right?
  {agent} serve --config agent.yaml         run the agent
  {agent} job create -f job.yaml --dry-run  what would be carried, and what can't be
  {agent} job create -f job.yaml --watch    move, prove, and wait for the end
  {agent} job report sales-to-globex        what the comparison found";

#[derive(Debug, Subcommand)]
pub(crate) enum Sub {
    /// Run the agent until it is told to stop
    #[command(after_long_help = SERVE_EXAMPLES)]
    Serve {
        #[command(flatten)]
        config: RequiredConfig,
    },
    /// Check or show the configuration; no agent is needed
    #[command(subcommand)]
    Config(ConfigSub),
    /// Make and show certificates; no agent is needed
    #[command(subcommand)]
    Certs(CertsSub),
    /// Create, watch, verify and cancel jobs on a running agent
    #[command(subcommand, after_long_help = exit::HELP)]
    Job(JobSub),
}

const SERVE_EXAMPLES: &str = "\
SIGTERM and Ctrl-C stop the agent: it finishes what is under way, keeps its place, and goes on
where it was when it is started again. A second Ctrl-C ends it at once, which loses nothing either.

Examples:
  {agent} serve --config /etc/passage/{agent}.yaml
  PASSAGE_MILVUS_URI=http://10.0.0.5:19530 {agent} serve --config {agent}.yaml";

#[derive(Debug, Args)]
pub(crate) struct RequiredConfig {
    /// The agent's configuration file
    #[arg(short, long, env = "PASSAGE_CONFIG", value_name = "FILE")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigSub {
    /// Say whether the configuration is complete and right; every fault at once
    Check {
        #[command(flatten)]
        config: RequiredConfig,
    },
    /// Show every setting in force; secrets are shown as where they are kept, never as what they are
    Show {
        #[command(flatten)]
        config: RequiredConfig,
        /// Say where each value comes from: environment, file or default
        #[arg(long)]
        origin: bool,
    },
}

/// How to reach the agent.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// The agent's admin address: unix:/path of its socket, or host:port
    #[arg(long, env = "PASSAGE_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub(crate) admin: Option<Address>,
    /// The agent's configuration file, to take the admin address from
    #[arg(short, long, env = "PASSAGE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) operator: Option<OperatorFiles>,
}

/// Who calls, at an agent's TCP port.
#[derive(Debug, Args)]
pub(crate) struct OperatorFiles {
    /// At host:port: the operator's certificate, which the agent's admin.peers names
    #[arg(long, value_name = "FILE", required = false, requires_all = ["admin_key", "admin_ca", "admin_agent"])]
    pub(crate) admin_cert: PathBuf,
    /// At host:port: the file of the certificate's key
    #[arg(long, value_name = "FILE", required = false, requires = "admin_cert")]
    pub(crate) admin_key: PathBuf,
    /// At host:port: the CA of the agent's certificate
    #[arg(long, value_name = "FILE", required = false, requires = "admin_cert")]
    pub(crate) admin_ca: PathBuf,
    /// At host:port: what the agent's certificate must prove, such as spiffe://acme.example/passage/{side}
    #[arg(long, value_name = "ID", required = false, requires = "admin_cert")]
    pub(crate) admin_agent: PeerId,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobSub {
    /// Give the agent a job
    #[command(after_long_help = CREATE_EXAMPLES)]
    Create {
        /// The job file; - reads standard input
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
        /// Only find out what would be carried, changed, or can't be carried, and wait for the answer; nothing is changed
        #[arg(long)]
        dry_run: bool,
        /// Show the progress, and wait for the end
        #[arg(short, long)]
        watch: bool,
        #[command(flatten)]
        reach: Reach,
    },
    /// List the agent's jobs
    List {
        #[command(flatten)]
        reach: Reach,
    },
    /// Show one job: phase, what it waits for, findings, collections
    Show(Named),
    /// Show the progress, and wait for the end; ending the watch leaves the job alone
    #[command(after_long_help = exit::HELP)]
    Watch(Named),
    /// End a job; what is on the target by then stays there
    Cancel(Named),
    /// Have a job rest until it is resumed, also over restarts of the agents: nothing is read from the source
    Pause(Named),
    /// Have a paused job go on from where it was
    Resume(Named),
    /// End the following of a live job: the source is not written to any more, and the target takes its place
    #[command(after_long_help = CUTOVER_HELP)]
    Cutover {
        #[command(flatten)]
        named: Named,
        /// Begin only if the target lags behind by no more than this [default: as the job says, else 1s]
        #[arg(long, value_name = "TIME", value_parser = time)]
        max_lag: Option<Duration>,
        /// Give up, and go on following, if it is not done by then [default: as the job says, else 30s]
        #[arg(long, value_name = "TIME", value_parser = time)]
        timeout: Option<Duration>,
        /// Only say whether it could begin, and what is missing; the source may still be written to
        #[arg(long)]
        dry_run: bool,
    },
    /// Compare the target with the source again
    #[command(after_long_help = exit::HELP)]
    Verify {
        #[command(flatten)]
        named: Named,
        /// Show the progress, and wait for the end
        #[arg(short, long)]
        watch: bool,
    },
    /// Show what the last verification found: every difference by key and field
    #[command(after_long_help = exit::HELP)]
    Report(Named),
}

const CREATE_EXAMPLES: &str = "\
A job file in full, with its defaults, is in deploy/examples/job.yaml; this is enough:
  name: sales-to-globex
  collections: [\"sales.*\", \"docs\"]

Examples:
  {agent} job create -f job.yaml --dry-run --config {agent}.yaml
  {agent} job create -f job.yaml --watch --admin unix:/run/passage-{side}/admin.sock
  {agent} job create -f job.yaml --watch -o json | tail -n 1 | jq .phase

Exit codes: see `{agent} job --help`.";

const CUTOVER_HELP: &str = "\
Before: see that the job syncs and is equal but for the last changes (`job watch`, `job cutover --dry-run`).
1. Stop all writes to the source's collections. This is the fence, and it is yours, unless the job file says `fence: deny_writes`.
2. {agent} job cutover NAME    applies and proves the last changes, sets the aliases, completes the job
3. Send writes and reads to the target.
If the command fails, nothing is lost: the job goes on following, and the source may be written to again.
A write to the source after step 1 is found, and undoes the cutover.

Exit codes: see `{agent} job --help`.";

fn time(text: &str) -> Result<Duration, String> {
    runtime::config::values::duration(text)
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The job's name
    pub(crate) name: JobName,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

impl Cli {
    /// Reads the command line of this program.
    pub(crate) fn parse_for(
        program: Program,
        words: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, clap::Error> {
        let mut command = command(program);
        let matches = command.try_get_matches_from_mut(words)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

/// The command line under the program's own name.
pub(crate) fn command(program: Program) -> Command {
    filled(
        Cli::command().name(program.name()).bin_name(program.name()),
        program,
    )
}

fn filled(command: Command, program: Program) -> Command {
    let fill = |text: &StyledStr| {
        let text = text.to_string().replace("{agent}", program.name());
        StyledStr::from(
            text.replace("{side}", program.side())
                .replace("{peer}", program.peer()),
        )
    };
    let about = command.get_about().map(fill);
    let long_about = command.get_long_about().map(fill);
    let after = command.get_after_long_help().map(fill);
    let fill_arg = |arg: Arg| {
        let help = arg.get_help().map(fill);
        let arg = if let Some(help) = help {
            arg.help(help)
        } else {
            arg
        };
        let is_named = arg
            .get_default_values()
            .iter()
            .any(|value| value == "{agent}");
        if is_named {
            arg.default_value(program.name())
        } else {
            arg
        }
    };
    let command = command.about(about.unwrap_or_default()).mut_args(fill_arg);
    let command = if let Some(text) = long_about {
        command.long_about(text)
    } else {
        command
    };
    let command = if let Some(text) = after {
        command.after_long_help(text)
    } else {
        command
    };
    command.mut_subcommands(|sub| filled(sub, program))
}

#[cfg(test)]
mod tests;
