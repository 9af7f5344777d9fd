//! Files of segments as Milvus 2.6 writes them, several fields in each; and a server that says which files its segments have.
//!
//! No later server was at hand. The files are made of those that a real 2.3.5 wrote, by another implementation than the one that reads them
//! and after what Milvus's sources say (`testbed/grouped.py`); and a fake stands before that server, says that it is a later one, and
//! describes its segments. The rows, and the target, are real.

use crate::copy::{AUTO_ID_OFF, FULL_LIMIT, UNREADABLE, readable};
use crate::fleet;
use crate::from_segments::{is_youngest_of_several, told, written};
use crate::milvus_client::rows::KeyKind;
use anyhow::{Context, Result};
use harness::agents::Pair;
use harness::fake_rest_import::{self, FakeRestImport};
use harness::fake_segments::FakeSegments;
use harness::oracle::Comparison;
use harness::servers::{Bulk, Server};
use harness::{jobs, python};
use milvus::{Client, Endpoint};
use model::{CollectionName, JobStatus, codes};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(240);

const USER: &str = "root";
const PASSWORD: &str = "Milvus";

/// The versions that write several fields into a file, and that say which files a segment has.
const GROUPING: &str = "v2.6.4";
const DESCRIBING: &str = "v2.5.8";

/// A source behind a fake, with these files, and a target.
struct Later {
    pair: Pair,
    front: FakeSegments,
}

impl Later {
    async fn new(
        source: &Server,
        target: &Server,
        version: &'static str,
        files: &Path,
    ) -> Result<Self> {
        let token = format!("{USER}:{PASSWORD}");
        let front = FakeSegments::before(source.uri(), version, files, &token).await?;
        let mut pair = Pair::new(source, target).await?;
        pair.source.config["storage"] = json!({ "kind": "local", "path": files });
        pair.source.config["milvus"] = json!({ "uri": front.uri() });
        Ok(Self { pair, front })
    }

    /// Has the source's agent ask by REST, too, with this password.
    fn ask_by_rest(&mut self, password: &str) -> Result<()> {
        let file = self.pair.folder().join("password");
        std::fs::write(&file, password)?;
        let section = &mut self.pair.source.config["milvus"];
        section["rest_uri"] = self.front.uri().into();
        section["user"] = USER.into();
        section["password_file"] = json!(file);
        Ok(())
    }
}

/// Has a collection's rows written to files, and gives its id and that of its key.
async fn flushed(client: &Client, name: &str) -> Result<(i64, i64)> {
    let flush = client.flush(name).await?;
    client.wait_for_flush(name, &flush, LIMIT).await?;
    let described = client.describe_collection(name).await?;
    let key = described.schema.primary().context("a primary key")?.id;
    Ok((described.id, key))
}

/// Has the fake hold the collection's segments, and puts its files into a folder, those of one segment in so many with several fields in each: how many those are, and how many
/// segments there are.
async fn grouped(
    server: &Server,
    front: &FakeSegments,
    name: &CollectionName,
    to: &Path,
    every: usize,
) -> Result<(u64, u64)> {
    let client = Client::connect(&Endpoint::new(front.uri())).await?;
    let client = client.in_database(&name.database);
    let (collection, key) = flushed(&client, &name.collection).await?;
    front.hold();
    client.segments(&name.collection).await?;
    let (from, to) = (server.objects(), to.display().to_string());
    let words = [
        "group",
        "--source",
        &from.display().to_string(),
        "--target",
        &to,
        "--collection",
        &collection.to_string(),
        "--key",
        &key.to_string(),
        "--every",
        &every.to_string(),
    ];
    let made = python::testbed_done(&words, LIMIT).await?;
    let count = |name: &str| made[name].as_u64().context("a number");
    Ok((count("grouped")?, count("segments")?))
}

fn spec(name: &str, collections: &[&str]) -> Value {
    let mut spec = jobs::spec(name, collections);
    spec["copy"] = "segments".into();
    spec["rename"] =
        json!({ "default.*": format!("{name}.*"), "archive.*": format!("{name}_archive.*") });
    spec
}

fn files_folder(pair_folder: &Path) -> PathBuf {
    pair_folder.join("files")
}

fn text_of<'a>(status: &'a JobStatus, code: &str) -> &'a str {
    let mut findings = status.findings.iter();
    let found = findings.find(|finding| finding.code == code);
    found.map_or("", |finding| finding.text.as_str())
}

#[test]
fn rows_of_every_type_in_files_of_several_fields_arrive_as_the_server_has_them() -> Result<()> {
    fleet::run(async {
        let (full, target) = (fleet::full().await?, fleet::target().await?);
        let files = files_folder(&harness::places::new_folder("grouped")?);
        let mut later = Later::new(&full.server, target, GROUPING, &files).await?;
        let mut segments = 0;
        for name in &full.collections {
            let (database, collection) = name.split_once('.').context("database.collection")?;
            let name = CollectionName::new(database, collection);
            let made = grouped(&full.server, &later.front, &name, &files, 1).await?;
            assert_eq!(made.0, made.1, "{name}");
            segments += made.1;
        }
        assert!(segments > 20, "{segments}");
        later.pair.start().await?;
        let mut spec = spec("several_fields", &["*.*"]);
        spec["exclude"] = json!(UNREADABLE);
        let status = jobs::run_to_completion(&later.pair.source, &spec, FULL_LIMIT).await?;
        let read = told(&status, codes::COPY_BY_SEGMENTS) as u64;
        assert_eq!(read, readable(&full));
        assert_eq!(later.front.asked(), 0, "no address of REST was given");
        Comparison::of(&full.server, target)
            .renamed(&[
                "default.*=several_fields.*",
                "archive.*=several_fields_archive.*",
            ])
            .excluding(&UNREADABLE)
            .ignoring(&AUTO_ID_OFF)
            .assert_equal(readable(&full))
            .await?;
        Ok(())
    })
}

#[test]
fn segments_of_both_forms_in_one_collection_arrive_with_their_deletes_heeded() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        let place = written(server, "both_forms", KeyKind::VarChar).await?;
        let files = files_folder(&harness::places::new_folder("grouped")?);
        let mut later = Later::new(server, server, GROUPING, &files).await?;
        let made = grouped(server, &later.front, &"both_forms".into(), &files, 2).await?;
        assert!(made.0 > 0 && made.0 < made.1, "{made:?}");
        later.ask_by_rest(PASSWORD)?;
        later.pair.start().await?;
        let spec = spec("both_forms_there", &["both_forms"]);
        let status = jobs::run_to_completion(&later.pair.source, &spec, LIMIT).await?;
        let text = text_of(&status, codes::COPY_BY_SEGMENTS);
        assert!(text.contains("the server says which files"), "{text}");
        assert!(later.front.asked() > 0);
        Comparison::of(server, server)
            .only(&["both_forms"])
            .renamed(&["default.*=both_forms_there.*"])
            .ignoring(&["lite"])
            .assert_equal_but(1, is_youngest_of_several)
            .await?;
        place.drop().await
    })
}

/// Gives the target's agent the storage of its server, and a fake of this version before that.
async fn importing(
    later: &mut Later,
    target: &Server,
    version: &'static str,
) -> Result<FakeRestImport> {
    let token = format!("{USER}:{PASSWORD}");
    let importer = FakeRestImport::before_as(target.uri(), &token, version).await?;
    let file = later.pair.folder().join("password");
    std::fs::write(&file, PASSWORD)?;
    let config = &mut later.pair.target.config;
    config["storage"] = target.storage_config();
    config["milvus"] = json!({ "uri": importer.uri(), "user": USER, "password_file": file });
    Ok(importer)
}

#[test]
fn segments_of_both_forms_are_shipped_and_those_of_each_imported_by_themselves() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        let place = written(server, "both_shipped", KeyKind::VarChar).await?;
        let files = files_folder(&harness::places::new_folder("grouped")?);
        let mut later = Later::new(server, server, GROUPING, &files).await?;
        let made = grouped(server, &later.front, &"both_shipped".into(), &files, 2).await?;
        assert!(made.0 > 0 && made.0 < made.1, "{made:?}");
        let importer = importing(&mut later, server, fake_rest_import::GROUPING).await?;
        later.pair.start().await?;
        let spec = spec("both_shipped_there", &["both_shipped"]);
        let status = jobs::run_to_completion(&later.pair.source, &spec, LIMIT).await?;
        assert_eq!(told(&status, codes::COPY_BY_IMPORT), 1);
        let of_others = importer.created() - importer.grouped();
        assert!(importer.grouped() > 0 && of_others > 0, "{importer:?}");
        Comparison::of(server, server)
            .only(&["both_shipped"])
            .renamed(&["default.*=both_shipped_there.*"])
            .ignoring(&["lite"])
            .assert_equal_but(1, is_youngest_of_several)
            .await?;
        place.drop().await
    })
}

#[test]
fn a_target_that_is_older_than_the_source_is_sent_the_rows_of_its_files() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        let place = written(server, "newer_files", KeyKind::Int64).await?;
        let files = files_folder(&harness::places::new_folder("grouped")?);
        let mut later = Later::new(server, server, GROUPING, &files).await?;
        grouped(server, &later.front, &"newer_files".into(), &files, 1).await?;
        let importer = importing(&mut later, server, fake_rest_import::VERSION).await?;
        later.pair.start().await?;
        let spec = spec("newer_files_there", &["newer_files"]);
        let status = jobs::run_to_completion(&later.pair.source, &spec, LIMIT).await?;
        let text = text_of(&status, codes::COPY_BY_SEGMENTS);
        assert!(
            text.contains("the target imports files of servers up to 2.4"),
            "{text}"
        );
        assert_eq!(importer.created(), 0);
        Comparison::of(server, server)
            .only(&["newer_files"])
            .renamed(&["default.*=newer_files_there.*"])
            .ignoring(&["lite"])
            .assert_equal_but(1, is_youngest_of_several)
            .await?;
        place.drop().await
    })
}

/// A collection in files, and a further file in the folder of one of its segments, which the server would not name.
async fn with_a_stray(server: &Server, name: &str) -> Result<PathBuf> {
    let bulk = Bulk {
        database: "default",
        collection: name,
        rows: 3_000,
        dim: 8,
        flags: &["--text"],
    };
    server.seed_bulk(&bulk).await?;
    let (collection, key) = flushed(&server.client().await?, name).await?;
    let folder = server.objects().join(format!("insert_log/{collection}"));
    let first = |folder: &Path| -> Result<PathBuf> {
        let mut entries = std::fs::read_dir(folder)?;
        Ok(entries.next().context("an entry")??.path())
    };
    let of_keys = first(&first(&folder)?)?.join(key.to_string());
    let stray = of_keys.join("999999999999999999");
    std::fs::copy(first(&of_keys)?, &stray)?;
    Ok(stray)
}

async fn arrived(server: &Server, name: &str) -> Result<()> {
    Comparison::of(server, server)
        .only(&[name])
        .renamed(&[&format!("default.*={name}_there.*")])
        .assert_equal(1)
        .await?;
    server.client().await?.drop_collection(name).await?;
    Ok(())
}

#[test]
fn the_servers_word_on_its_files_goes_before_what_lies_in_their_folders() -> Result<()> {
    fleet::run(async {
        let server = fleet::target().await?;
        let stray = with_a_stray(server, "strays").await?;
        let mut later = Later::new(server, server, DESCRIBING, &server.objects()).await?;
        later.front.disown(&stray);
        later.ask_by_rest(PASSWORD)?;
        later.pair.start().await?;
        let spec = spec("strays_there", &["strays"]);
        let status = jobs::run_to_completion(&later.pair.source, &spec, LIMIT).await?;
        let text = text_of(&status, codes::COPY_BY_SEGMENTS);
        assert!(text.contains("the server says which files"), "{text}");
        assert!(later.front.asked() > 0);
        arrived(server, "strays").await
    })
}

#[test]
fn where_the_server_does_not_say_which_files_preflight_tells_why_and_folders_are_read() -> Result<()>
{
    fleet::run(async {
        let server = fleet::target().await?;
        let stray = with_a_stray(server, "silent").await?;
        let mut later = Later::new(server, server, DESCRIBING, &server.objects()).await?;
        later.ask_by_rest("another")?;
        later.pair.start().await?;
        let spec = spec("silent_there", &["silent"]);
        jobs::begin(&later.pair.source, &spec).await?;
        // By the folder alone a stray file can't be told from one that is being written.
        let name = "silent_there";
        let code = codes::SEGMENTS_UNREADABLE;
        let status = jobs::stuck_with(&later.pair.source, name, code, LIMIT).await?;
        let text = text_of(&status, codes::COPY_BY_SEGMENTS);
        assert!(text.contains("user hasn't authenticated"), "{text}");
        assert!(text.contains("looked for in their folders"), "{text}");
        std::fs::remove_file(stray)?;
        let status = jobs::wait(&later.pair.source, name, LIMIT).await?;
        jobs::ensure_completed(&later.pair.source, &status).await?;
        arrived(server, "silent").await
    })
}
