//! One call: its limit in time, its metadata, and what its answer says of success.

use crate::error::MilvusError;
use crate::error::classify;
use proto::milvus::common::Status;
use proto::milvus::service as wire;
use std::future::Future;
use std::time::Duration;
use tonic::Response;

/// How long each kind of call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Reaching the server and being let in.
    pub connect: Duration,
    /// Asking what there is.
    pub describe: Duration,
    /// Making and dropping things.
    pub define: Duration,
    /// Reading rows.
    pub read: Duration,
    /// Writing rows.
    pub write: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            describe: Duration::from_secs(20),
            define: Duration::from_secs(120),
            read: Duration::from_secs(120),
            write: Duration::from_secs(120),
        }
    }
}

/// The kind of a call, which decides its limit in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Describe,
    Define,
    Read,
    Write,
}

impl Deadlines {
    pub(crate) fn of(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Connect => self.connect,
            Kind::Describe => self.describe,
            Kind::Define => self.define,
            Kind::Read => self.read,
            Kind::Write => self.write,
        }
    }
}

/// What is called, and upon what; for errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    /// Milvus's name of the call.
    pub(crate) name: &'static str,
    /// The collection, database or alias that it is about; empty where there is none.
    pub(crate) subject: &'a str,
    pub(crate) kind: Kind,
}

impl<'a> Call<'a> {
    pub(crate) fn new(name: &'static str, subject: &'a str, kind: Kind) -> Self {
        Self {
            name,
            subject,
            kind,
        }
    }
}

/// Waits for an answer, no longer than the limit, and takes it only if its status is success.
///
/// The limit holds to the last byte of the answer; the one that tonic knows ends with the first.
pub(crate) async fn finish<A, F>(
    call: Call<'_>,
    limit: Duration,
    answer: F,
) -> Result<A, MilvusError>
where
    A: Answer,
    F: Future<Output = Result<Response<A>, tonic::Status>>,
{
    match tokio::time::timeout(limit, answer).await {
        Err(_) => Err(classify::timeout(call, limit)),
        Ok(Err(status)) => Err(classify::transport(call, &status)),
        Ok(Ok(response)) => {
            let answer = response.into_inner();
            match answer.status() {
                Some(status) if !succeeded(status) => Err(classify::status(call, status)),
                _ => Ok(answer),
            }
        }
    }
}

fn succeeded(status: &Status) -> bool {
    status.error_code == 0 && status.code == 0
}

/// An answer of Milvus, which says whether the call succeeded. A missing status is success: all its fields are zero.
pub(crate) trait Answer {
    fn status(&self) -> Option<&Status>;
}

impl Answer for Status {
    fn status(&self) -> Option<&Status> {
        Some(self)
    }
}

macro_rules! answers {
    ($($answer:ident),* $(,)?) => {
        $(impl Answer for wire::$answer {
            fn status(&self) -> Option<&Status> {
                self.status.as_ref()
            }
        })*
    };
}

answers!(
    ConnectResponse,
    GetVersionResponse,
    AllocTimestampResponse,
    ListDatabasesResponse,
    DescribeDatabaseResponse,
    ShowCollectionsResponse,
    DescribeCollectionResponse,
    GetCollectionStatisticsResponse,
    ShowPartitionsResponse,
    DescribeIndexResponse,
    ListAliasesResponse,
    GetLoadStateResponse,
    GetLoadingProgressResponse,
    GetReplicasResponse,
    FlushResponse,
    GetFlushStateResponse,
    GetPersistentSegmentInfoResponse,
    GetQuerySegmentInfoResponse,
    ImportResponse,
    GetImportStateResponse,
    ListImportTasksResponse,
    QueryResults,
    MutationResult,
);
