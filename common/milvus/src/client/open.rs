//! Opening the connections, and introducing ourselves.

use super::{Client, Shared};
use crate::call::{Call, Kind as CallKind};
use crate::error::Kind;
use crate::{Capabilities, Endpoint, MilvusError, Product, Secret, ServerVersion, Tls};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{Class, Fault, codes};
use proto::milvus::common::ClientInfo;
use proto::milvus::service as wire;
use proto::milvus::service::milvus_service_client::MilvusServiceClient;
use std::error::Error;
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

/// Opens every connection of the endpoint. What only the server can tell is filled in later.
pub(super) async fn open(endpoint: &Endpoint) -> Result<Shared, ConnectError> {
    let transport = transport(endpoint)?;
    let mut stubs = Vec::new();
    for _ in 0..endpoint.connections.max(1) {
        let channel = connect(endpoint, &transport).await?;
        let stub = MilvusServiceClient::new(channel)
            .max_decoding_message_size(MAX_ANSWER_BYTES)
            .max_encoding_message_size(MAX_REQUEST_BYTES);
        stubs.push(stub);
    }
    let version = ServerVersion::parse("");
    Ok(Shared {
        uri: endpoint.uri.clone(),
        stubs,
        next: AtomicUsize::new(0),
        deadlines: endpoint.deadlines,
        max_request_bytes: endpoint.max_request_bytes.min(MAX_REQUEST_BYTES),
        authorization: endpoint
            .credentials
            .plain()
            .map(|plain| header(endpoint, &plain))
            .transpose()?,
        identifier: None,
        capabilities: Capabilities::of(&version),
        version,
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
    let unreachable = |cause| ConnectError::Unreachable {
        uri: endpoint.uri.clone(),
        cause,
    };
    let limit = endpoint.deadlines.connect;
    match tokio::time::timeout(limit, transport.connect()).await {
        Err(_) => Err(unreachable(format!(
            "no connection within {} s",
            limit.as_secs_f32()
        ))),
        Ok(Err(error)) => Err(unreachable(chain(&error))),
        Ok(Ok(channel)) => Ok(channel),
    }
}

/// An error and all its causes; tonic's own text is "transport error" and no more.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

fn transport(endpoint: &Endpoint) -> Result<tonic::transport::Endpoint, ConnectError> {
    let (scheme, authority) = endpoint
        .uri
        .split_once("://")
        .unwrap_or(("", &endpoint.uri));
    let address = |cause: &str| {
        let shown = authority.rsplit('@').next().unwrap_or_default();
        ConnectError::Address {
            uri: format!("{scheme}://{shown}"),
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
        .map_err(|error| address(&chain(&error)))?
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
            cause: chain(&error),
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
        Some(path) => config.ca_certificate(Certificate::from_pem(read(path)?)),
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

fn read(path: &Path) -> Result<Vec<u8>, ConnectError> {
    std::fs::read(path).map_err(|cause| ConnectError::TlsFile {
        path: path.to_owned(),
        cause,
    })
}

impl Client {
    /// Says who we are, and learns who the server is. A server that knows neither call is of unknown version.
    pub(super) async fn introduce(
        &self,
    ) -> Result<(ServerVersion, Option<MetadataValue<Ascii>>), MilvusError> {
        let info = ClientInfo {
            sdk_type: "passage".to_owned(),
            sdk_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..ClientInfo::default()
        };
        let call = Call::new("Connect", "", CallKind::Connect);
        let message = wire::ConnectRequest {
            client_info: Some(info),
        };
        let answer = self.call(
            call,
            message,
            |mut stub, q| async move { stub.connect(q).await },
        );
        let (tags, identifier) = match answer.await {
            Ok(answer) => (
                answer.server_info.unwrap_or_default().build_tags,
                answer.identifier,
            ),
            Err(error) if error.kind() == Kind::Unimplemented => (String::new(), 0),
            Err(error) => return Err(error),
        };
        let mut version = ServerVersion::parse(&tags);
        if version.number().is_none() {
            version = self.ask_version(&version).await?;
        }
        let identifier = (identifier != 0).then(|| MetadataValue::from(identifier));
        Ok((version, identifier))
    }

    /// Milvus Lite tells its version here only, and Zilliz Cloud in the other call only.
    async fn ask_version(&self, known: &ServerVersion) -> Result<ServerVersion, MilvusError> {
        let call = Call::new("GetVersion", "", CallKind::Connect);
        let message = wire::GetVersionRequest {};
        let answer = self.call(call, message, |mut stub, q| async move {
            stub.get_version(q).await
        });
        match answer.await {
            Ok(answer) => {
                let told = ServerVersion::parse(&answer.version);
                let keeps = told.number().is_none() && known.product() != Product::Milvus;
                Ok(if keeps { known.clone() } else { told })
            }
            Err(error) if error.kind() == Kind::Unimplemented => Ok(known.clone()),
            Err(error) => Err(error),
        }
    }
}
