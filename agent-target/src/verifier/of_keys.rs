//! Compares the rows of given keys: those that changed, or that differed while changes were applied.

use super::milvus_rows::{MilvusTarget, Opened};
use super::rows::TargetRows;
use crate::answers::Session;
use model::{
    Class, CollectionIndex, Difference, DifferenceKind, Fault, JobName, Key, KeyRange, RowHash,
    codes,
};
use protocol::call::FieldHashes;
use std::collections::BTreeMap;

/// Those of the rows that are not the same here.
pub(crate) async fn compare(
    session: &Session,
    job: &JobName,
    index: CollectionIndex,
    partition: Option<&str>,
    theirs: &[(Key, Option<RowHash>)],
) -> Result<Vec<Key>, Fault> {
    let target = open(session, job, index).await?;
    let keys: Vec<Key> = theirs.iter().map(|(key, _)| key.clone()).collect();
    let ours: BTreeMap<Key, RowHash> = target
        .rows_of(partition, &keys)
        .await?
        .into_iter()
        .collect();
    let differs = |(key, hash): &&(Key, Option<RowHash>)| ours.get(key) != hash.as_ref();
    let differing = theirs.iter().filter(differs);
    Ok(differing.map(|(key, _)| key.clone()).collect())
}

/// How the rows differ, field by field.
pub(crate) async fn explain(
    session: &Session,
    job: &JobName,
    index: CollectionIndex,
    partition: Option<&str>,
    theirs: Vec<(Key, Option<FieldHashes>)>,
) -> Result<Vec<Difference>, Fault> {
    let target = open(session, job, index).await?;
    let keys: Vec<Key> = theirs.iter().map(|(key, _)| key.clone()).collect();
    let ours: BTreeMap<Key, FieldHashes> = target
        .fields_of(partition, &keys)
        .await?
        .into_iter()
        .collect();
    let mut found = Vec::new();
    let row = |kind, key, field, detail| row(partition, kind, key, field, detail);
    for (key, theirs) in theirs {
        match (theirs, ours.get(&key)) {
            (None, None) => {}
            (Some(_), None) => found.push(row(
                DifferenceKind::MissingRow,
                key,
                None,
                "missing on the target",
            )),
            (None, Some(_)) => found.push(row(
                DifferenceKind::ExtraRow,
                key,
                None,
                "on the target only",
            )),
            (Some(theirs), Some(ours)) => {
                let differing = theirs
                    .into_iter()
                    .filter(|field| !ours.contains(field))
                    .map(|(field, _)| field);
                found.extend(differing.map(|field| {
                    let detail = "the value differs";
                    row(DifferenceKind::Value, key.clone(), Some(field), detail)
                }));
            }
        }
    }
    Ok(found)
}

/// How many rows there are, several of one key counted each; `None` where the server can't count.
pub(crate) async fn count(
    session: &Session,
    job: &JobName,
    index: CollectionIndex,
) -> Result<Option<u64>, Fault> {
    let target = open(session, job, index).await?;
    target.count(None, &KeyRange::all()).await
}

fn row(
    partition: Option<&str>,
    kind: DifferenceKind,
    key: Key,
    field: Option<String>,
    detail: &str,
) -> Difference {
    Difference {
        kind,
        partition: partition.map(str::to_owned),
        key: Some(key),
        field,
        detail: detail.to_owned(),
    }
}

async fn open(
    session: &Session,
    job: &JobName,
    index: CollectionIndex,
) -> Result<Box<MilvusTarget>, Fault> {
    let spec = session.agent.job_spec(job)?;
    let mut record = session.agent.begun_collection(job, index)?;
    let plan = record.plan.clone();
    match MilvusTarget::open(session, &spec, &mut record, &plan).await? {
        Opened::Ready(mut target) => {
            if let Some(seen) = session.agent.followings.seen(job, index) {
                target.see(seen);
            }
            Ok(target)
        }
        Opened::Unreadable { reason } => Err(unreadable(&reason)),
        Opened::Missing => Err(unreadable(&format!(
            "collection {} is gone from the target",
            plan.target
        ))),
    }
}

fn unreadable(reason: &str) -> Fault {
    Fault::new(
        codes::VERIFY_BLOCKED,
        Class::Operator,
        reason,
        "the job goes on when the collection can be read",
    )
}
