//! Following a job to its end.
//!
//! An agent that is started again goes on with its jobs, and so does whoever watches them: the connection is tried again for a
//! minute before the watch gives up.

mod bars;
mod changes;
mod progress;
mod screen;

use crate::cli::terminal::{Failure, Terminal};
use crate::client::Client;
use futures::StreamExt;
use futures::stream::BoxStream;
use model::{Fault, JobName, JobStatus, codes};
use screen::Screen;
use std::time::Duration;
use tokio::time::Instant;

type Statuses = BoxStream<'static, Result<JobStatus, Fault>>;

/// How long an agent may be away while its job is watched.
const AWAY_LIMIT: Duration = Duration::from_secs(60);
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How often what is shown is measured anew, also when nothing comes.
const TICK: Duration = Duration::from_secs(1);

/// Shows a job until it has ended and no verification runs; its last status.
///
/// Cancel safety: dropping it ends the watch and leaves the job alone.
pub(crate) async fn follow(
    client: &mut Client,
    name: &JobName,
    terminal: &mut Terminal,
) -> Result<JobStatus, Failure> {
    let mut screen = Screen::on(terminal);
    let mut statuses = client.watch(name).await?;
    loop {
        if let Some(last) = follow_stream(&mut statuses, &mut screen, terminal).await? {
            screen.close();
            return Ok(last);
        }
        screen.say("the agent is not reachable; trying again", terminal)?;
        statuses = again(client, name).await?;
    }
}

/// Shows what a stream brings: the last status when the job has settled, `None` when the agent is gone.
async fn follow_stream(
    statuses: &mut Statuses,
    screen: &mut Screen,
    terminal: &mut Terminal,
) -> Result<Option<JobStatus>, Failure> {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            status = statuses.next() => match status {
                Some(Ok(status)) => {
                    screen.show(&status, Instant::now().into_std(), terminal)?;
                    if status.phase.is_terminal() {
                        return Ok(Some(status));
                    }
                }
                Some(Err(fault)) if fault.code != codes::AGENT_UNREACHABLE => return Err(fault.into()),
                Some(Err(_)) | None => return Ok(None),
            },
            _ = ticks.tick() => screen.tick(Instant::now().into_std(), terminal)?,
        }
    }
}

/// Watches the job again once the agent is back.
async fn again(client: &mut Client, name: &JobName) -> Result<Statuses, Fault> {
    let until = Instant::now() + AWAY_LIMIT;
    loop {
        match client.watch(name).await {
            Err(fault) if fault.code == codes::AGENT_UNREACHABLE && Instant::now() < until => {
                tokio::time::sleep(RETRY_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}
