//! Certificates for a pair of agents, made by the agents' own command.

use crate::agents::Side;
use crate::places;
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// The domain in the agents' identities.
pub const DOMAIN: &str = "passage.test";

/// A CA and a certificate for each agent, in one folder.
#[derive(Debug, Clone)]
pub struct Certs {
    folder: PathBuf,
}

impl Certs {
    /// Makes them.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn make(folder: &Path) -> Result<Self> {
        command(&["pair", "--domain", DOMAIN], folder).await?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Renews the agent's certificate in its place.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn renew(&self, side: Side) -> Result<()> {
        command(&["renew", "--name", side.program()], &self.folder).await
    }

    /// The agent's certificate.
    #[must_use]
    pub fn cert(&self, side: Side) -> PathBuf {
        self.folder.join(format!("{}.pem", side.program()))
    }

    /// The agent's key.
    #[must_use]
    pub fn key(&self, side: Side) -> PathBuf {
        self.folder.join(format!("{}.key", side.program()))
    }

    /// The CA that both trust.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The folder, where `certs leaf` makes more of them.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Runs `certs` with these words, in this folder.
async fn command(words: &[&str], folder: &Path) -> Result<()> {
    let mut command = Command::new(places::built(Side::Source.program())?);
    command.arg("certs").args(words).arg("--dir").arg(folder);
    let made = command.output().await?;
    ensure!(
        made.status.success(),
        "certs {words:?}: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    Ok(())
}

/// The agent's identity.
#[must_use]
pub fn identity(side: Side) -> String {
    let role = match side {
        Side::Source => "source",
        Side::Target => "target",
    };
    format!("spiffe://{DOMAIN}/passage/{role}")
}
