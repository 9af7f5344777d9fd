//! Libraries of ours that are loaded into an agent before all others, and stand between it and the system.

use crate::agents::Agent;
use crate::{places, wait};
use anyhow::{Result, ensure};
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// How long the compiler may take.
const COMPILE_LIMIT: Duration = Duration::from_secs(60);

/// Has an agent that is not started yet load `<name>.c` of the harness, with these variables.
///
/// # Errors
/// When there is no C compiler, or it fails.
pub(crate) async fn load(
    agent: &mut Agent,
    name: &str,
    folder: &Path,
    variables: &[(&str, &Path)],
) -> Result<()> {
    let library = folder.join(format!("{name}.so"));
    let source = places::repository().join(format!("tests/harness/{name}.c"));
    compile(&source, &library).await?;
    for (name, path) in [("LD_PRELOAD", library.as_path())].iter().chain(variables) {
        let path = path.display().to_string();
        agent.environment.push(((*name).to_owned(), path));
    }
    Ok(())
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
