//! What an agent does beside its work: it answers operators, shows its metrics, and tells the service manager that it lives.

use crate::{Jobs, Listener, serve_admin};
use model::{Class, Fault, codes};
use runtime::journal::points::InvalidPoint;
use runtime::shutdown::{Ending, Shutdown, Step};
use runtime::telemetry::Metrics;
use runtime::{Config, notify};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Serves the admin API and the metrics, and counts the agent as ready, until somebody asks for its end; then goes through the steps
/// of the end, in each of which the agent's own tasks of that step end too.
///
/// # Errors
/// When the metrics' address can't be listened on, the admin API breaks, or the agent did not end by itself.
pub async fn attend<J: Jobs>(
    admin: Listener,
    jobs: Arc<J>,
    metrics: Metrics,
    config: &Config,
    shutdown: &Shutdown,
) -> Result<(), Fault> {
    let (taking, closing) = (
        shutdown.tasks(Step::StopTaking),
        shutdown.tasks(Step::Close),
    );
    if let Some(listen) = config.metrics.listen {
        let server = metrics.listen(listen).await?;
        closing.spawn("metrics", server.run(closing.stop_token()));
    }
    closing.spawn("watchdog", notify::feed_watchdog(closing.stop_token()));
    let (broken, mut breaks) = oneshot::channel();
    let (serving, stop) = (shutdown.clone(), taking.stop_token());
    taking.spawn("admin", async move {
        if let Err(fault) = serve_admin(admin, jobs, stop).await {
            // Whoever waits for it is below.
            let _ = broken.send(fault);
            serving.request();
        }
    });
    tracing::info!(agent = %config.agent.name, "ready");
    notify::ready();
    shutdown.requested().await;
    notify::stopping();
    let ending = shutdown.run().await;
    match (breaks.try_recv(), ending) {
        (Ok(fault), _) => Err(fault),
        (Err(_), Ending::Panicked) => Err(panicked()),
        (Err(_), Ending::Orderly | Ending::Aborted(_)) => Ok(()),
    }
}

fn panicked() -> Fault {
    let hint = "start the agent again: jobs go on from the journal; report this with the log as a defect of Passage";
    Fault::new(
        codes::BUG,
        Class::Bug,
        "a part of the agent panicked; the log says which",
        hint,
    )
}

/// An environment variable that only tests set is wrong.
#[must_use]
pub fn invalid_environment(error: InvalidPoint) -> Fault {
    Fault::new(
        codes::CONFIG_INVALID,
        Class::Operator,
        error.to_string(),
        "unset the variable",
    )
}
