//! The source's rows, through its agent.

use super::rows::SourceRows;
use channel::conversation::Caller;
use model::{
    BatchIndex, Class, CollectionIndex, Fault, JobName, Key, RowHash, Unit, UnitId, codes,
};
use protocol::call::{FieldHashes, UnitDigests};
use protocol::{Answer, Call};

/// How many keys are given back in one call.
const KEYS_AT_ONCE: usize = 1_000;

/// The agent beside the source, asked about one job.
#[derive(Debug)]
pub(super) struct SourceAgent<'a> {
    pub(super) caller: &'a Caller,
    pub(super) job: &'a JobName,
    /// Whether changes are applied while rows are compared.
    pub(super) is_followed: bool,
}

impl SourceAgent<'_> {
    async fn ask(&self, call: Call) -> Result<Answer, Fault> {
        let traceparent = runtime::telemetry::current_traceparent().unwrap_or_default();
        Ok(self.caller.call(&call, traceparent).await?)
    }

    /// A unit and the digests of its batches.
    pub(super) async fn digests(&self, unit: UnitId) -> Result<UnitDigests, Fault> {
        match self
            .ask(Call::DigestUnit {
                job: self.job.clone(),
                unit,
            })
            .await?
        {
            Answer::Digests(digests) => Ok(digests),
            _ => Err(unexpected()),
        }
    }

    /// How many rows a collection has.
    pub(super) async fn count(&self, index: CollectionIndex) -> Result<Option<u64>, Fault> {
        match self
            .ask(Call::CountRows {
                job: self.job.clone(),
                index,
            })
            .await?
        {
            Answer::Count(rows) => Ok(rows),
            _ => Err(unexpected()),
        }
    }
}

impl SourceRows for SourceAgent<'_> {
    fn is_followed(&self) -> bool {
        self.is_followed
    }

    async fn recheck(&self, unit: &Unit, keys: Vec<Key>) -> Result<(), Fault> {
        for keys in keys.chunks(KEYS_AT_ONCE) {
            self.ask(Call::RecheckKeys {
                job: self.job.clone(),
                index: unit.id.collection,
                keys: keys.to_vec(),
            })
            .await?;
        }
        Ok(())
    }

    async fn rows(&self, unit: &Unit, batch: BatchIndex) -> Result<Vec<(Key, RowHash)>, Fault> {
        let mut all: Vec<(Key, RowHash)> = Vec::new();
        loop {
            let after = all.last().map(|(key, _)| key.clone());
            match self
                .ask(Call::HashRows {
                    job: self.job.clone(),
                    unit: unit.id,
                    batch,
                    after,
                })
                .await?
            {
                Answer::RowHashes { rows, more } => {
                    let done = rows.is_empty() || !more;
                    all.extend(rows);
                    if done {
                        return Ok(all);
                    }
                }
                _ => return Err(unexpected()),
            }
        }
    }

    async fn fields(
        &self,
        unit: &Unit,
        batch: BatchIndex,
        keys: Vec<Key>,
    ) -> Result<Vec<(Key, FieldHashes)>, Fault> {
        match self
            .ask(Call::HashFields {
                job: self.job.clone(),
                unit: unit.id,
                batch,
                keys,
            })
            .await?
        {
            Answer::FieldHashes(rows) => Ok(rows),
            _ => Err(unexpected()),
        }
    }
}

fn unexpected() -> Fault {
    let hint = "install the same release of Passage on both sides";
    Fault::new(
        codes::PROTOCOL_VIOLATION,
        Class::Permanent,
        "the source gave the answer to another question",
        hint,
    )
}
