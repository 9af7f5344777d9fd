//! A fake of what a later Milvus says of its segments, and 2.3.5 does not: which form their files have, since 2.6, and which files those are,
//! by REST, since 2.5.8.
//!
//! It stands before a real 2.3.5, says that it is a later version, and hands every other call of gRPC on to the real one, word for word. What
//! it says of files is what lies in a folder: the real server's own, or one with files that were made of those. So rows, deletes and
//! segments are a real server's; that a later server would describe these so is read in Milvus's sources, and not seen.
//!
//! It is stricter than a real server in one point: a key that the API does not know is refused.

mod described;

use crate::front::{self, Front, answered, answered_later};
use anyhow::Result;
use axum::body::Body as AxumBody;
use axum::extract::State;
use axum::http::{HeaderMap, Request as HttpRequest, Response as HttpResponse};
use axum::routing::post;
use axum::{Router, body};
use described::{Described, Refusal};
use proto::milvus::service as wire;
use proto::milvus::service::milvus_service_client::MilvusServiceClient;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};

/// The largest request of REST.
const MAX_BYTES: usize = 1 << 20;

/// The fake, listening on loopback until it is dropped.
#[derive(Debug)]
pub struct FakeSegments {
    front: Front,
    described: Arc<Described>,
}

/// What answers a call.
#[derive(Debug, Clone)]
struct Place {
    server: Channel,
    version: &'static str,
    described: Arc<Described>,
}

impl FakeSegments {
    /// Stands before a server as one of this version, whose files lie in a folder. Who calls by REST has to show this token.
    ///
    /// # Errors
    /// When it can't listen, or the server is not there.
    pub async fn before(
        uri: &str,
        version: &'static str,
        folder: &Path,
        token: &str,
    ) -> Result<Self> {
        let server = Endpoint::from_shared(uri.to_owned())?.connect().await?;
        let described = Arc::new(Described::new(folder, token));
        let place = Place {
            server,
            version,
            described: Arc::clone(&described),
        };
        let router = Router::new()
            .route("/v2/vectordb/segments/describe", post(rest))
            .fallback(grpc)
            .with_state(place);
        let front = Front::serve(router).await?;
        Ok(Self { front, described })
    }

    /// Where clients find it.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.front.uri()
    }

    /// Has it say nothing of this file, which no segment has.
    pub fn disown(&self, file: &Path) {
        self.described.disown(file);
    }

    /// Has it list a collection's segments from now on as it does the next time: the real server may compact them, and the files that were
    /// made of theirs stay.
    pub fn hold(&self) {
        self.described.hold();
    }

    /// How many segments' files were asked for by REST.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.described.asked()
    }
}

/// One request of REST.
async fn rest(
    State(place): State<Place>,
    headers: HeaderMap,
    request: HttpRequest<AxumBody>,
) -> HttpResponse<AxumBody> {
    let token = front::token(&headers);
    let body = body::to_bytes(request.into_body(), MAX_BYTES).await;
    match place.described.handle(token, &body.unwrap_or_default()) {
        Ok(data) => front::told(200, &json!({ "code": 0, "data": data })),
        Err(Refusal(status, code, message)) => {
            front::told(status, &json!({ "code": code, "message": message }))
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
        // 2.3.5 has databases without properties.
        "DescribeDatabase" => {
            let none = |_: wire::DescribeDatabaseRequest| wire::DescribeDatabaseResponse::default();
            answered(request, none).await
        }
        "GetPersistentSegmentInfo" => {
            answered_later(request, move |asked| segments(place.clone(), asked)).await
        }
        _ => front::hand_on_as(place.version, place.server, request).await,
    };
    answer.map(AxumBody::new)
}

/// The real server's segments, with what a later one says of them beside.
async fn segments(
    place: Place,
    asked: wire::GetPersistentSegmentInfoRequest,
) -> Result<wire::GetPersistentSegmentInfoResponse, tonic::Status> {
    let mut answer = match place.described.held(&asked) {
        Some(held) => held,
        None => {
            let mut server = MilvusServiceClient::new(place.server);
            let answer = server.get_persistent_segment_info(asked.clone()).await?;
            answer.into_inner()
        }
    };
    place.described.hold_listed(&asked, &answer);
    for info in &mut answer.infos {
        place.described.meet(info);
    }
    Ok(answer)
}
