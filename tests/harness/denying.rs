//! A fake of what Milvus does since 2.4 and 2.3.5 does not: a database's properties, and writes that they deny.
//!
//! It stands before a real 2.3.5 and hands every other call on to it, word for word. So what is written is written to a real server, and
//! stands in its log.

use anyhow::Result;
use futures::future::BoxFuture;
use proto::milvus::common::{KeyValuePair, Status};
use proto::milvus::service as wire;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::{Grpc, NamedService};
use tonic::transport::{Channel, Endpoint, Server};
use tonic_prost::ProstCodec;
use tower::{Service, ServiceExt};

/// The property that denies writes.
pub const DENY_WRITING: &str = "database.force.deny.writing";

/// What Milvus says to a user who lacks the right to alter a database.
const NO_RIGHT: &str =
    "PrivilegeAlterDatabase: permission deny to reader in the `default` database";

/// What Milvus calls a force-denied write (`merr`: service quota exceeded).
const QUOTA_EXCEEDED: i32 = 9;

/// The fake, listening on loopback until it is dropped.
#[derive(Debug)]
pub struct Denying {
    uri: String,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    properties: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    /// Whether a property takes effect, which takes a real server some seconds.
    is_deaf: AtomicBool,
    /// Whether whoever asks lacks the right to alter a database.
    is_guarded: AtomicBool,
}

impl Denying {
    /// Stands before a server.
    ///
    /// # Errors
    /// When it can't listen, or the server is not there.
    pub async fn before(uri: &str) -> Result<Self> {
        let server = Endpoint::from_shared(uri.to_owned())?.connect().await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let uri = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State::default());
        let front = Front {
            server,
            state: state.clone(),
        };
        let serving = Server::builder()
            .add_service(front)
            .serve_with_incoming(TcpListenerStream::new(listener));
        let serving = tokio::spawn(async move {
            // It ends with the test.
            let _ = serving.await;
        });
        Ok(Self {
            uri,
            state,
            serving,
        })
    }

    /// Where clients find it.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// What the property of a database says that denies writes, if it is set.
    #[must_use]
    pub fn property(&self, database: &str) -> Option<String> {
        self.state.property(database)
    }

    /// Whether what is ordered from now on takes no effect.
    pub fn set_deaf(&self, is_deaf: bool) {
        self.state.is_deaf.store(is_deaf, Ordering::Release);
    }

    /// Whether whoever asks from now on lacks the right to alter a database.
    pub fn set_guarded(&self, is_guarded: bool) {
        self.state.is_guarded.store(is_guarded, Ordering::Release);
    }
}

impl Drop for Denying {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    fn property(&self, database: &str) -> Option<String> {
        let properties = self.properties.lock();
        let properties = properties.unwrap_or_else(PoisonError::into_inner);
        properties.get(database)?.get(DENY_WRITING).cloned()
    }

    fn denies(&self, database: &str) -> bool {
        let is_ordered = self.property(database).as_deref() == Some("true");
        is_ordered && !self.is_deaf.load(Ordering::Acquire)
    }

    fn alter(&self, request: wire::AlterDatabaseRequest) -> Status {
        let properties = self.properties.lock();
        let mut properties = properties.unwrap_or_else(PoisonError::into_inner);
        let database = properties.entry(request.db_name).or_default();
        let pairs = request.properties.into_iter();
        database.extend(pairs.map(|pair| (pair.key, pair.value)));
        Status::default()
    }

    fn describe(&self, request: &wire::DescribeDatabaseRequest) -> wire::DescribeDatabaseResponse {
        let properties = self.properties.lock();
        let properties = properties.unwrap_or_else(PoisonError::into_inner);
        let pairs = properties.get(&request.db_name).into_iter().flatten();
        let pair = |(key, value): (&String, &String)| KeyValuePair {
            key: key.clone(),
            value: value.clone(),
        };
        wire::DescribeDatabaseResponse {
            status: None,
            properties: pairs.map(pair).collect(),
        }
    }
}

/// One connection's calls.
#[derive(Debug, Clone)]
struct Front {
    server: Channel,
    state: Arc<State>,
}

impl NamedService for Front {
    const NAME: &'static str = "milvus.proto.milvus.MilvusService";
}

impl Service<http::Request<Body>> for Front {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let Self { server, state } = self.clone();
        Box::pin(async move {
            let database = request.headers().get("dbname");
            let database = database.and_then(|name| name.to_str().ok());
            let is_denied = state.denies(database.unwrap_or("default"));
            let call = request.uri().path().rsplit('/').next().unwrap_or_default();
            Ok(match call {
                "AlterDatabase" if state.is_guarded.load(Ordering::Acquire) => {
                    tonic::Status::permission_denied(NO_RIGHT).into_http()
                }
                "AlterDatabase" => {
                    let answer = move |asked: wire::AlterDatabaseRequest| state.alter(asked);
                    answered(request, answer).await
                }
                "DescribeDatabase" => {
                    let answer = move |asked: wire::DescribeDatabaseRequest| state.describe(&asked);
                    answered(request, answer).await
                }
                "Insert" | "Upsert" | "Delete" if is_denied => {
                    answered(request, |_: wire::DropDatabaseRequest| denied()).await
                }
                _ => match server.oneshot(request).await {
                    Ok(response) => response,
                    Err(error) => tonic::Status::unavailable(error.to_string()).into_http(),
                },
            })
        })
    }
}

/// Answers one call itself, in a server's place.
pub(crate) async fn answered<Q, A>(
    request: http::Request<Body>,
    answer: impl Fn(Q) -> A + Clone + Send + Sync + 'static,
) -> http::Response<Body>
where
    Q: prost::Message + Default + Send + 'static,
    A: prost::Message + Default + Send + 'static,
{
    let now = move |asked| std::future::ready(Ok(answer(asked)));
    answered_later(request, now).await
}

/// As [`answered`], with an answer that has to be waited for.
pub(crate) async fn answered_later<Q, A, F>(
    request: http::Request<Body>,
    answer: impl Fn(Q) -> F + Clone + Send + Sync + 'static,
) -> http::Response<Body>
where
    Q: prost::Message + Default + Send + 'static,
    A: prost::Message + Default + Send + 'static,
    F: Future<Output = Result<A, tonic::Status>> + Send + 'static,
{
    let service = tower::service_fn(move |request: tonic::Request<Q>| {
        let answer = answer(request.into_inner());
        async move { answer.await.map(tonic::Response::new) }
    });
    let mut grpc = Grpc::new(ProstCodec::<A, Q>::default());
    grpc.unary(service, request).await
}

fn denied() -> wire::MutationResult {
    let status = Status {
        code: QUOTA_EXCEEDED,
        reason: "quota exceeded[reason=force deny writing]".into(),
        ..Status::default()
    };
    wire::MutationResult {
        status: Some(status),
        ..wire::MutationResult::default()
    }
}
