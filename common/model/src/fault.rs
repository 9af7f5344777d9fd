//! How a failure is told: to the operator, to the other agent, to a program.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Whose turn it is after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It passes by itself: try again, later and later.
    Transient,
    /// An operator must change something outside Passage; the job waits and tries again.
    Operator,
    /// It stays as it is: what was asked can't be done.
    Permanent,
    /// Passage itself is wrong.
    Bug,
}

/// A failure with everything that a reader needs: what it is of, why, and what to do.
///
/// Operations have small errors of their own; they become a fault where they leave the room that they were made in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The stable code, out of [`crate::codes`].
    pub code: String,
    /// Whose turn it is.
    pub class: Class,
    /// The thing and the cause.
    pub message: String,
    /// The remedy.
    pub hint: String,
}

impl Fault {
    /// A fault of this code and class.
    pub fn new(
        code: &str,
        class: Class,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            code: code.to_owned(),
            class,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// Whether time or an operator may mend it, so that it is worth another try.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self.class, Class::Transient | Class::Operator)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)?;
        if self.hint.is_empty() {
            Ok(())
        } else {
            write!(f, "; {}", self.hint)
        }
    }
}

impl std::error::Error for Fault {}
