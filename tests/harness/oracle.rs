//! The independent judge: what it found, and that it found nothing.

use crate::python;
use crate::servers::Server;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(900);

/// How many differences are shown where none are expected.
const SHOWN: usize = 20;

/// What is compared, and how.
#[derive(Debug, Clone)]
pub struct Comparison<'a> {
    source: &'a Server,
    target: &'a Server,
    flags: Vec<String>,
}

/// What the oracle found.
#[derive(Debug, Clone, Deserialize)]
pub struct Verdict {
    /// No difference, and nothing left unread.
    pub equal: bool,
    /// Collections compared.
    pub collections: u64,
    /// Rows compared.
    pub rows: u64,
    /// Differences in all.
    pub found: u64,
    /// The first ones.
    pub differences: Vec<Difference>,
    /// What could not be compared, and why.
    pub unread: Vec<serde_json::Value>,
}

/// One difference, in the oracle's words.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Difference {
    /// The source's collection.
    pub collection: String,
    /// The kind.
    pub kind: String,
    /// More, for people.
    #[serde(default)]
    pub detail: String,
    /// The row.
    pub key: Option<serde_json::Value>,
    /// The field, index, alias or partition.
    pub field: Option<String>,
    /// Which property, attribute or parameter.
    pub aspect: Option<String>,
}

impl<'a> Comparison<'a> {
    /// Everything on the source against the target.
    #[must_use]
    pub fn of(source: &'a Server, target: &'a Server) -> Self {
        Self {
            source,
            target,
            flags: Vec::new(),
        }
    }

    /// Only collections that match one of the patterns.
    #[must_use]
    pub fn only(self, patterns: &[&str]) -> Self {
        self.flag("--collection", patterns)
    }

    /// Not these collections.
    #[must_use]
    pub fn excluding(self, patterns: &[&str]) -> Self {
        self.flag("--exclude", patterns)
    }

    /// Renames as `source=target`, of one collection or of a database (`a.*=b.*`).
    #[must_use]
    pub fn renamed(self, renames: &[&str]) -> Self {
        self.flag("--rename", renames)
    }

    /// Kinds (`kind` or `kind:aspect`) that do not count, or the preset `lite`: what Milvus Lite forgets.
    #[must_use]
    pub fn ignoring(self, kinds: &[&str]) -> Self {
        self.flag("--ignore", kinds)
    }

    /// Who asks the target, as `user:password`.
    #[must_use]
    pub fn with_target_token(self, token: &str) -> Self {
        self.flag("--target-token", &[token])
    }

    /// Collections whose rows have other keys on the target.
    #[must_use]
    pub fn keyless(self, patterns: &[&str]) -> Self {
        self.flag("--keyless", patterns)
    }

    fn flag(mut self, flag: &str, values: &[&str]) -> Self {
        self.flags.extend(
            values
                .iter()
                .flat_map(|value| [flag.to_owned(), (*value).to_owned()]),
        );
        self
    }

    /// Compares.
    ///
    /// # Errors
    /// When the comparison can't be done.
    pub async fn verdict(&self) -> Result<Verdict> {
        let mut words = vec![
            "oracle",
            "--source-uri",
            self.source.uri(),
            "--target-uri",
            self.target.uri(),
        ];
        words.extend(self.flags.iter().map(String::as_str));
        let answer = python::testbed(&words, LIMIT).await?;
        serde_json::from_value(answer.json.clone()).with_context(|| answer.json.to_string())
    }

    /// Compares, and makes sure that so many collections are equal.
    ///
    /// # Errors
    /// When something differs, names the first differences.
    pub async fn assert_equal(&self, collections: u64) -> Result<Verdict> {
        self.assert_equal_but(collections, |_| false).await
    }

    /// As [`Comparison::assert_equal`], but for differences that were announced.
    ///
    /// # Errors
    /// When something else differs, names the first differences.
    pub async fn assert_equal_but(
        &self,
        collections: u64,
        announced: impl Fn(&Difference) -> bool,
    ) -> Result<Verdict> {
        let verdict = self.verdict().await?;
        ensure!(
            verdict.unread.is_empty(),
            "the oracle could not read: {:#?}",
            verdict.unread
        );
        let shown: Vec<_> = verdict
            .differences
            .iter()
            .filter(|found| !announced(found))
            .take(SHOWN)
            .collect();
        ensure!(
            shown.is_empty(),
            "the oracle found {} differences: {shown:#?}",
            verdict.found
        );
        ensure!(
            verdict.collections == collections,
            "the oracle compared {} collections instead of {collections}",
            verdict.collections
        );
        Ok(verdict)
    }
}
