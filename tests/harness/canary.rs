//! Secrets that must not be seen: looked for wherever something is shown.

use anyhow::{Result, bail};
use std::path::PathBuf;

/// Shorter texts would be found by chance.
const SHORTEST: usize = 12;

/// Secrets, each with what it is called.
#[derive(Debug, Clone, Default)]
pub struct Canary {
    secrets: Vec<(String, String)>,
}

impl Canary {
    /// The lines of private keys.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn of_keys(files: &[PathBuf]) -> Result<Self> {
        let mut canary = Self::default();
        for file in files {
            let pem = std::fs::read_to_string(file)?;
            for line in pem.lines().filter(|line| !line.starts_with("-----")) {
                canary.add(&file.display().to_string(), line);
            }
        }
        Ok(canary)
    }

    /// Adds a secret.
    ///
    /// # Panics
    /// When it is so short that it would be found by chance.
    pub fn add(&mut self, name: &str, secret: &str) {
        assert!(secret.len() >= SHORTEST, "{name} is too short for a canary");
        self.secrets.push((name.to_owned(), secret.to_owned()));
    }

    /// Makes sure that none of the secrets is in a text.
    ///
    /// # Errors
    /// Names the secret, and where it was seen.
    pub fn assert_absent(&self, place: &str, text: &str) -> Result<()> {
        match self
            .secrets
            .iter()
            .find(|(_, secret)| text.contains(secret))
        {
            Some((name, _)) => bail!("the secret {name} is shown in {place}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_and_not_repeated_where_it_is_seen() {
        let mut canary = Canary::default();
        canary.add("password", "hush-hush-hush");
        canary.assert_absent("log", "all is well").unwrap();
        let seen = canary
            .assert_absent("log", "password=hush-hush-hush")
            .unwrap_err()
            .to_string();
        assert_eq!(seen, "the secret password is shown in log");
    }
}
