//! Every metric: its name, its unit and what it counts. `passage_<stage>_<thing>_<unit>[_total]`; times in seconds.

use metrics::Unit;

/// What a metric does over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It counts how often a value fell into each range.
    Histogram,
}

/// A metric as it is described.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it does over time.
    pub kind: Kind,
    /// Its unit.
    pub unit: Unit,
    /// What it counts, and its labels.
    pub about: &'static str,
}

/// Rows read from the source.
pub const READER_ROWS: &str = "passage_reader_rows_total";
/// Bytes read from the source.
pub const READER_BYTES: &str = "passage_reader_bytes_total";
/// Time of one page.
pub const READER_PAGE: &str = "passage_reader_page_seconds";
/// Bytes sent to the peer.
pub const CHANNEL_SENT: &str = "passage_channel_sent_bytes_total";
/// Bytes of columns that were sent, before they were compressed where that paid.
pub const CHANNEL_RAW: &str = "passage_channel_raw_bytes_total";
/// The same columns as they were sent.
pub const CHANNEL_ENCODED: &str = "passage_channel_encoded_bytes_total";
/// Bytes received from the peer.
pub const CHANNEL_RECEIVED: &str = "passage_channel_received_bytes_total";
/// Links that are up.
pub const CHANNEL_LINKS: &str = "passage_channel_links";
/// Links that were made.
pub const CHANNEL_LINKED: &str = "passage_channel_linked_total";
/// Time that a sender waited for credit.
pub const CHANNEL_CREDIT_WAIT: &str = "passage_channel_credit_wait_seconds";
/// Bytes a second of batches that may be sent to peers.
pub const CHANNEL_LIMIT: &str = "passage_channel_limit_bytes";
/// Peers and connections that were refused.
pub const CHANNEL_REFUSED: &str = "passage_channel_refused_total";
/// For how long a certificate is still valid.
pub const CHANNEL_CERTIFICATE: &str = "passage_channel_certificate_seconds";
/// Bytes that wait to be written.
pub const INBOX_HELD: &str = "passage_inbox_held_bytes";
/// Rows written to the target.
pub const WRITER_ROWS: &str = "passage_writer_rows_total";
/// Bytes written to the target.
pub const WRITER_BYTES: &str = "passage_writer_bytes_total";
/// Time of one write.
pub const WRITER_WRITE: &str = "passage_writer_write_seconds";
/// Batches applied again, as upserts.
pub const WRITER_REAPPLIED: &str = "passage_writer_reapplied_batches_total";
/// How far the target is behind the source's changes, by the source's clock.
pub const CHANGES_LAG: &str = "passage_changes_lag_seconds";
/// Rows that changed, or differed, and are to be compared again.
pub const CHANGES_UNPROVEN: &str = "passage_changes_unproven_rows";
/// Rows that differed though every change was applied, and were given to the target anew.
pub const CHANGES_REPAIRED: &str = "passage_changes_repaired_rows_total";
/// How much further back than what is applied the log goes.
pub const CHANGES_HEADROOM: &str = "passage_changes_headroom_seconds";
/// Bytes of the log that are kept on the agent's disk.
pub const LOG_SPOOL: &str = "passage_log_spool_bytes";
/// Memory of the library that reads a rocksmq.
pub const LOG_MEMTABLES: &str = "passage_log_memtables_bytes";
/// Changes applied: rows upserted, keys deleted, partitions created and dropped.
pub const WRITER_CHANGES: &str = "passage_writer_changes_total";
/// The time from a step's first part to its being durable.
pub const WRITER_STEP: &str = "passage_writer_step_seconds";
/// Rows compared.
pub const VERIFIER_ROWS: &str = "passage_verifier_rows_total";
/// Differences found.
pub const VERIFIER_DIFFERENCES: &str = "passage_verifier_differences_total";
/// Time of one call to Milvus.
pub const MILVUS_CALL: &str = "passage_milvus_call_seconds";
/// Calls to Milvus that failed.
pub const MILVUS_FAILURES: &str = "passage_milvus_failures_total";
/// Time of one durable write of the journal.
pub const JOURNAL_COMMIT: &str = "passage_journal_commit_seconds";
/// Steps that the journal wrote.
pub const JOURNAL_STEPS: &str = "passage_journal_steps_total";
/// Bytes of a budget in use.
pub const BUDGET_USED: &str = "passage_budget_used_bytes";
/// Jobs by phase.
pub const JOBS: &str = "passage_job_phase";
/// Memory in use.
pub const PROCESS_RESIDENT: &str = "passage_process_resident_bytes";
/// The most memory that was in use.
pub const PROCESS_RESIDENT_PEAK: &str = "passage_process_resident_peak_bytes";

/// Every metric.
pub const ALL: &[Metric] = &[
    counter(
        READER_ROWS,
        Unit::Count,
        "rows read from the source; by job",
    ),
    counter(
        READER_BYTES,
        Unit::Bytes,
        "bytes of values read from the source; by job",
    ),
    histogram(READER_PAGE, "time of one page of rows"),
    counter(
        CHANNEL_SENT,
        Unit::Bytes,
        "bytes sent to the peer, as on the wire",
    ),
    counter(
        CHANNEL_RAW,
        Unit::Bytes,
        "bytes of columns that were sent, before they were compressed where a sample said that it pays; by type and codec",
    ),
    counter(
        CHANNEL_ENCODED,
        Unit::Bytes,
        "the same columns as they were sent; by type and codec",
    ),
    counter(
        CHANNEL_RECEIVED,
        Unit::Bytes,
        "bytes received from the peer, as on the wire",
    ),
    gauge(CHANNEL_LINKS, Unit::Count, "links to peers that are up"),
    counter(
        CHANNEL_LINKED,
        Unit::Count,
        "links to peers that were made since the start",
    ),
    histogram(CHANNEL_CREDIT_WAIT, "time that a sender waited for credit"),
    gauge(
        CHANNEL_LIMIT,
        Unit::Bytes,
        "bytes a second of batches that this agent may send over the channel; infinite without a limit",
    ),
    counter(
        CHANNEL_REFUSED,
        Unit::Count,
        "peers and connections that were refused; by code",
    ),
    gauge(
        CHANNEL_CERTIFICATE,
        Unit::Seconds,
        "for how long a certificate is still valid; this agent's own, and that of the peer whose link is up",
    ),
    gauge(
        INBOX_HELD,
        Unit::Bytes,
        "bytes that the target has received and not yet written",
    ),
    counter(
        WRITER_ROWS,
        Unit::Count,
        "rows durable on the target; by job",
    ),
    counter(
        WRITER_BYTES,
        Unit::Bytes,
        "bytes of values durable on the target; by job",
    ),
    histogram(WRITER_WRITE, "time of one write to the target"),
    counter(
        WRITER_REAPPLIED,
        Unit::Count,
        "batches in doubt that were applied again; by job",
    ),
    gauge(
        CHANGES_LAG,
        Unit::Seconds,
        "how far the target is behind the source's changes; by job and collection",
    ),
    gauge(
        CHANGES_UNPROVEN,
        Unit::Count,
        "rows that changed or differed, and are to be compared again; by job and collection",
    ),
    counter(
        CHANGES_REPAIRED,
        Unit::Count,
        "rows that differed though every change was applied, and were given to the target anew",
    ),
    gauge(
        CHANGES_HEADROOM,
        Unit::Seconds,
        "how much further back than what is applied the log goes; by job and collection",
    ),
    gauge(
        LOG_SPOOL,
        Unit::Bytes,
        "messages of Milvus's log on the agent's disk, until every job has applied them",
    ),
    gauge(
        LOG_MEMTABLES,
        Unit::Bytes,
        "memory for what a rocksmq has not put into sorted files yet",
    ),
    counter(
        WRITER_CHANGES,
        Unit::Count,
        "changes of followed collections that were applied; by verb",
    ),
    histogram(WRITER_STEP, "time to apply one step of changes"),
    counter(VERIFIER_ROWS, Unit::Count, "rows compared; by job"),
    counter(
        VERIFIER_DIFFERENCES,
        Unit::Count,
        "differences found; by job",
    ),
    histogram(MILVUS_CALL, "time of one call to Milvus; by call"),
    counter(
        MILVUS_FAILURES,
        Unit::Count,
        "calls to Milvus that failed; by call and code",
    ),
    histogram(
        JOURNAL_COMMIT,
        "time of one durable write of the journal, of one or more steps",
    ),
    counter(
        JOURNAL_STEPS,
        Unit::Count,
        "steps that the journal was given",
    ),
    gauge(
        BUDGET_USED,
        Unit::Bytes,
        "bytes of a budget that are in use; by budget",
    ),
    gauge(JOBS, Unit::Count, "jobs in a phase; by phase"),
    gauge(
        PROCESS_RESIDENT,
        Unit::Bytes,
        "memory that the process uses",
    ),
    gauge(
        PROCESS_RESIDENT_PEAK,
        Unit::Bytes,
        "the most memory that the process has used",
    ),
];

const fn counter(name: &'static str, unit: Unit, about: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        unit,
        about,
    }
}

const fn gauge(name: &'static str, unit: Unit, about: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Gauge,
        unit,
        about,
    }
}

const fn histogram(name: &'static str, about: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        about,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_follows_the_rule_and_stands_once() {
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        for metric in ALL {
            let name = metric.name;
            assert!(
                name.starts_with("passage_")
                    && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                "{name}"
            );
            assert_eq!(
                name.ends_with("_total"),
                metric.kind == Kind::Counter,
                "{name}"
            );
            assert_eq!(
                name.ends_with("_seconds"),
                metric.unit == Unit::Seconds,
                "{name}"
            );
            assert_eq!(
                name.contains("_bytes"),
                metric.unit == Unit::Bytes,
                "{name}"
            );
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
