//! The daemon's frame: configuration, now and as it changes, telemetry, signals. What the agent does is the agent's.

use super::config;
use super::renewal::Watched;
use crate::Program;
use model::{Class, Fault, codes};
use runtime::config::Renewals;
use runtime::shutdown::{Shutdown, StepLimits};
use runtime::{Config, Telemetry};
use std::future::Future;
use std::io;
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};

/// Runs the agent until it has stopped.
pub(super) fn run<S, F>(program: Program, file: &Path, serve: S) -> Result<(), Fault>
where
    S: FnOnce(Config, Renewals, Shutdown) -> F,
    F: Future<Output = Result<(), Fault>>,
{
    let content = config::read(file)?;
    let config = config::parse_of(program, file, &content)?;
    let watched = Watched::new(program, file.to_owned(), content, config.clone());
    let telemetry = Telemetry::start(&config.telemetry, program.name(), &config.agent.name)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| no_runtime(&error))?;
    let outcome = runtime.block_on(until_stopped(config, watched, serve));
    // Tasks that outlive their agent end here, so that what they had to say is in the traces.
    drop(runtime);
    telemetry.finish();
    outcome
}

async fn until_stopped<S, F>(config: Config, watched: Watched, serve: S) -> Result<(), Fault>
where
    S: FnOnce(Config, Renewals, Shutdown) -> F,
    F: Future<Output = Result<(), Fault>>,
{
    let shutdown = Shutdown::new(StepLimits::default());
    let signals = shutdown.clone();
    tokio::spawn(async move {
        if let Err(error) = signals.heed_signals().await {
            tracing::error!(%error, "signals can't be caught");
            signals.request();
        }
    });
    // From here on SIGHUP ends nothing: it has the configuration read again.
    let hangups = signal(SignalKind::hangup()).map_err(|error| no_runtime(&error))?;
    let renewals = Renewals::of(watched.in_force());
    tokio::spawn(watched.keep(hangups));
    serve(config, renewals, shutdown).await
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
