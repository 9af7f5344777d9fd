//! A connected Milvus.

mod introduce;
mod open;

pub use open::ConnectError;

use crate::call::{self, Answer, Call, Deadlines, Kind};
use crate::expression::Dialect;
use crate::rest::Rest;
use crate::{Capabilities, Endpoint, MilvusError, ServerVersion};
use model::name::DEFAULT_DATABASE;
use proto::milvus::service::milvus_service_client::MilvusServiceClient;
use runtime::telemetry::metric_names::{MILVUS_CALL, MILVUS_FAILURES};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

pub(crate) type Stub = MilvusServiceClient<Channel>;

/// A connected Milvus, seen from inside one of its databases. Clones share the connections.
#[derive(Clone)]
pub struct Client {
    line: Arc<Line>,
    known: Arc<Known>,
    database: Arc<str>,
}

/// The connections, and how calls are made on them.
struct Line {
    uri: String,
    stubs: Vec<Stub>,
    next: AtomicUsize,
    deadlines: Deadlines,
    max_request_bytes: usize,
    authorization: Option<MetadataValue<Ascii>>,
    rest: Rest,
    /// The management port, where its address was given.
    management: Option<Rest>,
}

/// What the server told of itself.
struct Known {
    version: ServerVersion,
    /// What it wants to be told in later calls.
    identifier: Option<MetadataValue<Ascii>>,
    capabilities: Capabilities,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("uri", &self.line.uri)
            .field("database", &self.database)
            .field("version", &self.known.version.to_string())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to a Milvus, is let in, and finds out what it can do.
    ///
    /// # Errors
    /// [`ConnectError`], each variant saying what of the endpoint is wrong.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, ConnectError> {
        let line = Arc::new(open::open(endpoint).await?);
        let database = Arc::from(DEFAULT_DATABASE);
        let known = Arc::new(Known::nothing());
        let mut client = Self {
            line,
            known,
            database,
        };
        let learned = client.introduce().await;
        client.known = Arc::new(learned.map_err(|error| introduce::refused(&endpoint.uri, error))?);
        let probed = client.probe(client.capabilities().clone()).await;
        let capabilities = probed.map_err(|error| introduce::refused(&endpoint.uri, error))?;
        let Known {
            version,
            identifier,
            ..
        } = &*client.known;
        let (version, identifier) = (version.clone(), identifier.clone());
        client.known = Arc::new(Known {
            version,
            identifier,
            capabilities,
        });
        Ok(client)
    }

    /// The same Milvus, seen from inside another database.
    #[must_use]
    pub fn in_database(&self, database: &str) -> Self {
        Self {
            line: Arc::clone(&self.line),
            known: Arc::clone(&self.known),
            database: Arc::from(database),
        }
    }

    /// The database that this client sees.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The address.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.line.uri
    }

    /// Which Milvus this is.
    #[must_use]
    pub fn version(&self) -> &ServerVersion {
        &self.known.version
    }

    /// What this Milvus can do.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.known.capabilities
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.known.capabilities.dialect
    }

    pub(crate) fn max_request_bytes(&self) -> usize {
        self.line.max_request_bytes
    }

    /// The database's name for a request; empty for the default one, which every server understands, even one without databases.
    pub(crate) fn db_name(&self) -> String {
        if *self.database == *DEFAULT_DATABASE {
            String::new()
        } else {
            self.database.to_string()
        }
    }

    /// Makes a call on the next connection. Cancel safe as far as this side is concerned: dropping the future drops the call,
    /// though the server may go on with it.
    pub(crate) async fn call<Q, A, F, R>(
        &self,
        call: Call<'_>,
        message: Q,
        rpc: F,
    ) -> Result<A, MilvusError>
    where
        A: Answer,
        F: FnOnce(Stub, Request<Q>) -> R,
        R: Future<Output = Result<Response<A>, Status>>,
    {
        let limit = self.line.deadlines.of(call.kind);
        let request = self.request(message, call.kind);
        let begun = Instant::now();
        let answer = call::finish(call, limit, Box::pin(rpc(self.stub(), request))).await;
        metrics::histogram!(MILVUS_CALL, "call" => call.name).record(begun.elapsed());
        if answer.is_err() {
            metrics::counter!(MILVUS_FAILURES, "call" => call.name).increment(1);
        }
        answer
    }

    /// Whether the address of the REST API was given.
    pub(crate) fn has_rest_address(&self) -> bool {
        self.line.rest.is_given
    }

    /// The management port, where its address was given; and how long an answer may take.
    pub(crate) fn management(&self, kind: Kind) -> Option<(&Rest, Duration)> {
        let limit = self.line.deadlines.of(kind);
        self.line.management.as_ref().map(|rest| (rest, limit))
    }

    /// Sends an object to a path of the REST API. Cancel safe as [`Client::call`] is.
    pub(crate) async fn rest<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        path: &str,
        body: &Value,
    ) -> Result<T, MilvusError> {
        let limit = self.line.deadlines.of(call.kind);
        self.line.rest.post(call, limit, path, body).await
    }

    fn stub(&self) -> Stub {
        let stubs = &self.line.stubs;
        let place = self.line.next.fetch_add(1, Ordering::Relaxed) % stubs.len();
        stubs[place].clone()
    }

    fn request<Q>(&self, message: Q, kind: Kind) -> Request<Q> {
        let mut request = Request::new(message);
        request.set_timeout(self.line.deadlines.of(kind));
        let metadata = request.metadata_mut();
        if let Some(authorization) = &self.line.authorization {
            metadata.insert("authorization", authorization.clone());
        }
        if let Some(identifier) = &self.known.identifier {
            metadata.insert("identifier", identifier.clone());
        }
        if let Ok(database) = self.db_name().parse::<MetadataValue<Ascii>>()
            && !database.is_empty()
        {
            metadata.insert("dbname", database);
        }
        request
    }
}

impl Known {
    fn nothing() -> Self {
        Self::of(ServerVersion::parse(""), None)
    }

    fn of(version: ServerVersion, identifier: Option<MetadataValue<Ascii>>) -> Self {
        let capabilities = Capabilities::of(&version);
        Self {
            version,
            identifier,
            capabilities,
        }
    }
}

#[cfg(test)]
mod tests;
