//! The REST API that a Milvus serves beside its gRPC: for what later versions offer there alone.
//!
//! Invariants:
//! - a request is HTTP/1.1 on a connection of its own: a Milvus that serves both APIs on one port takes whatever is not HTTP/2 for REST
//!   (`internal/distributed/proxy/listener_manager.go`), and requests are few;
//! - a request is sent once. Whether the server may have done what an unanswered one asked for, the error says;
//! - an answer has a bound in time and in bytes.
//!
//! What an answer means was read in `internal/distributed/proxy/httpserver/handler_v2.go` of 2.4, 2.5, 2.6 and 3.0: a status of HTTP, which
//! is 200 for most failures too, and an object of `code`, and of `data` or `message`. The code of success is 0, and 200 in the first releases of 2.4.

mod address;
mod tls;

use crate::call::Call;
use crate::error::{Kind, causes, classify};
use crate::{ConnectError, Endpoint, MilvusError, Secret};
use address::Address;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::request::Builder;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use runtime::telemetry::metric_names::{MILVUS_CALL, MILVUS_FAILURES};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// The most bytes of an answer: a list of ten thousand imports is a tenth of it.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// The codes of success.
const SUCCESS: [i32; 2] = [0, 200];

/// Where the REST API is, and how to be let in.
pub(crate) struct Rest {
    address: Address,
    /// Whether that was given.
    pub(crate) is_given: bool,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    authorization: Option<HeaderValue>,
    connect_within: Duration,
}

/// How every answer is built.
#[derive(Debug, Deserialize)]
struct Envelope<T> {
    code: i32,
    #[serde(default)]
    message: String,
    data: Option<T>,
}

impl Rest {
    /// The REST API of an endpoint: at an address of its own where one is given, else at that of the gRPC.
    pub(crate) fn of(endpoint: &Endpoint) -> Result<Self, ConnectError> {
        let uri = endpoint.rest_uri.as_deref().unwrap_or(&endpoint.uri);
        let plain = endpoint.credentials.plain();
        Ok(Self {
            is_given: endpoint.rest_uri.is_some(),
            authorization: plain.map(|plain| bearer(uri, &plain)).transpose()?,
            ..Self::at(endpoint, uri)?
        })
    }

    /// What an endpoint serves by HTTP at another address. Whoever asks there is not told who we are.
    pub(crate) fn at(endpoint: &Endpoint, uri: &str) -> Result<Self, ConnectError> {
        let address = Address::parse(uri)?;
        let tls = match address.is_tls {
            false => None,
            true => Some(tls::connector(&endpoint.tls, uri, &address.host)?),
        };
        Ok(Self {
            address,
            is_given: true,
            tls,
            authorization: None,
            connect_within: endpoint.deadlines.connect,
        })
    }

    /// Sends an object to a path, and gives the `data` of the answer.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        limit: Duration,
        path: &str,
        body: &Value,
    ) -> Result<T, MilvusError> {
        let request = Request::post(path).header(CONTENT_TYPE, "application/json");
        let body = Bytes::from(body.to_string());
        self.request(call, limit, request, body, read).await
    }

    /// Asks for a path with its query, and gives what is read of the answer's status and text.
    pub(crate) async fn get<T>(
        &self,
        call: Call<'_>,
        limit: Duration,
        path: &str,
        read: impl FnOnce(Call<'_>, StatusCode, &[u8]) -> Result<T, MilvusError>,
    ) -> Result<T, MilvusError> {
        let request = Request::get(path);
        self.request(call, limit, request, Bytes::new(), read).await
    }

    async fn request<T>(
        &self,
        call: Call<'_>,
        limit: Duration,
        request: Builder,
        body: Bytes,
        read: impl FnOnce(Call<'_>, StatusCode, &[u8]) -> Result<T, MilvusError>,
    ) -> Result<T, MilvusError> {
        let begun = Instant::now();
        let asked = Box::pin(self.ask(call, request, body));
        let answer = match tokio::time::timeout(limit, asked).await {
            Err(_) => Err(classify::timeout(call, limit)),
            Ok(answered) => answered.and_then(|(status, body)| read(call, status, &body)),
        };
        metrics::histogram!(MILVUS_CALL, "call" => call.name).record(begun.elapsed());
        if answer.is_err() {
            metrics::counter!(MILVUS_FAILURES, "call" => call.name).increment(1);
        }
        answer
    }

    async fn ask(
        &self,
        call: Call<'_>,
        request: Builder,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), MilvusError> {
        // Nothing was asked for yet.
        let unreachable = |cause: String| {
            let text = format!("the HTTP API at {} can't be reached: {cause}", self.address);
            MilvusError::new(call, Kind::Unreachable, text)
        };
        let mut request = request.header(HOST, self.address.authority());
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| unreachable(causes(&error)))?;
        let to = (self.address.host.as_str(), self.address.port);
        let connected = tokio::time::timeout(self.connect_within, TcpStream::connect(to)).await;
        let stream = connected
            .map_err(|_| unreachable("no connection in time".to_owned()))?
            .map_err(|error| unreachable(causes(&error)))?;
        let answered = match &self.tls {
            None => exchange(stream, request).await,
            Some((connector, name)) => {
                let secured = connector.connect(name.clone(), stream).await;
                let stream = secured.map_err(|error| unreachable(causes(&error)))?;
                exchange(stream, request).await
            }
        };
        answered.map_err(|cause| {
            let text = format!("the HTTP API at {} broke off: {cause}", self.address);
            MilvusError::new(call, Kind::Unreachable, text).with_unknown_outcome(true)
        })
    }
}

fn bearer(uri: &str, plain: &Secret) -> Result<HeaderValue, ConnectError> {
    let value = HeaderValue::from_str(&format!("Bearer {}", plain.expose()));
    let mut value = value.map_err(|_| ConnectError::Credentials {
        uri: uri.to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// One request and its answer.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), String> {
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| causes(&error))?;
    let answered = async {
        let answer: Response<Incoming> = sender
            .send_request(request)
            .await
            .map_err(|error| causes(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect();
        let body = body.await.map_err(|error| error.to_string())?;
        Ok((status, body.to_bytes()))
    };
    // The connection lives as long as the exchange, and is dropped with it.
    tokio::pin!(answered);
    tokio::select! {
        answer = &mut answered => answer,
        ended = connection => match ended {
            // What came before its end is read.
            Ok(()) => answered.await,
            Err(error) => Err(causes(&error)),
        },
    }
}

fn read<T: DeserializeOwned>(
    call: Call<'_>,
    status: StatusCode,
    body: &[u8],
) -> Result<T, MilvusError> {
    let told = serde_json::from_slice::<Envelope<Value>>(body);
    match told {
        Ok(told) if status.is_success() && SUCCESS.contains(&told.code) => {
            let data = told.data.unwrap_or_default();
            serde_json::from_value(data)
                .map_err(|error| classify::answer(call, format!("its data: {error}")))
        }
        Ok(told) => Err(classify::rest(
            call,
            status.as_u16(),
            told.code,
            &told.message,
        )),
        Err(_) => Err(classify::rest(call, status.as_u16(), 0, "")),
    }
}

/// The TLS of every request of the same endpoint.
type Configuration = Arc<tokio_rustls::rustls::ClientConfig>;

#[cfg(test)]
mod tests;
