//! What preflight has to say about a job before anything is done.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a finding means for the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Carried as it is; worth knowing.
    Note,
    /// Carried in another form.
    Changed,
    /// Can't be carried: the job does not start.
    Blocked,
}

/// One thing that preflight found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it means for the job.
    pub severity: Severity,
    /// The stable code, out of [`crate::codes`].
    pub code: String,
    /// The thing: a collection, a field, an index.
    pub subject: String,
    /// What was found, and what follows.
    pub text: String,
}

impl Finding {
    /// A finding.
    pub fn new(
        severity: Severity,
        code: &str,
        subject: impl fmt::Display,
        text: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code: code.to_owned(),
            subject: subject.to_string(),
            text: text.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.subject, self.text, self.code)
    }
}
