use super::*;
use milvus::ImportId;

const MARK: &str = "/7a/3/insert_log/";

/// Imports as a server lists them, with numbers from 1.
fn listed(told: &[(ImportState, Option<&str>)]) -> Vec<Import> {
    told.iter()
        .zip(1..)
        .map(|((state, files), number)| Import {
            id: ImportId::new(number),
            state: state.clone(),
            rows: 0,
            files: files.map(str::to_owned),
        })
        .collect()
}

fn failed_import() -> ImportState {
    ImportState::Failed {
        reason: "no disk".to_owned(),
    }
}

#[test]
fn the_latest_import_of_the_files_is_found_however_they_are_told() {
    let texts = [
        "/data/passage/job/7a/3/insert_log/,/data/passage/job/7a/3/delta_log/",
        "[/data/passage/job/7a/3/insert_log/449 /data/passage/job/7a/3/delta_log/449]",
        "id:9  paths:\"files/passage/job/7a/3/insert_log/449/\"",
    ];
    for text in texts {
        let imports = listed(&[
            (ImportState::Completed, Some(text)),
            (ImportState::Started, Some(text)),
            (failed_import(), Some(text)),
            (
                ImportState::Started,
                Some("/data/passage/job/7a/33/insert_log/449"),
            ),
            (ImportState::Pending, None),
        ]);
        let found = latest(&imports, MARK).unwrap();
        assert_eq!(found.state, ImportState::Started, "{text}");
        assert_eq!(found.files.as_deref(), Some(text));
    }
}

#[test]
fn an_import_may_be_anyones_while_it_is_under_way_and_does_not_tell_its_files() {
    let imports = listed(&[
        (ImportState::Pending, None),
        (ImportState::Started, None),
        (ImportState::Started, Some("/data/others")),
        (ImportState::Completed, None),
        (failed_import(), None),
    ]);
    let told: Vec<bool> = imports.iter().map(may_be_anyones).collect();
    assert_eq!(told, [true, true, false, false, false]);
}

#[test]
fn an_order_is_forgotten_some_minutes_before_milvus_forgets_it() {
    let ordered = SystemTime::UNIX_EPOCH;
    let after = |minutes| ordered + Duration::from_mins(minutes);
    assert!(!is_forgotten(ImportWay::Jobs, ordered, after(169)));
    assert!(is_forgotten(ImportWay::Jobs, ordered, after(170)));
    assert!(!is_forgotten(ImportWay::Calls, ordered, after(170)));
    // A clock that was set back forgets nothing.
    assert!(!is_forgotten(ImportWay::Jobs, after(5), ordered));
}
