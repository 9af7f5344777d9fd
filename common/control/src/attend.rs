//! What an agent does beside its work: it answers operators, shows its metrics, and tells the service manager that it lives.

use crate::{Jobs, Listener, serve_admin};
use model::{Class, Fault, codes};
use runtime::journal::points::InvalidPoint;
use runtime::telemetry::Metrics;
use runtime::{Config, notify};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Serves the admin API and the metrics until `shutdown`. The agent counts as ready from here on.
///
/// # Errors
/// When the metrics' address can't be listened on, or the admin API breaks.
pub async fn attend<J: Jobs>(
    admin: Listener,
    jobs: Arc<J>,
    config: &Config,
    shutdown: CancellationToken,
) -> Result<(), Fault> {
    let metrics = Metrics::start()?;
    if let Some(listen) = config.metrics.listen {
        let server = metrics.listen(listen).await?;
        tokio::spawn(server.run(shutdown.clone()));
    }
    tokio::spawn(notify::feed_watchdog(shutdown.clone()));
    tracing::info!(agent = %config.agent.name, "ready");
    notify::ready();
    let outcome = serve_admin(admin, jobs, shutdown).await;
    notify::stopping();
    outcome
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
