//! Flushing, building indexes, loading: what the server does in the background, and how to wait for it.
//!
//! Every wait looks again and again, a little later each time, and ends after the limit that the caller sets. Dropping the future
//! ends the waiting, not what is waited for.

use crate::call::{Call, Kind as CallKind};
use crate::error::Kind;
use crate::{Client, MilvusError};
use proto::milvus::service as wire;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// How far something in the background has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is done: rows of an index, per cent of a load, segments of a flush.
    pub done: u64,
    /// What there is to do.
    pub total: u64,
}

/// A flush that was ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flush {
    segments: Vec<i64>,
    timestamp: u64,
}

impl Client {
    /// Orders what was written so far to be made durable in segments. Servers since 2.3.9 take one such order in 10 s for each
    /// collection and refuse others with [`Kind::RateLimit`].
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn flush(&self, collection: &str) -> Result<Flush, MilvusError> {
        let call = Call::new("Flush", collection, CallKind::Define);
        let message = wire::FlushRequest {
            db_name: self.db_name(),
            collection_names: vec![collection.to_owned()],
        };
        let mut answer = self
            .call(
                call,
                message,
                |mut stub, q| async move { stub.flush(q).await },
            )
            .await?;
        let segments = answer
            .coll_seg_ids
            .remove(collection)
            .unwrap_or_default()
            .data;
        let timestamp = answer.coll_flush_ts.remove(collection).unwrap_or(0);
        Ok(Flush {
            segments,
            timestamp,
        })
    }

    /// Waits until a flush is complete. Where the server can't be asked (Zilliz Cloud), it counts as complete at once.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked; of kind [`Kind::Timeout`] after the limit.
    pub async fn wait_for_flush(
        &self,
        collection: &str,
        flush: &Flush,
        limit: Duration,
    ) -> Result<(), MilvusError> {
        if !self.capabilities().flush_state {
            return Ok(());
        }
        let call = Call::new("GetFlushState", collection, CallKind::Describe);
        let mut pace = Pace::new(call, limit);
        loop {
            let message = wire::GetFlushStateRequest {
                segment_ids: flush.segments.clone(),
                flush_ts: flush.timestamp,
                db_name: self.db_name(),
                collection_name: collection.to_owned(),
            };
            let answer = self.call(call, message, |mut stub, q| async move {
                stub.get_flush_state(q).await
            });
            match answer.await {
                Ok(answer) if answer.flushed => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == Kind::Unimplemented => return Ok(()),
                Err(error) => return Err(error),
            }
            pace.pause().await?;
        }
    }

    /// Waits until every index of a collection is built, and tells each time how many rows are.
    ///
    /// # Errors
    /// [`MilvusError`]; of kind [`Kind::Refused`] when a build failed, with the server's cause; [`Kind::Timeout`] after the limit.
    pub async fn wait_for_indexes(
        &self,
        collection: &str,
        limit: Duration,
        mut progress: impl FnMut(Progress),
    ) -> Result<(), MilvusError> {
        let call = Call::new("DescribeIndex", collection, CallKind::Describe);
        let mut pace = Pace::new(call, limit);
        loop {
            let indexes = self.describe_indexes(collection).await?;
            if let Some(failed) = indexes.iter().find(|index| index.state == INDEX_FAILED) {
                let text = format!(
                    "index {:?} failed: {}",
                    failed.index_name, failed.index_state_fail_reason
                );
                return Err(MilvusError::new(call, Kind::Refused, text));
            }
            progress(built(&indexes));
            if indexes.iter().all(is_built) {
                return Ok(());
            }
            pace.pause().await?;
        }
    }

    /// Orders a collection to be loaded, so many times; 0 leaves the number to the server.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked; of kind [`Kind::IndexNotFound`] when a vector field has no index.
    pub async fn load(&self, collection: &str, replicas: u32) -> Result<(), MilvusError> {
        let message = wire::LoadCollectionRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
            replica_number: i32::try_from(replicas.max(1)).unwrap_or(i32::MAX),
        };
        let call = Call::new("LoadCollection", collection, CallKind::Define);
        self.define(call, message, |mut stub, q| async move {
            stub.load_collection(q).await
        })
        .await
    }

    /// Waits until a collection is loaded, and tells each time how many per cent are.
    ///
    /// # Errors
    /// [`MilvusError`]; of kind [`Kind::NotLoaded`] when the load was given up; [`Kind::Timeout`] after the limit.
    pub async fn wait_for_load(
        &self,
        collection: &str,
        limit: Duration,
        mut progress: impl FnMut(Progress),
    ) -> Result<(), MilvusError> {
        let call = Call::new("GetLoadingProgress", collection, CallKind::Describe);
        let mut pace = Pace::new(call, limit);
        loop {
            let message = wire::GetLoadingProgressRequest {
                collection_name: collection.to_owned(),
                db_name: self.db_name(),
            };
            let answer = self
                .call(call, message, |mut stub, q| async move {
                    stub.get_loading_progress(q).await
                })
                .await?;
            let done = u64::try_from(answer.progress).unwrap_or(0).min(100);
            progress(Progress { done, total: 100 });
            if done == 100 {
                return Ok(());
            }
            pace.pause().await?;
        }
    }

    /// Takes a collection out of memory.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn release(&self, collection: &str) -> Result<(), MilvusError> {
        let (db_name, collection_name) = (self.db_name(), collection.to_owned());
        let message = wire::ReleaseCollectionRequest {
            db_name,
            collection_name,
        };
        let call = Call::new("ReleaseCollection", collection, CallKind::Define);
        self.define(call, message, |mut stub, q| async move {
            stub.release_collection(q).await
        })
        .await
    }

    /// Takes partitions out of memory, as they must be before they are dropped; nothing where there are none. A 2.3.5 takes a second for
    /// those that have segments in files, however many they are, and one such call of a collection waits for the other.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses, as it does if one of them is not there, or can't be asked.
    pub(crate) async fn release_partitions(
        &self,
        collection: &str,
        partitions: &BTreeSet<String>,
    ) -> Result<(), MilvusError> {
        if partitions.is_empty() {
            return Ok(());
        }
        let message = wire::ReleasePartitionsRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
            partition_names: partitions.iter().cloned().collect(),
        };
        let call = Call::new("ReleasePartitions", collection, CallKind::Define);
        self.define(call, message, |mut stub, q| async move {
            stub.release_partitions(q).await
        })
        .await
    }
}

// Numbers of `common.IndexState`.
const INDEX_FINISHED: i32 = 3;
const INDEX_FAILED: i32 = 4;

/// Built, and no rows are waiting: rows that were written after the order are indexed later.
fn is_built(index: &wire::IndexDescription) -> bool {
    index.state == INDEX_FINISHED && index.pending_index_rows == 0
}

fn built(indexes: &[wire::IndexDescription]) -> Progress {
    let sum = |rows: fn(&wire::IndexDescription) -> i64| {
        indexes
            .iter()
            .map(|index| u64::try_from(rows(index)).unwrap_or(0))
            .sum()
    };
    Progress {
        done: sum(|index| index.indexed_rows),
        total: sum(|index| index.total_rows),
    }
}

/// The pauses of one wait.
struct Pace<'a> {
    call: Call<'a>,
    end: Instant,
    next: Duration,
    limit: Duration,
}

impl<'a> Pace<'a> {
    fn new(call: Call<'a>, limit: Duration) -> Self {
        Self {
            call,
            end: Instant::now() + limit,
            next: FIRST_PAUSE,
            limit,
        }
    }

    async fn pause(&mut self) -> Result<(), MilvusError> {
        if Instant::now() >= self.end {
            return Err(crate::error::classify::timeout(self.call, self.limit));
        }
        tokio::time::sleep(self.next).await;
        self.next = self.next.mul_f64(1.5).min(LONGEST_PAUSE);
        Ok(())
    }
}
