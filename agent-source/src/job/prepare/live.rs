//! What a live job needs beyond a copying one.

use crate::agent::Agent;
use crate::reader::RowReader;
use crate::reader::rows::MilvusRows;
use crate::records::JobRecord;
use model::job::{AutoId, Fence, Mode, Verify};
use model::{CollectionSpec, Fault, Finding, KeyRange, Severity, codes};
use std::time::{Duration, Instant};

/// A collection with fewer rows is copied before any log forgets.
const WORTH_A_GUESS_ROWS: u64 = 100_000;

/// How many rows are read to guess by.
const SAMPLED_ROWS: u32 = 1_000;

/// Whether a collection's changes can be followed; every hindrance is a finding.
pub(super) async fn check(
    agent: &Agent,
    record: &JobRecord,
    source: &CollectionSpec,
    is_empty: bool,
) -> Vec<Finding> {
    let spec = &record.spec;
    if spec.mode != Mode::Live {
        return vec![];
    }
    let blocked = |code, text: &str| Finding::new(Severity::Blocked, code, &source.name, text);
    let Some(log) = &agent.log else {
        let text = "its changes can't be followed: the source's agent has no `log` section in its configuration; add it, or give `mode: copy`";
        return vec![blocked(codes::LOG_MISSING, text)];
    };
    let mut findings = Vec::new();
    if source.channels.is_empty() {
        let text = "its server has no log (Milvus Lite has none): give `mode: copy`, and let nobody write to it meanwhile";
        findings.push(blocked(codes::LOG_MISSING, text));
    }
    for channel in &source.channels {
        if let Err(fault) = log.end_of(channel).await {
            let text = format!("its log can't be read: {} ({})", fault.message, fault.hint);
            findings.push(Finding::new(
                Severity::Blocked,
                &fault.code,
                &source.name,
                text,
            ));
        }
    }
    if is_empty {
        let text = "it can't be loaded for want of an index on a vector field, and rows that come while it is followed could not be proven: create the index, or exclude it";
        findings.push(blocked(codes::COLLECTION_NOT_LOADED, text));
    }
    if spec.auto_id == AutoId::Regenerate && source.schema.has_auto_id() {
        let text = "with keys made anew, later changes could not find their rows: give `auto_id: preserve`";
        findings.push(blocked(codes::AUTO_ID_REGENERATED, text));
    }
    let can = agent.milvus.capabilities();
    let is_deniable = can.alter_database && can.describe_database;
    if spec.cutover.fence == Fence::DenyWrites && !is_deniable {
        let text = "its server can't be had to deny writes, which Milvus does since 2.4: give `cutover: { fence: operator }`, and stop the writers yourself";
        findings.push(blocked(codes::FENCE_UNAVAILABLE, text));
    }
    if spec.verify == Verify::Counts {
        let text = "numbers of rows prove nothing while rows come and go: give `verify: content` or `verify: none`";
        findings.push(blocked(codes::VERIFY_BLOCKED, text));
    }
    findings
}

/// Whether the log goes back further than copying a collection of so many rows takes, by a guess from some of them.
pub(super) async fn check_retention(
    agent: &Agent,
    source: &CollectionSpec,
    rows: Option<u64>,
) -> Result<Option<Finding>, Fault> {
    let Some((log, rows)) = agent.log.as_ref().zip(rows) else {
        return Ok(None);
    };
    if log.spool().is_some() || rows < WORTH_A_GUESS_ROWS {
        return Ok(None);
    }
    let (Ok(begins), Some(now)) = (log.begins(&source.channels).await, agent.tick_now().await?)
    else {
        // That it can't be read was found before.
        return Ok(None);
    };
    let goes_back = Duration::from_millis(now.millis_since(begins));
    let takes = copying_time(agent, source, rows).await?;
    Ok((takes > goes_back).then(|| {
        let (takes, goes_back) = (takes.as_secs(), goes_back.as_secs());
        let text = format!(
            "reading its {rows} rows takes about {takes} s, and its log goes back {goes_back} s now: see that Milvus keeps the log for \
             longer, or give the source's agent `log.spool`; if changes are lost all the same, every row is compared again"
        );
        Finding::new(Severity::Note, codes::LOG_SHORT, &source.name, text)
    }))
}

/// About how long it takes to read so many rows.
async fn copying_time(
    agent: &Agent,
    source: &CollectionSpec,
    rows: u64,
) -> Result<Duration, Fault> {
    let reader = MilvusRows::new(agent, source, false).await?;
    let begun = Instant::now();
    let keys = reader.keys(None, &KeyRange::all(), SAMPLED_ROWS).await?;
    let read = reader.read_keys(None, &keys, None).await?;
    let sampled = read.iter().map(|batch| u64::from(batch.rows)).sum::<u64>();
    let readers = agent.limits.readers as f64;
    Ok(begun
        .elapsed()
        .mul_f64(rows as f64 / sampled.max(1) as f64 / readers))
}
