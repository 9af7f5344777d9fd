//! What the fakes have in common that stand before a real server: they listen on loopback, answer some calls themselves, and hand the
//! others on, word for word.

use anyhow::Result;
use axum::Router;
use axum::body::Body as AxumBody;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use proto::milvus::common::ServerInfo;
use proto::milvus::service as wire;
use serde_json::Value;
use std::net::Ipv4Addr;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::service::Routes;
use tonic::transport::{Channel, Server};
use tonic_prost::ProstCodec;
use tower::ServiceExt;

/// What serves the calls, until it is dropped.
#[derive(Debug)]
pub(crate) struct Front {
    uri: String,
    serving: JoinHandle<()>,
}

impl Front {
    /// Has a router serve HTTP/1 and HTTP/2 on one port of its own.
    ///
    /// # Errors
    /// When it can't listen.
    pub(crate) async fn serve(router: Router) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let uri = format!("http://{}", listener.local_addr()?);
        let serving = Server::builder()
            .accept_http1(true)
            .add_routes(Routes::from(router))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let serving = tokio::spawn(async move {
            // It ends with the test.
            let _ = serving.await;
        });
        Ok(Self { uri, serving })
    }

    /// Where clients find it.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The name of the call that a request of gRPC is.
pub(crate) fn call(request: &Request<Body>) -> &str {
    request.uri().path().rsplit('/').next().unwrap_or_default()
}

/// Hands a call on to the server.
pub(crate) async fn hand_on(server: Channel, request: Request<Body>) -> Response<Body> {
    match server.oneshot(request).await {
        Ok(response) => response,
        Err(error) => tonic::Status::unavailable(error.to_string()).into_http(),
    }
}

/// As [`hand_on`], but for what tells the server's version.
pub(crate) async fn hand_on_as(
    version: &str,
    server: Channel,
    request: Request<Body>,
) -> Response<Body> {
    let version = version.to_owned();
    match call(&request) {
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
        _ => hand_on(server, request).await,
    }
}

/// Answers one call itself, in a server's place.
pub(crate) async fn answered<Q, A>(
    request: Request<Body>,
    answer: impl Fn(Q) -> A + Clone + Send + Sync + 'static,
) -> Response<Body>
where
    Q: prost::Message + Default + Send + 'static,
    A: prost::Message + Default + Send + 'static,
{
    let now = move |asked| std::future::ready(Ok(answer(asked)));
    answered_later(request, now).await
}

/// As [`answered`], with an answer that has to be waited for.
pub(crate) async fn answered_later<Q, A, F>(
    request: Request<Body>,
    answer: impl Fn(Q) -> F + Clone + Send + Sync + 'static,
) -> Response<Body>
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

/// The token that a request of REST shows.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    headers.get("authorization")?.to_str().ok()
}

/// An answer of REST.
pub(crate) fn told(status: u16, body: &Value) -> Response<AxumBody> {
    let mut answer = Response::new(AxumBody::from(body.to_string()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    answer
}
