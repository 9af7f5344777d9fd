//! The daemon's frame: configuration, telemetry, signals. What the agent does is the agent's.

use crate::Program;
use model::{Class, Fault, codes};
use runtime::{Config, Telemetry};
use std::future::Future;
use std::io;
use std::path::Path;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a program that a second Ctrl-C ended, as shells give it.
const INTERRUPTED: i32 = 130;

/// Runs the agent until it has stopped.
pub(super) fn run<S, F>(program: Program, file: &Path, serve: S) -> Result<(), Fault>
where
    S: FnOnce(Config, CancellationToken) -> F,
    F: Future<Output = Result<(), Fault>>,
{
    let config = super::config::load(file)?;
    let telemetry = Telemetry::start(&config.telemetry, program.name(), &config.agent.name)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| no_runtime(&error))?;
    let outcome = runtime.block_on(until_stopped(config, serve));
    // Tasks that outlive their agent end here, so that what they had to say is in the traces.
    drop(runtime);
    telemetry.finish();
    outcome
}

async fn until_stopped<S, F>(config: Config, serve: S) -> Result<(), Fault>
where
    S: FnOnce(Config, CancellationToken) -> F,
    F: Future<Output = Result<(), Fault>>,
{
    let shutdown = CancellationToken::new();
    watch_signals(shutdown.clone()).map_err(|error| no_runtime(&error))?;
    serve(config, shutdown).await
}

/// The operating system gave no thread or no signal handler.
pub(super) fn no_runtime(error: &io::Error) -> Fault {
    let message = format!("the program can't start: {error}");
    Fault::new(
        codes::BUG,
        Class::Operator,
        message,
        "raise the limits of processes and open files",
    )
}

/// The first signal asks the agent to stop; a second one ends it.
fn watch_signals(shutdown: CancellationToken) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        tracing::info!("told to stop");
        shutdown.cancel();
        either(&mut interrupt, &mut terminate).await;
        tracing::warn!("told to stop a second time: stopping at once");
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
