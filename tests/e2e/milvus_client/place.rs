//! A collection to try things on.

use super::rows::{self, KeyKind};
use anyhow::Result;
use milvus::{Client, Endpoint, NewCollection, RangeRead, ReadPoint, Rows};
use model::{Field, IndexSpec, Key, KeyRange, Schema};
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// A loaded collection with a primary key `pk` and a vector `v`; dropped and made anew each time.
pub(crate) struct Place {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) schema: Schema,
    pub(crate) dim: u64,
    fields: Vec<String>,
}

pub(crate) fn index() -> IndexSpec {
    let params = [
        ("index_type", "FLAT"),
        ("metric_type", "L2"),
        ("params", "{}"),
    ];
    let params = params.map(|(key, value)| (key.to_owned(), value.to_owned()));
    IndexSpec {
        name: "by_v".to_owned(),
        field: "v".to_owned(),
        params: params.into(),
    }
}

pub(crate) fn new_collection(name: &str, key: KeyKind, dim: u64) -> NewCollection {
    NewCollection {
        name: name.to_owned(),
        schema: rows::schema(name, key, dim),
        shards: 2,
        consistency_level: 2,
        properties: BTreeMap::new(),
        key_partitions: 0,
    }
}

impl Place {
    pub(crate) async fn make(uri: &str, name: &str, key: KeyKind, dim: u64) -> Result<Self> {
        Self::make_at(&Endpoint::new(uri), name, key, dim).await
    }

    pub(crate) async fn make_at(
        endpoint: &Endpoint,
        name: &str,
        key: KeyKind,
        dim: u64,
    ) -> Result<Self> {
        let client = Client::connect(endpoint).await?;
        client.drop_collection(name).await?;
        client
            .create_collection(&new_collection(name, key, dim))
            .await?;
        client.create_index(name, &index()).await?;
        client.load(name, 1).await?;
        client.wait_for_load(name, LIMIT, |_| ()).await?;
        let schema = client.describe_collection(name).await?.schema;
        let fields = schema.stored_names();
        Ok(Self {
            client,
            name: name.to_owned(),
            schema,
            dim,
            fields,
        })
    }

    /// What another server, or another database, has under the same name.
    pub(crate) fn seen_by(&self, client: Client) -> Self {
        Self {
            client,
            name: self.name.clone(),
            schema: self.schema.clone(),
            dim: self.dim,
            fields: self.fields.clone(),
        }
    }

    pub(crate) fn primary(&self) -> &Field {
        self.schema.primary().expect("the schema has a primary key")
    }

    pub(crate) async fn insert(&self, keys: &[Key], value: f32) -> Result<()> {
        self.insert_floats(keys, || value).await
    }

    /// A row for each key, whose vectors have these numbers.
    pub(crate) async fn insert_floats(
        &self,
        keys: &[Key],
        floats: impl FnMut() -> f32,
    ) -> Result<()> {
        let batch = rows::batch_of(keys, self.dim, floats);
        let done = self.client.insert(&self.rows(&batch)).await?;
        anyhow::ensure!(done.rows == keys.len() as u64, "{done:?}");
        Ok(())
    }

    pub(crate) fn rows<'a>(&'a self, batch: &'a model::Batch) -> Rows<'a> {
        Rows {
            collection: &self.name,
            partition: None,
            batch,
            omit: &[],
            flagged: &[],
        }
    }

    /// A read of a range that sees everything done so far.
    pub(crate) async fn read<'a>(&'a self, range: &'a KeyRange) -> Result<RangeRead<'a>> {
        Ok(self.read_at(range, self.client.read_point().await?))
    }

    pub(crate) fn read_at<'a>(&'a self, range: &'a KeyRange, seen: ReadPoint) -> RangeRead<'a> {
        let (collection, fields) = (&self.name, &self.fields);
        RangeRead {
            collection,
            partition: None,
            primary: self.primary(),
            fields,
            range,
            seen,
        }
    }

    /// The keys of all rows in a range, sorted.
    pub(crate) async fn keys(&self, range: &KeyRange) -> Result<Vec<Key>> {
        self.keys_at(range, self.client.read_point().await?).await
    }

    /// As [`Place::keys`], without waiting for the server's next tick.
    pub(crate) async fn keys_at(&self, range: &KeyRange, seen: ReadPoint) -> Result<Vec<Key>> {
        let batch = self.client.query_range(&self.read_at(range, seen)).await?;
        let mut keys = milvus::keys(&batch, "pk")?;
        keys.sort();
        Ok(keys)
    }

    pub(crate) async fn drop(self) -> Result<()> {
        Ok(self.client.drop_collection(&self.name).await?)
    }
}
