//! The files that the fake is to import, as Milvus 2.4 to 2.6 look at them (`internal/datacoord/import_util.go`,
//! `internal/util/importutilv2/binlog/util.go`).

use super::jobs::{Create, IMPORT_FAILED, Refusal, told};
use crate::python;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// The fields of every row beside the schema's: its number and its time.
const SYSTEM_FIELDS: [&str; 2] = ["0", "1"];

/// How a file of several fields begins.
const PARQUET: &[u8] = b"PAR1";

/// How long it takes at most to make other files of them.
const UNGROUPED_WITHIN: Duration = Duration::from_secs(60);

/// The segments below one folder or two, told as 2.6 tells them.
pub(super) fn segments_of(paths: &[String], is_grouped: bool) -> Result<Vec<String>, Refusal> {
    let [rows, deletes @ ..] = paths else {
        return told(IMPORT_FAILED, "no insert binlogs to import");
    };
    if deletes.len() > 1 || paths.iter().any(|path| !path.ends_with('/')) {
        return told(
            IMPORT_FAILED,
            &format!("too many input paths, or no folders: {paths:?}"),
        );
    }
    let mut segments = Vec::new();
    for segment in names(Path::new(rows)) {
        verify(&Path::new(rows).join(&segment), is_grouped)?;
        let mut told = vec![format!("{rows}{segment}")];
        let with_deletes = deletes.iter().map(|folder| format!("{folder}{segment}"));
        told.extend(with_deletes.filter(|folder| Path::new(folder).exists()));
        segments.push(format!("[{}]", told.join(" ")));
    }
    Ok(segments)
}

/// A segment has the fields of every row, or the group of those, and of each field or group as many files. Their form is what was said.
fn verify(segment: &Path, is_grouped: bool) -> Result<(), Refusal> {
    let fields = names(segment);
    let wanted = match is_grouped {
        true => &SYSTEM_FIELDS[..1],
        false => &SYSTEM_FIELDS[..],
    };
    if let Some(lacking) = wanted.iter().find(|field| !fields.contains(**field)) {
        return told(IMPORT_FAILED, &format!("no binlog for field {lacking}"));
    }
    let counts: BTreeSet<usize> = fields
        .iter()
        .map(|field| names(&segment.join(field)).len())
        .collect();
    if counts.len() > 1 {
        return told(IMPORT_FAILED, "misaligned binlog count");
    }
    for field in &fields {
        for log in names(&segment.join(field)) {
            let file = std::fs::read(segment.join(field).join(&log)).unwrap_or_default();
            if file.starts_with(PARQUET) != is_grouped {
                let text = format!("{segment:?}/{field}/{log} has another form than was said");
                return told(IMPORT_FAILED, &text);
            }
        }
    }
    Ok(())
}

/// The folders of the same segments, with files of one field each that are made of theirs.
pub(super) async fn ungrouped(
    server: &str,
    asked: &Create,
    paths: &[String],
) -> Result<Vec<String>, Refusal> {
    let failed =
        |error: &dyn std::fmt::Display| Refusal::Told(200, IMPORT_FAILED, error.to_string());
    let [rows, deletes @ ..] = paths else {
        return told(IMPORT_FAILED, "no insert binlogs to import");
    };
    // Beside the folder that is imported: it goes with that.
    let folder = rows
        .trim_end_matches('/')
        .replace("/insert_log", "/ungrouped/insert_log");
    let words = [
        "ungroup",
        "--uri",
        server,
        "--db",
        &asked.db_name,
        "--collection",
        &asked.collection_name,
        "--source",
        rows,
        "--target",
        &folder,
    ];
    let made = python::testbed_done(&words, UNGROUPED_WITHIN).await;
    made.map_err(|error| failed(&format!("{error:#}")))?;
    let mut paths = vec![format!("{folder}/")];
    paths.extend(deletes.iter().cloned());
    Ok(paths)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
