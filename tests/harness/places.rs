//! Where things lie: the repository, what provisioning filled, what cargo built, and this run's own folder.

use crate::process;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The repository.
#[must_use]
pub fn repository() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// What `tests/python/provision.py` filled: `$TESTBED_HOME`, or `target/testbed`.
#[must_use]
pub fn testbed_home() -> PathBuf {
    std::env::var_os("TESTBED_HOME")
        .map_or_else(|| repository().join("target/testbed"), PathBuf::from)
}

/// The RocksDB library that comes with the real server 2.3.5; 2.2.16 has its own built in.
#[must_use]
pub fn rocksdb_library() -> PathBuf {
    testbed_home().join("milvus-2.3.5/bin/librocksdb.so.6")
}

/// A program that cargo built beside this test program.
///
/// # Errors
/// When it was not built.
pub fn built(program: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own
        .parent()
        .and_then(Path::parent)
        .context("a test program lies in a folder of cargo's")?;
    let file = folder.join(program);
    ensure!(
        file.exists(),
        "{} is missing: run the tests with `make test`, or build the agents first",
        file.display()
    );
    Ok(file)
}

/// A new folder of this run. Its path is short: a unix socket's path may have no more than 107 bytes.
///
/// The folders of runs whose process is gone are taken away when a new run begins; so the last run's can be looked at.
///
/// # Errors
/// The file system's.
pub fn new_folder(what: &str) -> Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let all = std::env::temp_dir().join("passage-tests");
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    if number == 0 {
        remove_old_runs(&all);
    }
    let folder = run_folder(&all).join(format!("{number}-{what}"));
    std::fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    Ok(folder)
}

fn run_folder(all: &Path) -> PathBuf {
    let own = std::process::id();
    all.join(format!(
        "{own}-{}",
        process::start_ticks(own).unwrap_or_default()
    ))
}

/// Only names of our own form are touched; what can't be removed stays.
fn remove_old_runs(all: &Path) {
    let entries = std::fs::read_dir(all).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let parts = name.to_str().and_then(|name| name.split_once('-'));
        let identity =
            parts.and_then(|(pid, ticks)| Some((pid.parse().ok()?, ticks.parse::<u64>().ok()?)));
        if let Some((pid, ticks)) = identity
            && process::start_ticks(pid) != Some(ticks)
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Copies a folder with all that is in it.
///
/// # Errors
/// Those of the disk.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
