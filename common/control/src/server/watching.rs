//! A job's statuses as a stream that a slow reader can't fill and a busy job can't flood.

use crate::wire::Wire;
use futures::Stream;
use model::JobStatus;
use proto::admin;
use std::time::Duration;
use tokio::sync::watch;

/// The least time between two answers: five a second is more than eyes need.
const PACE: Duration = Duration::from_millis(200);

enum Step {
    First,
    Next,
    Ended,
}

/// The status now, and the newest one after each change, until the job has settled or the agent lets go of it.
pub(super) fn statuses(
    receiver: watch::Receiver<JobStatus>,
) -> impl Stream<Item = admin::JobStatus> + Send {
    futures::stream::unfold((receiver, Step::First), |(mut receiver, step)| async move {
        match step {
            Step::First => {}
            Step::Next => {
                tokio::time::sleep(PACE).await;
                receiver.changed().await.ok()?;
            }
            Step::Ended => return None,
        }
        let (message, next) = {
            let status = receiver.borrow_and_update();
            (
                status.to_wire(),
                if status.phase.is_terminal() {
                    Step::Ended
                } else {
                    Step::Next
                },
            )
        };
        Some((message, (receiver, next)))
    })
}
