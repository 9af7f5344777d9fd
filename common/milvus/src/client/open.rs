//! Opening the connections.

use super::Line;
use crate::error::causes;
use crate::rest::Rest;
use crate::{Endpoint, MilvusError, Secret, Tls};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{Class, Fault, codes};
use proto::milvus::service::milvus_service_client::MilvusServiceClient;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

/// Answers may be as large as the largest default of any Milvus.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// Above the largest request that Passage makes, so that the server is the one that refuses.
const MAX_REQUEST_BYTES: usize = 64 << 20;
const STREAM_WINDOW_BYTES: u32 = 16 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 64 << 20;
const MAX_FRAME_BYTES: u32 = 1 << 20;
/// Milvus refuses clients that ping more often than every 5 s.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_PATIENCE: Duration = Duration::from_secs(10);

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one.
    #[error("Milvus address {uri:?} is not valid: {cause}")]
    Address {
        /// The address; without what stood before an `@`, which may be secret.
        uri: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A file for TLS can't be read.
    #[error("TLS file {} can't be read: {cause}", path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The files for TLS don't fit together, or are no PEM.
    #[error("TLS settings for Milvus at {uri} can't be used: {cause}")]
    TlsSettings {
        /// The address.
        uri: String,
        /// What is wrong with them.
        cause: String,
    },
    /// A token or password that can't stand in a header.
    #[error("the credentials for Milvus at {uri} can't be sent")]
    Credentials {
        /// The address.
        uri: String,
    },
    /// Nobody answers there, or TLS failed.
    #[error("Milvus at {uri} can't be reached: {cause}")]
    Unreachable {
        /// The address.
        uri: String,
        /// Every cause down to the system's.
        cause: String,
    },
    /// The server's certificate is not one to trust, or it does not trust ours.
    #[error("Milvus at {uri} and Passage don't trust each other: {cause}")]
    Untrusted {
        /// The address.
        uri: String,
        /// What is wrong with whose certificate.
        cause: String,
    },
    /// The server answered, but did not let us in.
    #[error(transparent)]
    Refused(MilvusError),
}

impl From<ConnectError> for Fault {
    fn from(error: ConnectError) -> Self {
        let text = error.to_string();
        match error {
            ConnectError::Refused(error) => error.into(),
            ConnectError::Unreachable { .. } => Self::new(
                codes::MILVUS_UNREACHABLE,
                Class::Transient,
                text,
                "check the address, the network, whether the server runs, and whether both sides speak TLS",
            ),
            ConnectError::Untrusted { cause, .. } => {
                let is_expired = cause.contains("xpired");
                let code = if is_expired {
                    codes::CERTIFICATE_EXPIRED
                } else {
                    codes::CERTIFICATE_INVALID
                };
                let hint = "check milvus.tls in the configuration: ca_pem_path, server_name, client_pem_path and client_key_path";
                Self::new(code, Class::Operator, text, hint)
            }
            ConnectError::Address { .. } | ConnectError::Credentials { .. } => Self::new(
                codes::CONFIG_INVALID,
                Class::Operator,
                text,
                "correct the section milvus of the configuration",
            ),
            ConnectError::TlsFile { .. } | ConnectError::TlsSettings { .. } => Self::new(
                codes::CERTIFICATE_INVALID,
                Class::Operator,
                text,
                "correct milvus.tls in the configuration",
            ),
        }
    }
}

/// Opens every connection of the endpoint.
pub(super) async fn open(endpoint: &Endpoint) -> Result<Line, ConnectError> {
    let transport = transport(endpoint)?;
    let mut stubs = Vec::new();
    for _ in 0..endpoint.connections.max(1) {
        let channel = connect(endpoint, &transport).await?;
        let stub = MilvusServiceClient::new(channel)
            .max_decoding_message_size(MAX_ANSWER_BYTES)
            .max_encoding_message_size(MAX_REQUEST_BYTES);
        stubs.push(stub);
    }
    let plain = endpoint.credentials.plain();
    Ok(Line {
        uri: endpoint.uri.clone(),
        stubs,
        next: AtomicUsize::new(0),
        deadlines: endpoint.deadlines,
        max_request_bytes: endpoint.max_request_bytes.min(MAX_REQUEST_BYTES),
        authorization: plain.map(|plain| header(endpoint, &plain)).transpose()?,
        rest: Rest::of(endpoint)?,
        management: endpoint
            .management_uri
            .as_deref()
            .map(|uri| Rest::at(endpoint, uri))
            .transpose()?,
    })
}

fn header(endpoint: &Endpoint, plain: &Secret) -> Result<MetadataValue<Ascii>, ConnectError> {
    let mut value: MetadataValue<Ascii> =
        STANDARD
            .encode(plain.expose())
            .parse()
            .map_err(|_| ConnectError::Credentials {
                uri: endpoint.uri.clone(),
            })?;
    value.set_sensitive(true);
    Ok(value)
}

async fn connect(
    endpoint: &Endpoint,
    transport: &tonic::transport::Endpoint,
) -> Result<Channel, ConnectError> {
    let unreachable = |cause| unreachable(&endpoint.uri, cause);
    let limit = endpoint.deadlines.connect;
    match tokio::time::timeout(limit, transport.connect()).await {
        Err(_) => Err(unreachable(format!(
            "no connection within {} s",
            limit.as_secs_f32()
        ))),
        Ok(Err(error)) => Err(unreachable(causes(&error))),
        Ok(Ok(channel)) => Ok(channel),
    }
}

/// A connection that failed, told apart by its cause. What a server has against our certificate it says only after its side of
/// the handshake, so that it shows in the first call.
pub(super) fn unreachable(uri: &str, cause: String) -> ConnectError {
    let uri = uri.to_owned();
    let is_distrust = cause.contains("peer certificate") || cause.contains("fatal alert");
    if is_distrust {
        ConnectError::Untrusted { uri, cause }
    } else {
        ConnectError::Unreachable { uri, cause }
    }
}

fn transport(endpoint: &Endpoint) -> Result<tonic::transport::Endpoint, ConnectError> {
    let (scheme, authority) = endpoint
        .uri
        .split_once("://")
        .unwrap_or(("", &endpoint.uri));
    let address = |cause: &str| {
        let shown = authority.rsplit('@').next().unwrap_or_default();
        let uri = if scheme.is_empty() {
            shown.to_owned()
        } else {
            format!("{scheme}://{shown}")
        };
        ConnectError::Address {
            uri,
            cause: cause.to_owned(),
        }
    };
    if authority.contains('@') {
        return Err(address(
            "user and password belong into settings of their own",
        ));
    }
    if !matches!(scheme, "http" | "https") {
        return Err(address("it must begin with http:// or https://"));
    }
    let mut transport = tonic::transport::Endpoint::from_shared(endpoint.uri.clone())
        .map_err(|error| address(&causes(&error)))?
        .connect_timeout(endpoint.deadlines.connect)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_PATIENCE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(MAX_FRAME_BYTES);
    if scheme == "https" {
        let unfit = |error| ConnectError::TlsSettings {
            uri: endpoint.uri.clone(),
            cause: causes(&error),
        };
        transport = transport
            .tls_config(tls(&endpoint.tls, &endpoint.uri)?)
            .map_err(unfit)?;
    }
    Ok(transport)
}

fn tls(files: &Tls, uri: &str) -> Result<ClientTlsConfig, ConnectError> {
    let mut config = ClientTlsConfig::new().assume_http2(true);
    config = match &files.ca_pem_path {
        Some(path) => config.ca_certificate(certificates(path, uri)?),
        None => config.with_native_roots(),
    };
    config = match (&files.client_pem_path, &files.client_key_path) {
        (Some(certificate), Some(key)) => {
            config.identity(Identity::from_pem(read(certificate)?, read(key)?))
        }
        (None, None) => config,
        _ => {
            let cause = "client_pem_path and client_key_path go together".to_owned();
            return Err(ConnectError::TlsSettings {
                uri: uri.to_owned(),
                cause,
            });
        }
    };
    Ok(match &files.server_name {
        Some(name) => config.domain_name(name.clone()),
        None => config,
    })
}

/// The certificates of a file. One without any would make every server untrusted, and nobody told why.
fn certificates(path: &Path, uri: &str) -> Result<Certificate, ConnectError> {
    let pem = read(path)?;
    let mark = b"-----BEGIN CERTIFICATE-----";
    if pem.windows(mark.len()).any(|part| part == mark) {
        return Ok(Certificate::from_pem(pem));
    }
    let cause = format!("{} holds no certificate", path.display());
    Err(ConnectError::TlsSettings {
        uri: uri.to_owned(),
        cause,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, ConnectError> {
    std::fs::read(path).map_err(|cause| ConnectError::TlsFile {
        path: path.to_owned(),
        cause,
    })
}
