//! A fake of what a later Milvus says of its segments, and 2.3.5 does not: which form their files have, since 2.6, and which files those are,
//! by REST, since 2.5.8.
//!
//! It stands before a real 2.3.5, says that it is a later version, and hands every other call of gRPC on to the real one, word for word. What
//! it says of files is what lies in a folder: the real server's own, or one with files that were made of those. So rows, deletes and
//! segments are a real server's; that a later server would describe these so is read in Milvus's sources, and not seen.
//!
//! It is stricter than a real server in one point: a key that the API does not know is refused.

mod described;

use crate::denying::{answered, answered_later};
use anyhow::Result;
use axum::body::Body as AxumBody;
use axum::extract::State;
use axum::http::{HeaderMap, Request as HttpRequest, Response as HttpResponse, StatusCode};
use axum::routing::post;
use axum::{Router, body};
use described::{Described, Refusal};
use proto::milvus::common::ServerInfo;
use proto::milvus::service as wire;
use proto::milvus::service::milvus_service_client::MilvusServiceClient;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tower::ServiceExt;

/// The largest request of REST.
const MAX_BYTES: usize = 1 << 20;

/// The fake, listening on loopback until it is dropped.
#[derive(Debug)]
pub struct FakeSegments {
    uri: String,
    described: Arc<Described>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Front {
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
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let uri = format!("http://{}", listener.local_addr()?);
        let described = Arc::new(Described::new(folder, token));
        let front = Front {
            server,
            version,
            described: Arc::clone(&described),
        };
        let router = Router::new()
            .route("/v2/vectordb/segments/describe", post(rest))
            .fallback(grpc)
            .with_state(front);
        let serving = Server::builder()
            .accept_http1(true)
            .add_routes(Routes::from(router))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let serving = tokio::spawn(async move {
            // It ends with the test.
            let _ = serving.await;
        });
        Ok(Self {
            uri,
            described,
            serving,
        })
    }

    /// Where clients find it.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
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

impl Drop for FakeSegments {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One request of REST.
async fn rest(
    State(front): State<Front>,
    headers: HeaderMap,
    request: HttpRequest<AxumBody>,
) -> HttpResponse<AxumBody> {
    let token = headers.get("authorization");
    let token = token.and_then(|token| token.to_str().ok());
    let body = body::to_bytes(request.into_body(), MAX_BYTES).await;
    let (status, answer) = match front.described.handle(token, &body.unwrap_or_default()) {
        Ok(data) => (StatusCode::OK, json!({ "code": 0, "data": data })),
        Err(Refusal(status, code, message)) => {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            (status, json!({ "code": code, "message": message }))
        }
    };
    told(status, &answer)
}

fn told(status: StatusCode, body: &Value) -> HttpResponse<AxumBody> {
    let mut answer = HttpResponse::new(AxumBody::from(body.to_string()));
    *answer.status_mut() = status;
    answer
}

/// One call of gRPC.
async fn grpc(
    State(front): State<Front>,
    request: HttpRequest<AxumBody>,
) -> HttpResponse<AxumBody> {
    let request = request.map(Body::new);
    let call = request.uri().path().rsplit('/').next().unwrap_or_default();
    let version = front.version.to_owned();
    let answer = match call {
        "Connect" => {
            let told = wire::ConnectResponse {
                status: None,
                server_info: Some(ServerInfo {
                    build_tags: version,
                }),
                identifier: 0,
            };
            answered(request, move |_: wire::ConnectRequest| told.clone()).await
        }
        "GetVersion" => {
            let told = wire::GetVersionResponse {
                status: None,
                version,
            };
            answered(request, move |_: wire::GetVersionRequest| told.clone()).await
        }
        // 2.3.5 has databases without properties.
        "DescribeDatabase" => {
            let none = |_: wire::DescribeDatabaseRequest| wire::DescribeDatabaseResponse::default();
            answered(request, none).await
        }
        "GetPersistentSegmentInfo" => {
            answered_later(request, move |asked| segments(front.clone(), asked)).await
        }
        _ => match front.server.oneshot(request).await {
            Ok(response) => response,
            Err(error) => tonic::Status::unavailable(error.to_string()).into_http(),
        },
    };
    answer.map(AxumBody::new)
}

/// The real server's segments, with what a later one says of them beside.
async fn segments(
    front: Front,
    asked: wire::GetPersistentSegmentInfoRequest,
) -> Result<wire::GetPersistentSegmentInfoResponse, tonic::Status> {
    let mut answer = match front.described.held(&asked) {
        Some(held) => held,
        None => {
            let mut server = MilvusServiceClient::new(front.server);
            let answer = server.get_persistent_segment_info(asked.clone()).await?;
            answer.into_inner()
        }
    };
    front.described.hold_listed(&asked, &answer);
    for info in &mut answer.infos {
        front.described.meet(info);
    }
    Ok(answer)
}
