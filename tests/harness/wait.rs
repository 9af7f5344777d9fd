//! Waiting for a condition, never for time.

use anyhow::{Result, bail};
use std::time::Duration;
use tokio::time::Instant;

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until the attempt gives something; its error ends the wait at once.
///
/// # Errors
/// The attempt's, or that `what` did not come within the limit.
pub async fn until<T, F>(what: &str, limit: Duration, mut attempt: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = attempt().await? {
            return Ok(found);
        }
        if Instant::now() >= end {
            bail!("{what}: not within {limit:?}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Gives a future a limit.
///
/// # Errors
/// The future's, or that `what` did not come within the limit.
pub async fn within<T>(
    what: &str,
    limit: Duration,
    future: impl Future<Output = Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(limit, future).await {
        Ok(outcome) => outcome,
        Err(_) => bail!("{what}: not within {limit:?}"),
    }
}
