//! The command line of both agents.

mod args;
mod certs;
mod config;
mod exit;
mod job;
mod render;
mod renewal;
mod serve;
mod terminal;
mod units;
mod watch;

use crate::Program;
use args::{Cli, Sub};
use exit::Exit;
use model::{Class, Fault, codes};
use runtime::Config;
use runtime::config::Renewals;
use runtime::shutdown::Shutdown;
use std::future::Future;
use std::process::ExitCode;
use terminal::{Failure, Terminal};

/// The whole program: reads the command line and does what it says. `serve` is the agent itself; it is given the configuration,
/// what is taken of it when it changes, and a token that is cancelled when the agent is told to stop (SIGTERM, Ctrl-C), and returns
/// once it has stopped. Logs and traces run by then, and it runs on a multi-threaded runtime.
///
/// The exit code is one of those that `--help` documents.
pub fn run<S, F>(program: Program, serve: S) -> ExitCode
where
    S: FnOnce(Config, Renewals, Shutdown) -> F,
    F: Future<Output = Result<(), Fault>>,
{
    channel::tls::name_provider();
    let cli = match Cli::parse_for(program, std::env::args_os()) {
        Ok(cli) => cli,
        Err(refusal) => {
            // Help and the version are refusals to clap, too. That they can't be printed is told to nobody.
            let _ = refusal.print();
            return if refusal.use_stderr() {
                Exit::Error
            } else {
                Exit::Done
            }
            .into();
        }
    };
    let mut terminal = Terminal::of_process(cli.output);
    let outcome = match cli.command {
        Sub::Serve { config } => serve::run(program, &config.config, serve)
            .map(|()| Exit::Done)
            .map_err(Failure::Fault),
        command => command_runtime()
            .and_then(|runtime| runtime.block_on(dispatch(program, command, &mut terminal))),
    };
    exit_of(outcome, &mut terminal).into()
}

fn command_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| serve::no_runtime(&error).into())
}

async fn dispatch(
    program: Program,
    command: Sub,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    match command {
        Sub::Serve { .. } => Err(Fault::new(
            codes::BUG,
            Class::Bug,
            "serve is no command of a client",
            "",
        )
        .into()),
        Sub::Config(command) => config::run(program, &command, terminal),
        Sub::Certs(command) => certs::run(&command, terminal),
        Sub::Job(command) => job::run(program, command, terminal).await,
    }
}

/// The exit code of a command; its failure is told first.
fn exit_of(outcome: Result<Exit, Failure>, terminal: &mut Terminal) -> Exit {
    match outcome {
        Ok(exit) => exit,
        Err(Failure::Fault(fault)) => {
            terminal.error(&fault);
            Exit::of_fault(&fault)
        }
        // A reader that has seen enough, such as `head`: there is nobody to tell.
        Err(Failure::Output(_)) => Exit::Error,
    }
}

#[cfg(test)]
mod tests;
