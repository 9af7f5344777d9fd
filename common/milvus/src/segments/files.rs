//! Which files a segment has, by the server's own word.
//!
//! Told by the REST API alone, since 2.5.8 (milvus-io/milvus#40464; `getSegmentsInfo` of `internal/distributed/proxy/httpserver/handler_v2.go`).
//! Files are told by the numbers that their paths are made of. Where a segment's files hold several fields each, the number of a group
//! stands in the place of a field's (`internal/proxy/impl.go`). A segment that others have taken the place of is told, too, as dropped, and
//! with the deletes of those others.

use super::SegmentState;
use crate::call::{Call, Kind as CallKind};
use crate::{Client, MilvusError};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

const DESCRIBE: &str = "/v2/vectordb/segments/describe";

/// How many segments are asked for at once: each may have some hundred files.
const AT_ONCE: usize = 200;

/// The files of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFiles {
    /// Its id.
    pub segment: i64,
    /// The id of its partition.
    pub partition: i64,
    /// The rows that were written to it, deleted ones too.
    pub rows: u64,
    /// How far it is.
    pub state: SegmentState,
    /// What it holds: 1 nothing but deletes, others rows.
    pub level: i32,
    /// The virtual channel by which its rows came.
    pub channel: String,
    /// The numbers of the files of rows, in their order, by the field or the group of fields.
    pub rows_of: BTreeMap<i64, Vec<i64>>,
    /// The numbers of the files of deletes.
    pub deletes: Vec<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    #[serde(default)]
    segment_infos: Vec<Told>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    #[serde(rename = "segmentID")]
    segment: i64,
    #[serde(rename = "partitionID", default)]
    partition: i64,
    #[serde(default)]
    num_rows: i64,
    #[serde(default)]
    state: i32,
    #[serde(default)]
    level: i32,
    #[serde(rename = "vChannel", default)]
    channel: String,
    insert_logs: Option<Vec<Logs>>,
    delta_logs: Option<Vec<Logs>>,
}

#[derive(Debug, Deserialize)]
struct Logs {
    #[serde(rename = "fieldID", default)]
    field: i64,
    // A list of nothing is null in Go's JSON.
    #[serde(rename = "logIDs")]
    logs: Option<Vec<i64>>,
}

impl Client {
    /// Whether the server can be asked which files a segment has: where it is known to tell, and the address of its REST API is given.
    #[must_use]
    pub fn tells_segment_files(&self) -> bool {
        self.capabilities().segment_files && self.has_rest_address()
    }

    /// The files of these segments of a collection, which is meant by its id.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked: of [`crate::Kind::Unimplemented`] where it has no such API, and a
    /// transient one when a segment was removed.
    pub async fn segment_files(
        &self,
        collection: i64,
        segments: &[i64],
    ) -> Result<Vec<SegmentFiles>, MilvusError> {
        let mut found = Vec::new();
        for some in segments.chunks(AT_ONCE) {
            let told = self.describe_segments(collection, some).await?;
            found.extend(told.segment_infos.into_iter().map(SegmentFiles::from));
        }
        Ok(found)
    }

    /// Makes sure that [`Client::segment_files`] can be asked for, by asking for none.
    ///
    /// # Errors
    /// As there.
    pub async fn prove_segment_files(&self, collection: i64) -> Result<(), MilvusError> {
        self.describe_segments(collection, &[]).await.map(|_| ())
    }

    async fn describe_segments(
        &self,
        collection: i64,
        segments: &[i64],
    ) -> Result<Described, MilvusError> {
        let call = Call::new("DescribeSegments", "", CallKind::Describe);
        let body = json!({
            "dbName": self.database(), "collectionID": collection, "segmentIDs": segments,
        });
        self.rest(call, DESCRIBE, &body).await
    }
}

impl From<Told> for SegmentFiles {
    fn from(told: Told) -> Self {
        let mut rows_of: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for logs in told.insert_logs.into_iter().flatten() {
            let numbers = logs.logs.unwrap_or_default();
            rows_of.entry(logs.field).or_default().extend(numbers);
        }
        rows_of.retain(|_, numbers| {
            numbers.sort_unstable();
            !numbers.is_empty()
        });
        let deletes = told.delta_logs.into_iter().flatten();
        Self {
            segment: told.segment,
            partition: told.partition,
            rows: u64::try_from(told.num_rows).unwrap_or(0),
            state: told.state.into(),
            level: told.level,
            channel: told.channel,
            rows_of,
            deletes: deletes
                .flat_map(|logs| logs.logs.unwrap_or_default())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_segment_are_read() {
        // Built as `getSegmentsInfo` of 2.6 builds it.
        let told = json!({ "segmentInfos": [
            { "segmentID": 449_000_000_000_000_001_i64, "collectionID": 1, "partitionID": 2, "vChannel": "by-dev-rootcoord-dml_0_1v0",
              "numRows": 12, "state": 4, "level": 2, "isSorted": true,
              "insertLogs": [{ "fieldID": 0, "logIDs": [9, 7] }, { "fieldID": 101, "logIDs": [8, 10] }, { "fieldID": 102, "logIDs": null }],
              "deltaLogs": [{ "fieldID": 0, "logIDs": [11] }, { "fieldID": 0, "logIDs": [12] }], "statsLogs": [] },
            { "segmentID": 5, "collectionID": 1, "partitionID": -1, "vChannel": "v", "numRows": 0, "state": 4, "level": 1,
              "isSorted": false, "insertLogs": [], "deltaLogs": [{ "fieldID": 0, "logIDs": [13] }], "statsLogs": [] },
        ]});
        let told: Described = serde_json::from_value(told).unwrap();
        let files: Vec<SegmentFiles> = told.segment_infos.into_iter().map(Into::into).collect();
        assert_eq!(files[0].segment, 449_000_000_000_000_001);
        assert_eq!((files[0].rows, files[0].state), (12, SegmentState::Flushed));
        // By their numbers, and only where there are some.
        assert_eq!(
            files[0].rows_of,
            [(0, vec![7, 9]), (101, vec![8, 10])].into()
        );
        assert_eq!(files[0].deletes, [11, 12]);
        assert_eq!((files[1].level, files[1].partition), (1, -1));
        assert!(files[1].rows_of.is_empty());
    }
}
