//! What a live job needs beyond a copying one.

use crate::agent::Agent;
use crate::records::JobRecord;
use model::job::{AutoId, Mode, Verify};
use model::{CollectionSpec, Finding, Severity, codes};

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
    if spec.verify == Verify::Counts {
        let text = "numbers of rows prove nothing while rows come and go: give `verify: content` or `verify: none`";
        findings.push(blocked(codes::VERIFY_BLOCKED, text));
    }
    findings
}
