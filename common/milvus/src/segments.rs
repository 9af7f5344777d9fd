//! Which segments a collection has.

mod files;

pub use files::SegmentFiles;

use crate::call::{Call, Kind as CallKind};
use crate::{Client, MilvusError};
use proto::milvus::service as wire;
use std::collections::BTreeSet;

/// A segment that the server keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Its id.
    pub id: i64,
    /// The id of its partition; -1 for one of deletes in all of them (since 2.4).
    pub partition: i64,
    /// The rows that were written to it, deleted ones too.
    pub rows: u64,
    /// How far it is.
    pub state: SegmentState,
    /// What it holds: 1 nothing but deletes (since 2.4), others rows.
    pub level: i32,
    /// The form of its files: 0 and 1 a file for each field, 2 groups of fields (since 2.6), 3 what a manifest says (3.0).
    pub storage_version: i64,
}

/// How far a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentState {
    /// Rows are still written to it; they are in the log only.
    Growing,
    /// No more rows are written to it.
    Sealed,
    /// It is being written to files.
    Flushing,
    /// It is in files.
    Flushed,
    /// Others have taken its place.
    Dropped,
    /// An import makes it.
    Importing,
    /// A state that this build does not know, by its number.
    Other(i32),
}

impl From<i32> for SegmentState {
    /// By the numbers of `common.SegmentState`.
    fn from(number: i32) -> Self {
        match number {
            2 => Self::Growing,
            3 => Self::Sealed,
            4 => Self::Flushed,
            5 => Self::Flushing,
            6 => Self::Dropped,
            7 => Self::Importing,
            other => Self::Other(other),
        }
    }
}

impl Client {
    /// The segments of a collection, by their ids. Servers leave out those that grow or that others have taken the place of.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn segments(&self, collection: &str) -> Result<Vec<Segment>, MilvusError> {
        let message = wire::GetPersistentSegmentInfoRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
        };
        let call = Call::new("GetPersistentSegmentInfo", collection, CallKind::Describe);
        let answer = self.call(call, message, |mut stub, q| async move {
            stub.get_persistent_segment_info(q).await
        });
        let mut segments: Vec<Segment> = answer.await?.infos.into_iter().map(segment).collect();
        segments.sort_unstable_by_key(|segment| segment.id);
        Ok(segments)
    }

    /// The ids of the segments of a collection that are in memory, of which queries tell the rows.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn loaded_segments(&self, collection: &str) -> Result<BTreeSet<i64>, MilvusError> {
        let message = wire::GetQuerySegmentInfoRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
        };
        let call = Call::new("GetQuerySegmentInfo", collection, CallKind::Describe);
        let answer = self.call(call, message, |mut stub, q| async move {
            stub.get_query_segment_info(q).await
        });
        let infos = answer.await?.infos.into_iter();
        Ok(infos.map(|info| info.segment_id).collect())
    }
}

fn segment(info: wire::PersistentSegmentInfo) -> Segment {
    Segment {
        id: info.segment_id,
        partition: info.partition_id,
        rows: u64::try_from(info.num_rows).unwrap_or(0),
        state: info.state.into(),
        level: info.level,
        storage_version: info.storage_version,
    }
}
