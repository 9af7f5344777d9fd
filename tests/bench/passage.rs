//! Passage: two agents and a job, watched.

use crate::{COLLECTION, LIMIT, Measured, Stopwatch, number};
use anyhow::{Context, Result};
use harness::agents::{Agent, Pair};
use harness::servers::Server;
use harness::{jobs, wait};
use model::{CollectionPhase, JobStatus};
use tokio::io::{AsyncBufReadExt, BufReader};

/// What a job took.
pub(crate) struct Job {
    /// While rows were on their way.
    pub(crate) copy: Measured,
    /// From the order to the proof.
    pub(crate) whole: Measured,
    /// Processor seconds of the source's and the target's agent until the last row had arrived.
    pub(crate) cpu: (f64, f64),
}

/// Copies by a job, with `copy: rows` or `copy: segments`.
pub(crate) async fn measure(source: &Server, target: &Server, by: &str) -> Result<Job> {
    let mut pair = Pair::new(source, target).await?;
    pair.source.config["limits"]["readers"] = number("READERS", 4).into();
    pair.target.config["limits"]["writers"] = number("WRITERS", 4).into();
    pair.give_storage(source, target);
    // The relay of the tests is not part of what is measured.
    pair.source.config["channel"]["dial"] = pair.listener().to_string().into();
    pair.start().await?;
    let watch = Stopwatch::start(source, target);
    let mut spec = jobs::spec(COLLECTION, &[COLLECTION]);
    spec["copy"] = by.into();
    jobs::begin(&pair.source, &spec).await?;
    let copy = watch_copy(&pair.source, || Stopwatch::start(source, target));
    let mut copy = wait::within("the copy", LIMIT, copy).await?;
    copy.name = format!("passage: copy, {by}");
    let cpu = (cpu(&pair.source)?, cpu(&pair.target)?);
    let status = jobs::wait(&pair.source, COLLECTION, LIMIT).await?;
    jobs::ensure_completed(&pair.source, &status).await?;
    let rows = status.collections[0].rows_copied;
    Ok(Job {
        copy,
        whole: watch.stop(
            format!("passage: whole job, {by}, with index and proof"),
            rows,
        ),
        cpu,
    })
}

fn cpu(agent: &Agent) -> Result<f64> {
    agent
        .process()?
        .cpu_seconds()
        .context("processor time is told")
}

/// From the first to the last status in which rows are on their way.
async fn watch_copy<'s>(agent: &Agent, start: impl Fn() -> Stopwatch<'s>) -> Result<Measured> {
    let mut command = agent.command(&["job", "watch", COLLECTION])?;
    let mut child = command.stdout(std::process::Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("an output")?).lines();
    let mut begun: Option<Stopwatch<'s>> = None;
    while let Some(line) = lines.next_line().await? {
        let status: JobStatus = serde_json::from_str(&line)?;
        let Some(collection) = status.collections.first() else {
            continue;
        };
        let is_there = Some(collection.rows_copied) == collection.rows_total;
        match collection.phase {
            CollectionPhase::Waiting => {}
            CollectionPhase::Copying if !is_there => {
                begun.get_or_insert_with(&start);
            }
            _ => {
                let begun = begun.context("the copy was too quick to be seen")?;
                return Ok(begun.stop("passage: copy", collection.rows_copied));
            }
        }
    }
    anyhow::bail!("the job ended unseen")
}
