//! What the source says of its rows when the target compares: it reads them again, and tells their hashes.

use crate::agent::Agent;
use crate::reader::RowReader;
use crate::reader::rows::{MilvusRows, malformed};
use crate::records::CollectionRecord;
use milvus::proof;
use model::job::AutoId;
use model::report::CollectionReport;
use model::{
    Batch, BatchIndex, Class, CollectionIndex, Digest, Fault, JobName, Key, KeyRange, RowHash,
    Unit, UnitId, codes,
};
use protocol::Answer;
use protocol::call::UnitDigests;
use std::collections::BTreeSet;

/// How many bytes of keys and hashes one answer may have; well below what a message holds, for JSON makes them longer.
const ANSWER_BYTES: usize = 512 << 10;

/// How many rows a collection has, if the server can count.
pub(crate) async fn count_rows(
    agent: &Agent,
    job: &JobName,
    index: CollectionIndex,
) -> Result<Answer, Fault> {
    if let Some(proof) = agent.proofs.find(job, index) {
        return Ok(Answer::Count(Some(proof.rows())));
    }
    let read = open(agent, job, index).await?;
    read.rows
        .count(None, &KeyRange::all())
        .await
        .map(Answer::Count)
}

/// The digest of each batch of a unit.
pub(crate) async fn digest_unit(agent: &Agent, job: &JobName, id: UnitId) -> Result<Answer, Fault> {
    if let Some(proof) = agent.proofs.find(job, id.collection) {
        let digests = proof.digests(id.number).ok_or_else(|| unknown(job, id));
        return digests.map(Answer::Digests);
    }
    let unit = known_unit(agent, job, id)?;
    let read = open(agent, job, id.collection).await?;
    let mut batches = Vec::new();
    for index in unit.indexes() {
        let mut digest = Digest::default();
        for (_, hash) in read.hashes(&unit, index).await? {
            digest.add(&hash);
        }
        batches.push(digest);
    }
    let answered: u64 = batches.iter().map(Digest::rows).sum();
    // While rows come and go, their number says nothing of those that were answered.
    let is_followed = agent.followings.find(job, id.collection).is_some();
    let counted = if is_followed {
        None
    } else {
        let partition = unit.partition.as_deref();
        read.rows.count(partition, &unit.range()).await?
    };
    let surplus = counted.map_or(0, |counted| counted.saturating_sub(answered));
    let named = match surplus {
        0 => vec![],
        _ => read.duplicate_keys(&unit).await?,
    };
    let explained: u64 = named.iter().map(|(_, rows)| rows - 1).sum();
    // Beyond the keys that are named, all surplus rows count as duplicates.
    let is_all_named = named.len() < CollectionReport::MAX_DUPLICATES;
    let duplicates = if is_all_named { explained } else { surplus };
    Ok(Answer::Digests(UnitDigests {
        unit,
        batches,
        duplicates,
        duplicate_keys: named.into_iter().map(|(key, _)| key).collect(),
        unreadable: surplus.saturating_sub(duplicates),
    }))
}

/// The hash of each row of a batch behind `after`, as many as one answer holds.
pub(crate) async fn hash_rows(
    agent: &Agent,
    job: &JobName,
    id: UnitId,
    batch: BatchIndex,
    after: Option<Key>,
) -> Result<Answer, Fault> {
    let mut all = match agent.proofs.find(job, id.collection) {
        Some(proof) => proof.row_hashes(agent, id.number, batch).await?,
        None => {
            let unit = known_unit(agent, job, id)?;
            let read = open(agent, job, id.collection).await?;
            read.hashes(&unit, batch).await?
        }
    };
    all.sort();
    let behind = all
        .into_iter()
        .filter(|(key, _)| after.as_ref().is_none_or(|after| key > after));
    let (mut rows, mut bytes, mut more) = (Vec::new(), 0, false);
    for (key, hash) in behind {
        bytes += key.size_bytes() + 100;
        if bytes > ANSWER_BYTES && !rows.is_empty() {
            more = true;
            break;
        }
        rows.push((key, hash));
    }
    Ok(Answer::RowHashes { rows, more })
}

/// The hash of each field of some rows of a batch.
pub(crate) async fn hash_fields(
    agent: &Agent,
    job: &JobName,
    id: UnitId,
    batch: BatchIndex,
    keys: Vec<Key>,
) -> Result<Answer, Fault> {
    let wanted: BTreeSet<Key> = keys.into_iter().collect();
    if let Some(proof) = agent.proofs.find(job, id.collection) {
        let fields = proof.field_hashes(agent, id.number, &wanted).await?;
        return Ok(Answer::FieldHashes(fields));
    }
    let unit = known_unit(agent, job, id)?;
    let read = open(agent, job, id.collection).await?;
    let mut rows = Vec::new();
    let _held = agent.hold_batch().await;
    for part in read.parts(&unit, batch).await? {
        rows.extend(
            proof::field_hashes(&part, &read.primary, &wanted)
                .map_err(|error| malformed(&error))?,
        );
    }
    Ok(Answer::FieldHashes(rows))
}

/// A collection, open to be read.
struct Reading<'a> {
    agent: &'a Agent,
    rows: MilvusRows<'a>,
    primary: String,
    is_key_hashed: bool,
}

async fn open<'a>(
    agent: &'a Agent,
    job: &JobName,
    index: CollectionIndex,
) -> Result<Reading<'a>, Fault> {
    let spec = agent.job(job)?.spec;
    let record: CollectionRecord = agent.collection(job, index)?;
    let source = &record.plan.source;
    let is_key_hashed = !(spec.auto_id == AutoId::Regenerate && source.schema.has_auto_id());
    let primary = source
        .schema
        .primary()
        .map(|field| field.name.clone())
        .unwrap_or_default();
    let is_followed = agent.followings.find(job, index).is_some();
    let rows = MilvusRows::new(agent, source, record.is_empty)
        .await?
        .live(is_followed);
    Ok(Reading {
        agent,
        rows,
        primary,
        is_key_hashed,
    })
}

fn known_unit(agent: &Agent, job: &JobName, id: UnitId) -> Result<Unit, Fault> {
    agent.unit(job, id)?.ok_or_else(|| unknown(job, id))
}

fn unknown(job: &JobName, id: UnitId) -> Fault {
    let message = format!("job {job}: the source's journal does not know unit {id}");
    let hint = "the state directory of one agent was lost or exchanged: create a new job";
    Fault::new(codes::JOB_DIFFERS, Class::Permanent, message, hint)
}

impl Reading<'_> {
    async fn parts(&self, unit: &Unit, batch: BatchIndex) -> Result<Vec<Batch>, Fault> {
        match unit.range_of(batch) {
            Some(range) => self.rows.read(unit.partition.as_deref(), &range).await,
            None => Ok(vec![]),
        }
    }

    async fn hashes(&self, unit: &Unit, batch: BatchIndex) -> Result<Vec<(Key, RowHash)>, Fault> {
        let mut rows = Vec::new();
        let _held = self.agent.hold_batch().await;
        for part in self.parts(unit, batch).await? {
            rows.extend(
                proof::row_hashes(&part, &self.primary, self.is_key_hashed)
                    .map_err(|error| malformed(&error))?,
            );
        }
        Ok(rows)
    }

    /// The first keys that several rows have, each with the number of its rows. Batch by batch: the keys of a whole unit may be
    /// more than memory is for.
    async fn duplicate_keys(&self, unit: &Unit) -> Result<Vec<(Key, u64)>, Fault> {
        let count = |range| async move {
            let rows = self.rows.count(unit.partition.as_deref(), &range).await?;
            Ok::<_, Fault>(rows.unwrap_or_default())
        };
        let mut named = Vec::new();
        for index in unit.indexes() {
            let most = CollectionReport::MAX_DUPLICATES - named.len();
            let Some(range) = unit.range_of(index).filter(|_| most > 0) else {
                break;
            };
            let rows = self.hashes(unit, index).await?;
            if count(range.clone()).await? > rows.len() as u64 {
                let keys = rows.into_iter().map(|(key, _)| key).collect();
                named.extend(proof::duplicate_keys(range, keys, most, count).await?);
            }
        }
        Ok(named)
    }
}
