//! Having a server deny writes to a database: since Milvus 2.4, by a property of the database.

use crate::call::{Call, Kind as CallKind};
use crate::create::to_pairs;
use crate::error::Kind;
use crate::{Client, MilvusError};
use proto::milvus::service as wire;
use std::collections::BTreeMap;

/// The property, as Milvus calls it (milvus-io/milvus#34385).
const DENY_WRITING: &str = "database.force.deny.writing";

impl Client {
    /// Whether writes to a database are denied by its properties. Perhaps not by every part of the server yet.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn denies_writes(&self, database: &str) -> Result<bool, MilvusError> {
        let properties = self.describe_database(database).await?.properties;
        let denies = properties.get(DENY_WRITING);
        Ok(denies.is_some_and(|denies| denies.eq_ignore_ascii_case("true")))
    }

    /// Orders that writes to a database be denied, or no longer. It takes some seconds: see [`Client::refuses_writes`].
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn deny_writes(&self, database: &str, denied: bool) -> Result<(), MilvusError> {
        let property = BTreeMap::from([(DENY_WRITING.to_owned(), denied.to_string())]);
        let message = wire::AlterDatabaseRequest {
            db_name: database.to_owned(),
            properties: to_pairs(&property),
        };
        let call = Call::new("AlterDatabase", database, CallKind::Define);
        let client = self.in_database(database);
        client
            .define(call, message, |mut stub, q| async move {
                stub.alter_database(q).await
            })
            .await
    }

    /// Whether the server refuses to write to a collection for want of leave, by an insert of no rows: a server looks at its limits first,
    /// and at what is to be written only then, which it refuses in any case.
    ///
    /// # Errors
    /// [`MilvusError`] when the server can't be asked.
    pub async fn refuses_writes(&self, collection: &str) -> Result<bool, MilvusError> {
        let message = wire::InsertRequest {
            db_name: self.db_name(),
            collection_name: collection.to_owned(),
            ..wire::InsertRequest::default()
        };
        let call = Call::new("Insert", collection, CallKind::Write);
        let asked = self.call(
            call,
            message,
            |mut stub, q| async move { stub.insert(q).await },
        );
        match asked.await {
            Ok(wire::MutationResult { .. }) => Ok(false),
            Err(error) if error.kind() == Kind::Quota => Ok(true),
            Err(error) if error.kind() == Kind::Refused => Ok(false),
            Err(error) => Err(error),
        }
    }
}
