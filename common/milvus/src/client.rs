//! A connected Milvus.

mod open;

pub use open::ConnectError;

use crate::call::{self, Answer, Call, Deadlines, Kind};
use crate::expression::Dialect;
use crate::{Capabilities, Endpoint, MilvusError, ServerVersion};
use model::name::DEFAULT_DATABASE;
use proto::milvus::service::milvus_service_client::MilvusServiceClient;
use runtime::telemetry::metric_names::{MILVUS_CALL, MILVUS_FAILURES};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

pub(crate) type Stub = MilvusServiceClient<Channel>;

/// A connected Milvus, seen from inside one of its databases. Clones share the connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    database: Arc<str>,
}

struct Shared {
    uri: String,
    stubs: Vec<Stub>,
    next: AtomicUsize,
    deadlines: Deadlines,
    max_request_bytes: usize,
    authorization: Option<MetadataValue<Ascii>>,
    identifier: Option<MetadataValue<Ascii>>,
    version: ServerVersion,
    capabilities: Capabilities,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("uri", &self.shared.uri)
            .field("database", &self.database)
            .field("version", &self.shared.version.to_string())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to a Milvus, is let in, and finds out what it can do.
    ///
    /// # Errors
    /// [`ConnectError`], each variant saying what of the endpoint is wrong.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, ConnectError> {
        let shared = open::open(endpoint).await?;
        let bare = Self {
            shared: Arc::new(shared),
            database: Arc::from(DEFAULT_DATABASE),
        };
        let (version, identifier) = bare.introduce().await.map_err(ConnectError::Refused)?;
        let capabilities = bare.probe(Capabilities::of(&version)).await;
        let capabilities = capabilities.map_err(ConnectError::Refused)?;
        let Ok(known) = Arc::try_unwrap(bare.shared) else {
            unreachable!("no clone of this client was given away");
        };
        let shared = Shared {
            version,
            identifier,
            capabilities,
            ..known
        };
        Ok(Self {
            shared: Arc::new(shared),
            database: bare.database,
        })
    }

    /// The same Milvus, seen from inside another database.
    #[must_use]
    pub fn in_database(&self, database: &str) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
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
        &self.shared.uri
    }

    /// Which Milvus this is.
    #[must_use]
    pub fn version(&self) -> &ServerVersion {
        &self.shared.version
    }

    /// What this Milvus can do.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.shared.capabilities
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.shared.capabilities.dialect
    }

    pub(crate) fn max_request_bytes(&self) -> usize {
        self.shared.max_request_bytes
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
        let limit = self.shared.deadlines.of(call.kind);
        let request = self.request(message, call.kind);
        let begun = Instant::now();
        let answer = call::finish(call, limit, Box::pin(rpc(self.stub(), request))).await;
        metrics::histogram!(MILVUS_CALL, "call" => call.name).record(begun.elapsed());
        if answer.is_err() {
            metrics::counter!(MILVUS_FAILURES, "call" => call.name).increment(1);
        }
        answer
    }

    fn stub(&self) -> Stub {
        let stubs = &self.shared.stubs;
        let place = self.shared.next.fetch_add(1, Ordering::Relaxed) % stubs.len();
        stubs[place].clone()
    }

    fn request<Q>(&self, message: Q, kind: Kind) -> Request<Q> {
        let mut request = Request::new(message);
        request.set_timeout(self.shared.deadlines.of(kind));
        let metadata = request.metadata_mut();
        if let Some(authorization) = &self.shared.authorization {
            metadata.insert("authorization", authorization.clone());
        }
        if let Some(identifier) = &self.shared.identifier {
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
