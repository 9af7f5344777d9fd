//! Claims about collections, indexes, aliases and databases, and about what is not there.

use super::place::{LIMIT, Place, index, new_collection};
use super::rows::KeyKind;
use anyhow::{Context, Result, ensure};
use milvus::{Client, Endpoint, Kind, MilvusError, SchemaChanges};
use model::{Key, KeyRange, LoadState};
use std::collections::BTreeMap;

fn kind<T>(outcome: Result<T, MilvusError>) -> Option<Kind> {
    outcome.err().map(|error| error.kind())
}

/// A collection made out of a described one is described alike.
pub(super) async fn a_described_collection_can_be_made_again(uri: &str) -> Result<()> {
    let place = Place::make(uri, "original", KeyKind::VarChar, 4).await?;
    let client = &place.client;
    client.create_partition("original", "later").await?;
    let original = client.describe_collection("original").await?;
    client.drop_collection("again").await?;
    let changes = SchemaChanges {
        name: "again".to_owned(),
        ..SchemaChanges::default()
    };
    let mut new = new_collection("again", KeyKind::VarChar, 4);
    new.schema = milvus::schema::rewrite(&original.schema.raw, &changes)?;
    client.create_collection(&new).await?;
    client.create_partition("again", "later").await?;
    for index in &original.indexes {
        client.create_index("again", index).await?;
    }
    client.wait_for_indexes("again", LIMIT, |_| ()).await?;
    client.load("again", 1).await?;
    client.wait_for_load("again", LIMIT, |_| ()).await?;
    let mut again = client.describe_collection("again").await?;
    ensure!(again.channels.len() == original.channels.len());
    again.channels.clone_from(&original.channels);
    again.id = original.id;
    again.name = original.name.clone();
    again.schema.raw = original.schema.raw.clone();
    ensure!(again == original, "{again:?}\n{original:?}");
    client.drop_collection("again").await?;
    place.drop().await
}

/// Aliases come and go, and are found; asked by an alias, a collection answers.
pub(super) async fn aliases_are_made_found_moved_and_dropped(uri: &str) -> Result<()> {
    let place = Place::make(uri, "named", KeyKind::Int64, 2).await?;
    let client = &place.client;
    client.drop_alias("nickname").await?;
    client.create_alias("named", "nickname").await?;
    ensure!(client.describe_collection("named").await?.aliases == ["nickname"]);
    place.insert(&[Key::Int64(1)], 1.0).await?;
    let all = KeyRange::all();
    let read = milvus::RangeRead {
        collection: "nickname",
        ..place.read(&all).await?
    };
    ensure!(
        client.query_range(&read).await?.rows == 1,
        "reading by an alias"
    );
    ensure!(
        client
            .describe_collection("nickname")
            .await?
            .name
            .collection
            == "named"
    );
    let refused = kind(client.drop_collection("nickname").await);
    ensure!(refused == Some(Kind::Refused), "{refused:?}");
    let clash = kind(client.create_alias("named", "named").await);
    ensure!(clash == Some(Kind::AlreadyExists), "{clash:?}");
    client.drop_alias("nickname").await?;
    client.drop_alias("nickname").await?;
    ensure!(
        client
            .describe_collection("named")
            .await?
            .aliases
            .is_empty()
    );

    // Dropped with its collection, an alias is free for the next one.
    client.create_alias("named", "nickname").await?;
    place.drop().await?;
    let next = Place::make(uri, "renamed", KeyKind::Int64, 2).await?;
    next.client.create_alias("renamed", "nickname").await?;
    next.drop().await
}

/// A server that is to read its list of partitions anew has the same ones afterwards, and finds what was last made.
pub(super) async fn a_list_of_partitions_that_is_read_anew_is_the_same(uri: &str) -> Result<()> {
    let place = Place::make(uri, "parted", KeyKind::Int64, 2).await?;
    let client = &place.client;
    client.create_partition("parted", "later").await?;
    let before = client.list_partitions("parted").await?;
    let can = client.capabilities().release_partition;
    let refused = kind(client.renew_partitions("parted").await);
    ensure!(
        refused == (!can).then_some(Kind::Unimplemented),
        "{refused:?}"
    );
    ensure!(client.list_partitions("parted").await? == before);
    let batch = super::rows::batch(&[Key::Int64(1)], 2, 1.0);
    let rows = milvus::Rows {
        partition: Some("later"),
        ..place.rows(&batch)
    };
    client.insert(&rows).await?;
    let unseen = kind(client.ensure_no_partition("parted", "later").await);
    ensure!(unseen == Some(Kind::PartitionUnseen), "{unseen:?}");
    client.ensure_no_partition("parted", "nowhere").await?;
    place.drop().await
}

/// Each thing that is missing, not loaded or there already is told as that.
pub(super) async fn what_is_missing_is_told_apart(uri: &str) -> Result<()> {
    let place = Place::make(uri, "told_apart", KeyKind::Int64, 2).await?;
    let client = &place.client;
    ensure!(kind(client.describe_collection("nowhere").await) == Some(Kind::CollectionNotFound));
    ensure!(kind(client.load_state("nowhere").await) == Some(Kind::CollectionNotFound));
    client.drop_collection("nowhere").await?;
    let elsewhere = client.in_database("nowhere");
    ensure!(kind(elsewhere.list_collections().await) == Some(Kind::DatabaseNotFound));
    ensure!(
        kind(client.create_database("default", &BTreeMap::new()).await)
            == Some(Kind::AlreadyExists)
    );
    let other = new_collection("told_apart", KeyKind::VarChar, 4);
    ensure!(kind(client.create_collection(&other).await) == Some(Kind::AlreadyExists));

    let all = KeyRange::all();
    client.release("told_apart").await?;
    ensure!(client.load_state("told_apart").await? == LoadState::NotLoaded);
    let read = place.read(&all).await?;
    ensure!(kind(client.query_range(&read).await) == Some(Kind::NotLoaded));
    client.drop_index("told_apart", &index()).await?;
    ensure!(client.list_indexes("told_apart").await?.is_empty());
    let batch = super::rows::batch(&[Key::Int64(1)], 2, 1.0);
    let rows = milvus::Rows {
        partition: Some("nowhere"),
        ..place.rows(&batch)
    };
    let error = client
        .insert(&rows)
        .await
        .err()
        .context("inserted into no partition")?;
    ensure!(
        error.kind() == Kind::PartitionNotFound && !error.is_outcome_unknown(),
        "{error}"
    );
    place.drop().await
}

/// A collection in another database is another one, and is found in its own only.
pub(super) async fn databases_keep_their_collections_apart(uri: &str) -> Result<()> {
    let client = Client::connect(&Endpoint::new(uri)).await?;
    let other = client.in_database("apart");
    if client.list_databases().await?.contains(&"apart".to_owned()) {
        other.drop_collection("somewhere").await?;
        client.drop_database("apart").await?;
    }
    client.create_database("apart", &BTreeMap::new()).await?;
    client.drop_collection("somewhere").await?;
    other
        .create_collection(&new_collection("somewhere", KeyKind::Int64, 2))
        .await?;
    ensure!(other.list_collections().await? == ["somewhere"]);
    ensure!(
        !client
            .list_collections()
            .await?
            .contains(&"somewhere".to_owned())
    );
    ensure!(other.describe_collection("somewhere").await?.name.database == "apart");
    let found = client.databases().await?;
    ensure!(
        found.iter().any(|database| database.name == "apart"),
        "{found:?}"
    );
    other.drop_collection("somewhere").await?;
    Ok(client.drop_database("apart").await?)
}
