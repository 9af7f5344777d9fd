//! Asking a server what it knows.
//!
//! A call that a server does not know is answered with gRPC's UNIMPLEMENTED, whatever else is wrong with it; so an empty call
//! tells, and changes nothing. Missing rights do not mislead: a refusal means that the call is known.

use super::Capabilities;
use crate::call::{Call, Kind as CallKind};
use crate::error::Kind;
use crate::{Client, MilvusError};
use model::name::DEFAULT_DATABASE;
use proto::milvus::common::Status;
use proto::milvus::service as wire;

/// A name that no database can have: where none is given, Milvus takes the default one.
const NO_DATABASE: &str = "no database";

impl Client {
    /// Corrects what the version says by what the server knows.
    pub(crate) async fn probe(&self, mut can: Capabilities) -> Result<Capabilities, MilvusError> {
        let call = |name| Call::new(name, "", CallKind::Describe);

        can.databases = is_known(self.list_databases().await)?;

        let message = wire::DescribeDatabaseRequest {
            db_name: DEFAULT_DATABASE.to_owned(),
        };
        let asked = self.call(
            call("DescribeDatabase"),
            message,
            |mut stub, q| async move { stub.describe_database(q).await },
        );
        can.describe_database = is_known(asked.await)?;

        let message = wire::AlterDatabaseRequest {
            db_name: NO_DATABASE.to_owned(),
            ..wire::AlterDatabaseRequest::default()
        };
        let asked = self.call(call("AlterDatabase"), message, |mut stub, q| async move {
            stub.alter_database(q).await
        });
        let asked: Result<Status, _> = asked.await;
        can.alter_database = is_known(asked)?;

        let message = wire::ListAliasesRequest::default();
        let asked = self.call(call("ListAliases"), message, |mut stub, q| async move {
            stub.list_aliases(q).await
        });
        can.list_aliases = is_known(asked.await)?;

        let message = wire::AllocTimestampRequest {};
        let asked = self.call(call("AllocTimestamp"), message, |mut stub, q| async move {
            stub.alloc_timestamp(q).await
        });
        can.alloc_timestamp = is_known(asked.await)?;

        let message = wire::UpsertRequest::default();
        let asked = self.call(call("Upsert"), message, |mut stub, q| async move {
            stub.upsert(q).await
        });
        can.upsert &= is_known(asked.await)?;

        // Zilliz Cloud refuses this one in a way of its own.
        if can.replicas {
            let message = wire::GetReplicasRequest::default();
            let asked = self.call(call("GetReplicas"), message, |mut stub, q| async move {
                stub.get_replicas(q).await
            });
            can.replicas = is_known(asked.await)?;
        }
        Ok(can)
    }
}

/// Whether a call is known, by what came of it. Only a server that can't be asked is an error.
fn is_known<T>(asked: Result<T, MilvusError>) -> Result<bool, MilvusError> {
    match asked {
        Ok(_) => Ok(true),
        Err(error) => match error.kind() {
            Kind::Unimplemented => Ok(false),
            Kind::Unreachable | Kind::Timeout | Kind::Unauthenticated => Err(error),
            _ => Ok(true),
        },
    }
}
