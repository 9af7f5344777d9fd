//! Libraries of ours that are loaded into an agent before all others, and stand between it and the system.

use crate::agents::Agent;
use crate::{places, wait};
use anyhow::{Result, ensure};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// How long the compiler may take.
const COMPILE_LIMIT: Duration = Duration::from_secs(60);

/// Has an agent that is not started yet load `<name>.c` of the harness, with these variables. Gives a file, empty at first, by which the
/// library is told numbers: it finds the path in `PASSAGE_TESTS_<NAME>`.
///
/// # Errors
/// When there is no C compiler, or it fails.
pub(crate) async fn load(
    agent: &mut Agent,
    name: &str,
    variables: &[(&str, &Path)],
) -> Result<File> {
    let folder = places::new_folder(name)?;
    let (library, told) = (folder.join("library.so"), folder.join("told"));
    let source = places::repository().join(format!("tests/harness/{name}.c"));
    compile(&source, &library).await?;
    let file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .open(&told)?;
    let of_file = format!("PASSAGE_TESTS_{}", name.to_uppercase());
    let ours = [("LD_PRELOAD", library.as_path()), (&of_file, &told)];
    for (name, path) in ours.iter().chain(variables) {
        let path = path.display().to_string();
        agent.environment.push(((*name).to_owned(), path));
    }
    Ok(file)
}

async fn compile(source: &Path, library: &Path) -> Result<()> {
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]);
    compiler.arg(library).arg(source);
    let built = wait::within("a C compiler", COMPILE_LIMIT, async {
        Ok(compiler.output().await?)
    })
    .await?;
    ensure!(
        built.status.success(),
        "cc: {}",
        String::from_utf8_lossy(&built.stderr)
    );
    Ok(())
}
