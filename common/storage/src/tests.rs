//! Files on a disk: written whole or not at all.

use super::*;
use runtime::config::StorageSection;
use tempfile::TempDir;

fn on_disk() -> (TempDir, Storage) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let section = StorageSection::Local {
        path,
        server_path: None,
    };
    let storage = Storage::open(&section).unwrap();
    (folder, storage)
}

#[tokio::test]
async fn a_file_is_there_when_it_has_ended_and_no_sooner() {
    let (_folder, storage) = on_disk();
    let mut upload = storage.upload("a/insert_log/1", "a/coming").await.unwrap();
    upload.write(&Bytes::from_static(b"begin ")).await.unwrap();
    upload.write(&Bytes::from_static(b"end")).await.unwrap();
    assert_eq!(upload.bytes(), 9);
    assert_eq!(storage.files("a/insert_log").await.unwrap(), []);
    upload.finish().await.unwrap();
    let file = StoredFile {
        path: "a/insert_log/1".into(),
        bytes: 9,
    };
    assert_eq!(storage.files("a").await.unwrap(), [file]);
    let read = storage.read_range("a/insert_log/1", 6..9).await.unwrap();
    assert_eq!(read, "end");
}

#[tokio::test]
async fn what_was_begun_and_dropped_is_no_file_of_its_folder_and_goes_with_all() {
    let (folder, storage) = on_disk();
    let mut upload = storage.upload("a/insert_log/1", "a/coming").await.unwrap();
    upload.write(&Bytes::from_static(b"half")).await.unwrap();
    drop(upload);
    assert_eq!(storage.files("a/insert_log").await.unwrap(), []);
    storage.remove("a").await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    storage.remove("a").await.unwrap();
}

#[tokio::test]
async fn a_piece_that_was_written_in_part_is_written_again_at_its_place() {
    let (folder, storage) = on_disk();
    let mut upload = storage.upload("f", "coming").await.unwrap();
    upload.write(&Bytes::from_static(b"begin ")).await.unwrap();
    // As an earlier attempt leaves it, when the disk was full.
    let beside = std::fs::read_dir(folder.path().join("coming")).unwrap();
    let beside = beside.map(|entry| entry.unwrap().path()).next().unwrap();
    let mut file = std::fs::File::options().append(true).open(beside).unwrap();
    std::io::Write::write_all(&mut file, b"half of it").unwrap();
    upload.write(&Bytes::from_static(b"end")).await.unwrap();
    upload.finish().await.unwrap();
    assert_eq!(
        std::fs::read(folder.path().join("f")).unwrap(),
        b"begin end"
    );
}

#[tokio::test]
async fn milvus_is_told_an_absolute_folder() {
    let (folder, storage) = on_disk();
    let told = storage.name_for_milvus("passage/job/1");
    assert_eq!(told, format!("{}/passage/job/1/", folder.path().display()));
}

#[tokio::test]
async fn milvus_is_told_the_path_that_it_sees() {
    let folder = tempfile::tempdir().unwrap();
    let section = StorageSection::Local {
        path: folder.path().to_owned(),
        server_path: Some("/var/lib/milvus/data".into()),
    };
    let storage = Storage::open(&section).unwrap();
    storage.put("passage/job/1", "x".into()).await.unwrap();
    assert!(folder.path().join("passage/job/1").exists());
    let told = storage.name_for_milvus("passage/job");
    assert_eq!(told, "/var/lib/milvus/data/passage/job/");
}

#[test]
fn what_a_disk_says_is_found_below_what_the_library_says_of_it() {
    use std::io::ErrorKind;
    let cases = [
        (ErrorKind::PermissionDenied, StorageKind::Denied),
        (ErrorKind::StorageFull, StorageKind::Full),
        (ErrorKind::ConnectionRefused, StorageKind::Unreachable),
    ];
    for (said, kind) in cases {
        let error = object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(std::io::Error::from(said)),
        };
        assert_eq!(StorageError::of("disk", "file", error).kind(), kind);
    }
}
