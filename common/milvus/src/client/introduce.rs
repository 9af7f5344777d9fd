//! Being introduced: who we are, and who the server is.

use super::open::{ConnectError, unreachable};
use super::{Client, Known};
use crate::call::{Call, Kind as CallKind};
use crate::error::Kind;
use crate::{MilvusError, Product, ServerVersion};
use proto::milvus::common::ClientInfo;
use proto::milvus::service as wire;
use tonic::metadata::MetadataValue;

/// What the first calls failed with.
pub(super) fn refused(uri: &str, error: MilvusError) -> ConnectError {
    match error.kind() {
        Kind::Unreachable | Kind::Timeout => unreachable(uri, error.text().to_owned()),
        _ => ConnectError::Refused(error),
    }
}

impl Client {
    /// Says who we are, and learns who the server is.
    pub(super) async fn introduce(&self) -> Result<Known, MilvusError> {
        let info = ClientInfo {
            sdk_type: "passage".to_owned(),
            sdk_version: env!("CARGO_PKG_VERSION").to_owned(),
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
        Ok(Known::of(version, identifier))
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
            // Every Milvus since 2.2.1 knows one of the two calls.
            Err(error) if error.kind() == Kind::Unimplemented && known.text().is_empty() => Err(
                MilvusError::new(call, Kind::Answer, "this server is no Milvus"),
            ),
            Err(error) if error.kind() == Kind::Unimplemented => Ok(known.clone()),
            Err(error) => Err(error),
        }
    }
}
