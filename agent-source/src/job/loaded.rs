//! Rows in files that queries do not answer yet. A server calls an import completed before it has loaded the segments that it made: 2.3.5 up
//! to 13 s before, for it looks for such segments every 10 s. What was inserted is answered all the time.

use super::StepError;
use super::collection::CollectionRun;
use crate::reader::rows::MilvusRows;
use milvus::{Client, Kind, MilvusError, Segment, SegmentState};
use model::{Fault, KeyRange};
use std::time::Duration;
use tokio::time::Instant;

/// How long a segment may take to be loaded. Nothing tells why one is not: its partition may be released.
const LIMIT: Duration = Duration::from_secs(30);

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The level of segments that hold nothing but deletes.
const DELETES: i32 = 1;

impl CollectionRun<'_> {
    /// Waits until queries answer the rows of every segment that is in files, or for the limit.
    ///
    /// # Errors
    /// Those of Milvus.
    pub(super) async fn wait_for_segments(&self) -> Result<(), StepError> {
        if self.is_asked_for_nothing() {
            return Ok(());
        }
        let source = &self.record.plan.source;
        let milvus = self.agent.milvus.in_database(&source.name.database);
        let name = &source.name.collection;
        let end = Instant::now() + LIMIT;
        while Instant::now() < end {
            if self.has_no_more_in_files(&milvus, name).await? {
                return Ok(());
            }
            match is_loaded(&milvus, name).await {
                Ok(false) => {}
                Ok(true) => return Ok(()),
                Err(error) if matches!(error.kind(), Kind::Unimplemented | Kind::Denied) => {
                    return Ok(());
                }
                Err(error) => return Err(Fault::from(error).into()),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        tracing::warn!(collection = %source.name, "segments are in files and not in memory; rows that were imported may be missed");
        Ok(())
    }

    /// Whether queries answer at least as many rows as all segments have: then none can be missing, and no more need be asked.
    async fn has_no_more_in_files(&self, milvus: &Client, name: &str) -> Result<bool, Fault> {
        let kept = milvus.count_flushed(name).await?;
        let rows =
            MilvusRows::new(self.agent, &self.record.plan.source, self.record.is_empty).await?;
        let answered = rows.count(None, &KeyRange::all()).await?;
        Ok(answered.is_some_and(|answered| answered >= kept))
    }
}

/// Whether all segments that are in files are in memory, too.
async fn is_loaded(milvus: &Client, name: &str) -> Result<bool, MilvusError> {
    let (kept, loaded) = tokio::try_join!(milvus.segments(name), milvus.loaded_segments(name))?;
    let has_rows = |segment: &&Segment| {
        segment.state == SegmentState::Flushed && segment.level != DELETES && segment.rows > 0
    };
    let mut kept = kept.iter().filter(has_rows);
    Ok(kept.all(|segment| loaded.contains(&segment.id)))
}
