//! Files of segments that lie on another server's disk become its rows, with their keys and without what was deleted.

use super::{LIMIT, answered, hold_against};
use crate::fleet;
use crate::milvus_client::place::Place;
use crate::milvus_client::rows::KeyKind;
use anyhow::{Context, Result};
use harness::servers::Server;
use harness::{places, wait};
use milvus::{Client, Import, ImportId, ImportOrder, ImportState, Segment, SegmentState};
use model::Key;
use std::path::Path;

fn as_folder(path: &Path) -> String {
    format!("{}/", path.display())
}

/// Waits until an import has ended.
async fn ended(client: &Client, ordered: Option<ImportId>) -> Result<Import> {
    let id = ordered.context("an import was ordered")?;
    wait::until("the end of an import", LIMIT, || async {
        let import = client.import_state(id).await?;
        let is_over = matches!(
            import.state,
            ImportState::Completed | ImportState::Failed { .. }
        );
        Ok(is_over.then_some(import))
    })
    .await
}

/// From one server's disk to the other's, and into its collection.
async fn files_are_imported(source: &Server, target: &Server, name: &str) -> Result<()> {
    let keys: Vec<Key> = (0..3000).map(Key::Int64).collect();
    let place = Place::make(source.uri(), name, KeyKind::Int64, 4).await?;
    place.insert(&keys, 1.0).await?;
    let (client, primary) = (&place.client, place.primary());
    // Fewer than would have the server write the segments anew without them.
    client.delete(name, None, primary, &keys[500..800]).await?;
    let spec = client.describe_collection(name).await?;
    hold_against(source, client, &spec).await?;
    let segments = client.segments(name).await?;
    let rows: u64 = segments.iter().map(|segment| segment.rows).sum();
    assert_eq!(rows, 3000, "{segments:?}");
    let in_files = |segment: &Segment| segment.state == SegmentState::Flushed;
    assert!(segments.iter().all(in_files), "{segments:?}");

    let taken = Place::make(target.uri(), name, KeyKind::Int64, 4).await?;
    let staging = target.objects().join("staging").join(name);
    for segment in &segments {
        let own = format!("{}/{}/{}", spec.id, segment.partition, segment.id);
        let folders = ["insert_log", "delta_log"].map(|log| (log, staging.join(log).join(&own)));
        for (log, to) in &folders {
            let from = source.objects().join(log).join(&own);
            if from.exists() {
                places::copy_folder(&from, to)?;
            }
        }
        let [rows, deletes] = folders.map(|(_, folder)| folder);
        let deletes = deletes.exists().then(|| as_folder(&deletes));
        let rows = as_folder(&rows);
        let order = ImportOrder {
            collection: name,
            partition: Some("_default"),
            rows: &rows,
            deletes: deletes.as_deref(),
            is_grouped: false,
        };
        let import = ended(&taken.client, taken.client.import(&order).await?).await?;
        assert_eq!(import.state, ImportState::Completed, "{import:?}");
        let known = taken.client.imports(name).await?;
        let is_it = |known: &Import| {
            let files = known.files.as_deref().unwrap_or_default();
            known.id == import.id && files.contains(&rows)
        };
        assert!(known.iter().any(is_it), "{known:?}");
    }
    let there = wait::until("all imported rows", LIMIT, || async {
        let there = answered(
            &taken.client,
            &taken.client.describe_collection(name).await?,
        )
        .await?;
        Ok((there.len() == 2700).then_some(there))
    });
    assert_eq!(there.await?, answered(client, &spec).await?);

    let nowhere = as_folder(&staging.join("nowhere"));
    let order = ImportOrder {
        collection: name,
        partition: Some("_default"),
        rows: &nowhere,
        deletes: None,
        is_grouped: false,
    };
    // It is not refused: who imports has to count.
    let import = ended(&taken.client, taken.client.import(&order).await?).await?;
    assert_eq!(
        (&import.state, import.rows),
        (&ImportState::Completed, 0),
        "{import:?}"
    );
    taken.drop().await?;
    place.drop().await
}

#[test]
fn files_of_2_3_5_on_another_ones_disk_are_imported_with_keys_and_without_what_was_deleted()
-> Result<()> {
    fleet::run(async {
        let turn = fleet::full().await?;
        files_are_imported(&turn.server, fleet::target().await?, "imported").await
    })
}

#[test]
fn files_of_2_2_16_are_imported_by_2_3_5() -> Result<()> {
    fleet::run(async {
        let turn = fleet::full_old().await?;
        files_are_imported(&turn.server, fleet::target().await?, "imported_from_old").await
    })
}
