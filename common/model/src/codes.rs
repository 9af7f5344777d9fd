//! The stable codes of faults and findings. A code, once released, keeps its meaning; API, CLI, logs and docs share them.

macro_rules! codes {
    ($($(#[$doc:meta])* $constant:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $constant: &str = $text;)*

        /// Every code, for the documentation's own check.
        pub const ALL: &[&str] = &[$($text),*];
    };
}

codes! {
    /// The configuration or a job file is not valid.
    CONFIG_INVALID = "config_invalid";
    /// A certificate, key or CA file can't be read or does not fit.
    CERTIFICATE_INVALID = "certificate_invalid";
    /// A certificate has expired or is not valid yet.
    CERTIFICATE_EXPIRED = "certificate_expired";
    /// A certificate was revoked.
    CERTIFICATE_REVOKED = "certificate_revoked";
    /// The peer's certificate is valid, but its name is not on the list.
    PEER_NOT_ALLOWED = "peer_not_allowed";
    /// The peer did not show a certificate that our CA signed, or spoke no TLS 1.3.
    PEER_UNTRUSTED = "peer_untrusted";
    /// The peer can't be reached.
    PEER_UNREACHABLE = "peer_unreachable";
    /// The HTTP proxy before the peer can't be reached, gives no answer, or is none.
    PROXY_UNREACHABLE = "proxy_unreachable";
    /// The HTTP proxy does not open the way to the peer.
    PROXY_REFUSED = "proxy_refused";
    /// The peer speaks another major version of the protocol.
    PROTOCOL_VERSION = "protocol_version";
    /// Both agents have the same role.
    PROTOCOL_ROLE = "protocol_role";
    /// The peer broke the protocol: a malformed, oversized or unexpected frame.
    PROTOCOL_VIOLATION = "protocol_violation";
    /// Another agent has claimed the job under a higher epoch.
    EPOCH_SUPERSEDED = "epoch_superseded";
    /// Milvus can't be reached.
    MILVUS_UNREACHABLE = "milvus_unreachable";
    /// Milvus refused the user and password or the token.
    MILVUS_UNAUTHENTICATED = "milvus_unauthenticated";
    /// Milvus's user lacks a right.
    MILVUS_DENIED = "milvus_denied";
    /// Milvus asks to slow down.
    MILVUS_RATE_LIMIT = "milvus_rate_limit";
    /// Milvus refuses writes until there is room.
    MILVUS_QUOTA = "milvus_quota";
    /// A call to Milvus took longer than its limit.
    MILVUS_TIMEOUT = "milvus_timeout";
    /// Milvus does not know this call: its version is too low.
    MILVUS_UNIMPLEMENTED = "milvus_unimplemented";
    /// A message is larger than Milvus takes or gives.
    MILVUS_TOO_LARGE = "milvus_too_large";
    /// Milvus refused a request for another cause, given in its words.
    MILVUS_REFUSED = "milvus_refused";
    /// Milvus answered what Passage can't understand.
    MILVUS_ANSWER = "milvus_answer";
    /// No such database.
    DATABASE_NOT_FOUND = "database_not_found";
    /// No such collection.
    COLLECTION_NOT_FOUND = "collection_not_found";
    /// The collection is not loaded, so that its rows can't be read.
    COLLECTION_NOT_LOADED = "collection_not_loaded";
    /// Milvus lists a partition, and finds it in no read and no write.
    PARTITION_UNSEEN = "partition_unseen";
    /// The source's Milvus can't be had to deny writes.
    FENCE_UNAVAILABLE = "fence_unavailable";
    /// A collection changed its identity while its job ran.
    COLLECTION_REPLACED = "collection_replaced";
    /// A pattern of the job matches no collection.
    SELECTION_EMPTY = "selection_empty";
    /// The agent's scope does not allow a collection.
    SCOPE_DENIED = "scope_denied";
    /// The target has a collection or alias of this name already.
    NAME_TAKEN = "name_taken";
    /// Two collections of the job would get the same name.
    NAME_CLASH = "name_clash";
    /// The target can't hold a type or attribute of the collection.
    TYPE_UNSUPPORTED = "type_unsupported";
    /// One row is larger than a message may be.
    ROW_TOO_LARGE = "row_too_large";
    /// The source holds several rows of one primary key.
    DUPLICATE_KEYS = "duplicate_keys";
    /// Automatic primary keys are kept on a target that makes its own: the target's schema has autoID off.
    AUTO_ID_OFF = "auto_id_off";
    /// Primary keys are made anew on the target.
    AUTO_ID_REGENERATED = "auto_id_regenerated";
    /// An index is created in another form.
    INDEX_MAPPED = "index_mapped";
    /// A property is not carried.
    PROPERTY_DROPPED = "property_dropped";
    /// An attribute is carried in another form.
    ATTRIBUTE_CHANGED = "attribute_changed";
    /// There is already a job of this name.
    JOB_EXISTS = "job_exists";
    /// No such job.
    JOB_NOT_FOUND = "job_not_found";
    /// The job's phase does not allow what was asked.
    JOB_PHASE = "job_phase";
    /// Two agents disagree on what the job is.
    JOB_DIFFERS = "job_differs";
    /// The same was asked for again before it was done.
    CALL_SUPERSEDED = "call_superseded";
    /// An operator cancelled the job.
    JOB_CANCELLED = "job_cancelled";
    /// An operator paused the job.
    JOB_PAUSED = "job_paused";
    /// The agent can't be reached by its operator's command.
    AGENT_UNREACHABLE = "agent_unreachable";
    /// The agent can't serve its admin API where it should.
    ADMIN_UNAVAILABLE = "admin_unavailable";
    /// The journal is damaged.
    JOURNAL_CORRUPT = "journal_corrupt";
    /// Another process has the journal open.
    JOURNAL_LOCKED = "journal_locked";
    /// The journal can't be written or read.
    JOURNAL_IO = "journal_io";
    /// The disk under the journal is full.
    DISK_FULL = "disk_full";
    /// The verification found rows or definitions that differ.
    VERIFY_MISMATCH = "verify_mismatch";
    /// The verification can't run.
    VERIFY_BLOCKED = "verify_blocked";
    /// The job follows Milvus's log, and the source's agent has none configured, or not the right one.
    LOG_MISSING = "log_missing";
    /// Milvus's log can't be read.
    LOG_UNREACHABLE = "log_unreachable";
    /// The log lacks the topic of a collection's channel.
    LOG_TOPIC_MISSING = "log_topic_missing";
    /// Changes that were not read yet are no longer in the log.
    LOG_TRUNCATED = "log_truncated";
    /// The log may not be kept for as long as the copy takes.
    LOG_SHORT = "log_short";
    /// A message of the log can't be understood.
    LOG_MALFORMED = "log_malformed";
    /// The messages of the log that are kept on the agent's machine have used up the disk that they may take.
    SPOOL_FULL = "spool_full";
    /// The folder for messages of the log on the agent's machine can't be used.
    SPOOL_UNUSABLE = "spool_unusable";
    /// A file of Milvus's, or the bucket or folder that it should be in, is not there.
    STORAGE_MISSING = "storage_missing";
    /// The storage of Milvus's files refuses the agent.
    STORAGE_DENIED = "storage_denied";
    /// The storage of Milvus's files can't be reached, or fails.
    STORAGE_UNREACHABLE = "storage_unreachable";
    /// The storage of Milvus's files can't be used as it is configured.
    STORAGE_UNUSABLE = "storage_unusable";
    /// The storage has no room for a file.
    STORAGE_FULL = "storage_full";
    /// A file of a segment can't be understood.
    SEGMENT_MALFORMED = "segment_malformed";
    /// A collection's rows are read from the files of its segments.
    COPY_BY_SEGMENTS = "copy_by_segments";
    /// The files of a collection's segments are shipped, and the target imports them.
    COPY_BY_IMPORT = "copy_by_import";
    /// The target could not import files.
    IMPORT_FAILED = "import_failed";
    /// The target imported other files, or another number of rows, than were shipped.
    IMPORT_INCOMPLETE = "import_incomplete";
    /// Whether an import was ordered can't be told any more.
    IMPORT_UNKNOWN = "import_unknown";
    /// The clock of the target's Milvus is behind the times of rows that are to be imported.
    CLOCK_BEHIND = "clock_behind";
    /// The segments of a collection can't be read as its rows.
    SEGMENTS_UNREADABLE = "segments_unreadable";
    /// A collection is no longer on the source, and the job does not drop it on the target.
    COLLECTION_DROPPED = "collection_dropped";
    /// A collection got another name on the source while its changes were followed.
    COLLECTION_RENAMED = "collection_renamed";
    /// A job was asked to cut over before it may.
    CUTOVER_NOT_READY = "cutover_not_ready";
    /// A cutover took longer than it may; the job goes on syncing.
    CUTOVER_TIMEOUT = "cutover_timeout";
    /// The source was written to after its writes were said to have stopped; the job goes on syncing.
    CUTOVER_NOT_FENCED = "cutover_not_fenced";
    /// Passage itself is wrong.
    BUG = "bug";
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_code_stands_twice() {
        let unique: std::collections::BTreeSet<_> = super::ALL.iter().collect();
        assert_eq!(unique.len(), super::ALL.len());
    }
}
