//! The ceiling of copying by files: the folders of a collection's segments copied by hand, and one import of all of them.

use crate::{COLLECTION, LIMIT, Measured, Stopwatch};
use anyhow::{Context, Result, ensure};
use harness::servers::Server;
use harness::{places, wait};
use milvus::{ImportOrder, ImportState, NewCollection};
use std::time::Duration;

/// Copies the files, and has the target import them.
pub(crate) async fn measure(
    source: &Server,
    target: &Server,
    made: &NewCollection,
    rows: u64,
) -> Result<Measured> {
    let (reader, writer) = (source.client().await?, target.client().await?);
    writer.create_collection(made).await?;
    let described = reader.describe_collection(COLLECTION).await?;
    let watch = Stopwatch::start(source, target);
    let flush = reader.flush(COLLECTION).await?;
    reader.wait_for_flush(COLLECTION, &flush, LIMIT).await?;
    let rows_of = source.objects().join("insert_log");
    let staging = target.objects().join("by_hand");
    // Others that lie there were compacted.
    for segment in reader.segments(COLLECTION).await? {
        let (id, partition) = (segment.id, segment.partition);
        let from = rows_of.join(format!("{}/{partition}/{id}", described.id));
        let to = staging.join(id.to_string());
        tokio::task::spawn_blocking(move || places::copy_folder(&from, &to)).await??;
    }
    let folder = format!("{}/", staging.display());
    let order = ImportOrder {
        collection: COLLECTION,
        partition: Some("_default"),
        rows: &folder,
        deletes: None,
        is_grouped: false,
    };
    let ordered = writer.import(&order).await?;
    let id = ordered.context("an import")?;
    let imported = wait::until("the import", LIMIT, || async {
        let import = writer.import_state(id).await?;
        ensure!(
            !matches!(import.state, ImportState::Failed { .. }),
            "{import:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok((import.state == ImportState::Completed).then_some(import.rows))
    });
    let imported = imported.await?;
    ensure!(imported == rows, "{imported} of {rows} rows are there");
    let measured = watch.stop("ceiling: files copied by hand, one import", rows);
    std::fs::remove_dir_all(staging)?;
    Ok(measured)
}
