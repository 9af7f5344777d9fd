//! Imports on the source while it is followed. The log tells nothing of their rows (a Milvus since 2.5 notes there that some came), so
//! every row is compared again once the source answers them, and those that the target lacks are given to it as repairs.
//!
//! A server calls an import completed some seconds before its queries answer the rows (2.3.5: 12 s), when it has loaded the segments.

use super::collection::CollectionRun;
use crate::agent::Agent;
use crate::following::Following;
use milvus::{Kind, MilvusError, Segment, SegmentState};
use model::CollectionName;
use std::convert::Infallible;
use std::time::Duration;

/// How often it is looked. Nothing tells of imports by itself.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The level of segments that hold nothing but deletes.
const DELETES: i32 = 1;

impl CollectionRun<'_> {
    /// Looks for imports for as long as it is polled, which is for ever.
    pub(super) async fn watch_imports(&self, following: &Following) -> Infallible {
        let source = &self.record.plan.source.name;
        // A segment is in memory a moment before queries answer its rows.
        let mut was_loaded = false;
        loop {
            let looked = async {
                look(self.agent, source, following).await?;
                let is_loaded =
                    following.awaits_imported() && is_loaded(self.agent, source).await?;
                if is_loaded && was_loaded {
                    following.settle_imported();
                }
                Ok::<_, MilvusError>(is_loaded)
            };
            match looked.await {
                Ok(is_loaded) => was_loaded = is_loaded,
                Err(error) => {
                    tracing::debug!(collection = %source, %error, "imports are not looked at");
                    was_loaded = false;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Looks for imports into a collection. Servers that don't tell of them, and such as this user may not ask, count as having none:
/// preflight has named that.
pub(super) async fn look(
    agent: &Agent,
    source: &CollectionName,
    following: &Following,
) -> Result<(), MilvusError> {
    let milvus = agent.milvus.in_database(&source.database);
    let told = match milvus.imports(&source.collection).await {
        Err(error) if is_untold(&error) => Vec::new(),
        told => told?,
    };
    if following.handle_imports(&told) {
        tracing::warn!(collection = %source, "rows were imported on the source: every row is compared again");
    }
    Ok(())
}

/// Whether nothing can be learnt of imports: the server does not know the question, or this user may not ask.
pub(super) fn is_untold(error: &MilvusError) -> bool {
    matches!(error.kind(), Kind::Unimplemented | Kind::Denied)
}

/// Whether all segments that are in files are in memory, too.
async fn is_loaded(agent: &Agent, source: &CollectionName) -> Result<bool, MilvusError> {
    let milvus = agent.milvus.in_database(&source.database);
    let name = &source.collection;
    let (kept, loaded) = tokio::try_join!(milvus.segments(name), milvus.loaded_segments(name))?;
    let has_rows = |segment: &&Segment| {
        segment.state == SegmentState::Flushed && segment.level != DELETES && segment.rows > 0
    };
    let mut kept = kept.iter().filter(has_rows);
    Ok(kept.all(|segment| loaded.contains(&segment.id)))
}
