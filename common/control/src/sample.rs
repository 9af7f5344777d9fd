//! Statuses and reports with fixed content, for tests.

use model::report::CollectionReport;
use model::{
    Class, CollectionPhase, CollectionStatus, Difference, DifferenceKind, Fault, Finding, JobSpec,
    JobStatus, Key, Phase, Selection, Severity, Verification, VerifyReport, codes,
};

pub(crate) fn spec(name: &str) -> JobSpec {
    JobSpec {
        name: name.parse().unwrap(),
        selection: Selection {
            include: vec!["sales.*".into(), "docs".into()],
            exclude: vec!["sales.tmp_*".into()],
            rename: vec![model::selection::Rename {
                from: "sales.*".into(),
                to: "acme.*".into(),
            }],
        },
        mode: model::job::Mode::Live,
        on_conflict: model::job::OnConflict::Append,
        auto_id: model::job::AutoId::Regenerate,
        indexes: model::job::Indexes::Auto,
        load: model::job::Load::No,
        verify: model::job::Verify::Counts,
        copy: model::job::CopyBy::Segments,
        unloaded: model::job::Unloaded::Load,
        cutover: model::job::Cutover {
            max_lag_ms: 250,
            timeout_ms: 5_000,
            fence: model::job::Fence::DenyWrites,
        },
        dry_run: true,
    }
}

pub(crate) fn collection(name: &str, phase: CollectionPhase) -> CollectionStatus {
    CollectionStatus {
        source: name.into(),
        target: name.into(),
        phase,
        rows_copied: 1_500,
        rows_total: Some(6_000),
        bytes_copied: 3 << 20,
        rows_verified: 0,
        verification: Verification::NotRun,
        changes: None,
    }
}

/// A job of two collections, the first renamed.
pub(crate) fn status(phase: Phase) -> JobStatus {
    let of_collections = match phase {
        Phase::Pending | Phase::Preparing => CollectionPhase::Waiting,
        Phase::Copying => CollectionPhase::Copying,
        Phase::Finishing => CollectionPhase::Finishing,
        Phase::CatchingUp | Phase::Syncing | Phase::CuttingOver => CollectionPhase::Following,
        Phase::Verifying => CollectionPhase::Verifying,
        Phase::Completed | Phase::Failed | Phase::Cancelled => CollectionPhase::Done,
    };
    let mut orders = collection("sales.orders", of_collections);
    orders.target = "acme.orders".into();
    JobStatus {
        spec: JobSpec {
            dry_run: false,
            ..spec("sales")
        },
        phase,
        cause: None,
        created_ms: 1_795_167_000_000,
        ended_ms: phase.is_terminal().then_some(1_795_167_192_000),
        findings: vec![],
        collections: vec![orders, collection("docs", of_collections)],
        report: None,
    }
}

pub(crate) fn finding(severity: Severity) -> Finding {
    Finding::new(
        severity,
        codes::INDEX_MAPPED,
        "docs.embedding",
        "IVF_PQ becomes AUTOINDEX",
    )
}

pub(crate) fn fault() -> Fault {
    Fault::new(
        codes::PEER_UNREACHABLE,
        Class::Transient,
        "globex.example:7443 refused the connection",
        "start agent-target, and open its port",
    )
}

/// A report of which one collection is clean and another has every form of difference.
pub(crate) fn report() -> VerifyReport {
    let difference = |kind, key: Option<Key>, field: Option<&str>, detail: &str| Difference {
        kind,
        partition: key.as_ref().map(|_| "2025".to_owned()),
        key,
        field: field.map(str::to_owned),
        detail: detail.to_owned(),
    };
    let clean = CollectionReport {
        source: "docs".into(),
        target: "docs".into(),
        outcome: Verification::Clean,
        rows: 6_000,
        ranges: 2,
        source_duplicates: 0,
        source_duplicate_keys: vec![],
        differences: vec![],
        differences_total: 0,
    };
    let differing = CollectionReport {
        source: "sales.orders".into(),
        target: "acme.orders".into(),
        outcome: Verification::Mismatched { differences: 1_200 },
        source_duplicates: 3,
        source_duplicate_keys: vec![model::Key::Int64(7)],
        differences: vec![
            difference(DifferenceKind::MissingRow, Some(Key::Int64(7)), None, ""),
            difference(
                DifferenceKind::Value,
                Some(Key::VarChar("a\n\u{1b}b".into())),
                Some("embedding"),
                "bits differ",
            ),
            difference(
                DifferenceKind::Alias,
                None,
                Some("current"),
                "missing on the target",
            ),
        ],
        differences_total: 1_200,
        ..clean.clone()
    };
    VerifyReport {
        collections: vec![clean, differing],
    }
}
