//! A fake of what Milvus does since 2.4 and 2.3.5 does not: a database's properties, and writes that they deny.
//!
//! It stands before a real 2.3.5 and hands every other call on to it, word for word. So what is written is written to a real server, and
//! stands in its log.

use crate::front::{self, Front, answered};
use anyhow::Result;
use axum::Router;
use axum::body::Body as AxumBody;
use axum::extract::State as Shared;
use axum::http::{Request, Response};
use proto::milvus::common::{KeyValuePair, Status};
use proto::milvus::service as wire;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};

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
    front: Front,
    state: Arc<State>,
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
        let state = Arc::new(State::default());
        let place = Place {
            server,
            state: Arc::clone(&state),
        };
        let router = Router::new().fallback(grpc).with_state(place);
        let front = Front::serve(router).await?;
        Ok(Self { front, state })
    }

    /// Where clients find it.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.front.uri()
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

/// What answers a call.
#[derive(Debug, Clone)]
struct Place {
    server: Channel,
    state: Arc<State>,
}

/// One call of gRPC.
async fn grpc(Shared(place): Shared<Place>, request: Request<AxumBody>) -> Response<AxumBody> {
    let Place { server, state } = place;
    let request = request.map(Body::new);
    let database = request.headers().get("dbname");
    let database = database.and_then(|name| name.to_str().ok());
    let is_denied = state.denies(database.unwrap_or("default"));
    let answer = match front::call(&request) {
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
        _ => front::hand_on(server, request).await,
    };
    answer.map(AxumBody::new)
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
