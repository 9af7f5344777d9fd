//! A fake of the REST API by which Milvus imports files since 2.4, and 2.3.5 does not.
//!
//! It stands before a real 2.3.5, says that it is a later version, and hands every call of gRPC on to the real one, word for word. What is
//! ordered by REST is checked as Milvus's sources say that later versions check it, and then carried out by the real server's own Import:
//! so rows come out of the shipped files, and deletes leave rows out, in a real Milvus. Where later versions and 2.3.5 import otherwise it
//! shows 2.3.5's way: rows get the time of their import, and what the importer of a later version makes of a file can't be seen here.
//!
//! Files of several fields, which 2.6 imports, 2.3.5 does not know: as a 2.6 it has files of one field made of them
//! (`testbed/grouped.py`) for the real server to import.
//!
//! It is stricter than a real server in two points: a key that the API does not know is refused, and so is a folder without its slash.

mod files;
mod jobs;

use crate::front::{self, Front, answered};
use anyhow::Result;
use axum::body::Body as AxumBody;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request as HttpRequest, Response as HttpResponse};
use axum::routing::post;
use axum::{Router, body};
use bytes::Bytes;
use jobs::{Jobs, Refusal};
use proto::milvus::service as wire;
use serde_json::json;
use std::sync::Arc;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};

/// The version that it says it is.
pub const VERSION: &str = "2.4.23";

/// One that imports files of several fields.
pub const GROUPING: &str = "2.6.4";

/// The largest request of REST.
const MAX_BYTES: usize = 1 << 20;

/// The fake, listening on loopback until it is dropped.
#[derive(Debug)]
pub struct FakeRestImport {
    front: Front,
    jobs: Arc<Jobs>,
}

impl FakeRestImport {
    /// Stands before a server. Who calls by REST has to show this token.
    ///
    /// # Errors
    /// When it can't listen, or the server is not there.
    pub async fn before(uri: &str, token: &str) -> Result<Self> {
        Self::before_as(uri, token, VERSION).await
    }

    /// As [`FakeRestImport::before`], as a server of this version.
    ///
    /// # Errors
    /// As there.
    pub async fn before_as(uri: &str, token: &str, version: &'static str) -> Result<Self> {
        let server = Endpoint::from_shared(uri.to_owned())?.connect().await?;
        let grouping = (version == GROUPING).then(|| uri.to_owned());
        let jobs = Arc::new(Jobs::new(server.clone(), token, grouping));
        let place = Place {
            server,
            version,
            jobs: Arc::clone(&jobs),
        };
        let router = Router::new()
            .route("/v2/vectordb/jobs/import/{action}", post(rest))
            .fallback(grpc)
            .with_state(place);
        let front = Front::serve(router).await?;
        Ok(Self { front, jobs })
    }

    /// Where clients find it.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.front.uri()
    }

    /// Has the next job fail, before anything is imported.
    pub fn fail_next(&self, reason: &str) {
        self.jobs.fail_next(reason);
    }

    /// Has the answer to the next order that is carried out break off.
    pub fn lose_next_answer(&self) {
        self.jobs.lose_next_answer();
    }

    /// Has the server's clock stand at this time, for whoever asks for it; or go on.
    pub fn hold_clock(&self, at: Option<u64>) {
        self.jobs.hold_clock(at);
    }

    /// How many of the jobs that were created are of files of several fields.
    #[must_use]
    pub fn grouped(&self) -> usize {
        self.jobs.grouped()
    }

    /// How many jobs were created.
    #[must_use]
    pub fn created(&self) -> usize {
        self.jobs.created()
    }
}

/// What answers a call.
#[derive(Debug, Clone)]
struct Place {
    server: Channel,
    version: &'static str,
    jobs: Arc<Jobs>,
}

/// One request of REST.
async fn rest(
    State(place): State<Place>,
    Path(action): Path<String>,
    headers: HeaderMap,
    request: HttpRequest<AxumBody>,
) -> HttpResponse<AxumBody> {
    let token = front::token(&headers).map(str::to_owned);
    let body = body::to_bytes(request.into_body(), MAX_BYTES).await;
    // To its end, whoever waits for it: 2.3.5 ends when some of its calls about imports are broken off.
    let answered = tokio::spawn(async move {
        let body = body.unwrap_or_default();
        place.jobs.handle(&action, token.as_deref(), &body).await
    });
    let lost = |error: tokio::task::JoinError| Err(Refusal::Told(500, 65535, error.to_string()));
    match answered.await.unwrap_or_else(lost) {
        Ok(data) => front::told(200, &json!({ "code": 0, "data": data })),
        Err(Refusal::Told(status, code, message)) => {
            front::told(status, &json!({ "code": code, "message": message }))
        }
        Err(Refusal::BreakOff) => {
            let broken = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("lost"))]);
            HttpResponse::new(AxumBody::from_stream(broken))
        }
    }
}

/// One call of gRPC.
async fn grpc(
    State(place): State<Place>,
    request: HttpRequest<AxumBody>,
) -> HttpResponse<AxumBody> {
    let request = request.map(Body::new);
    let answer = match front::call(&request) {
        "AllocTimestamp" if place.jobs.clock().is_some() => {
            let told = wire::AllocTimestampResponse {
                status: None,
                timestamp: place.jobs.clock().unwrap_or_default(),
            };
            answered(request, move |_: wire::AllocTimestampRequest| told.clone()).await
        }
        // Later versions have both still; whoever uses them here would not notice what this fake is for.
        "Import" | "GetImportState" | "ListImportTasks" => {
            tonic::Status::unimplemented("by REST").into_http()
        }
        _ => front::hand_on_as(place.version, place.server, request).await,
    };
    answer.map(AxumBody::new)
}
