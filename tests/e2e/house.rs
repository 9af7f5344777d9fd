//! The house's own rules, as far as cargo does not hold them.

use harness::places;
use std::path::{Path, PathBuf};

/// Where a file is split.
const LONGEST: usize = 500;

/// The texts of a crate's source files.
pub(crate) fn sources(krate: &str) -> Vec<String> {
    rust_files(&places::repository().join(krate).join("src"))
        .iter()
        .map(|file| read(file))
        .collect()
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The files of a module: its own and those in its folder.
fn module(krate: &str, name: &str) -> Vec<PathBuf> {
    let folder = places::repository().join(krate).join("src");
    let own = folder.join(format!("{name}.rs"));
    assert!(
        own.exists(),
        "{} is gone: which file holds {name} now?",
        own.display()
    );
    [vec![own], rust_files(&folder.join(name))].concat()
}

fn assert_apart(krate: &str, one: &str, other: &str) {
    for (name, forbidden) in [(one, other), (other, one)] {
        for file in module(krate, name) {
            let found = read(&file).contains(&format!("crate::{forbidden}"));
            assert!(
                !found,
                "{} names {forbidden}: the two meet in the pipeline only",
                file.display()
            );
        }
    }
}

#[test]
fn reader_and_outbox_do_not_know_each_other() {
    assert_apart("agent-source", "reader", "outbox");
}

#[test]
fn inbox_and_writer_do_not_know_each_other() {
    assert_apart("agent-target", "inbox", "writer");
}

#[test]
fn the_agents_do_not_know_each_other() {
    for (agent, other) in [
        ("agent-source", "agent-target"),
        ("agent-target", "agent-source"),
    ] {
        let manifest = read(&places::repository().join(agent).join("Cargo.toml"));
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        assert!(!dependencies.contains(other), "{agent} depends on {other}");
    }
}

#[test]
fn pure_rooms_have_neither_a_runtime_nor_a_wire() {
    for room in ["common/model", "common/protocol", "common/binlog"] {
        let manifest = read(&places::repository().join(room).join("Cargo.toml"));
        for shell in ["tokio", "prost", "tonic", "milvus", "runtime", "proto."] {
            let depends = |line: &str| line.starts_with(shell);
            assert!(!manifest.lines().any(depends), "{room} depends on {shell}");
        }
    }
}

#[test]
fn no_file_is_longer_than_it_may_be() {
    let rooms = ["agent-source", "agent-target", "common", "proto"];
    let files = rooms
        .iter()
        .flat_map(|room| rust_files(&places::repository().join(room)));
    let is_test = |file: &PathBuf| file.components().any(|part| part.as_os_str() == "tests");
    let length = |file: &Path| read(file).lines().count();
    let long: Vec<_> = files
        .filter(|file| !is_test(file) && !file.ends_with("tests.rs"))
        .filter(|file| length(file) > LONGEST)
        .collect();
    assert!(long.is_empty(), "longer than {LONGEST} lines: {long:?}");
}
