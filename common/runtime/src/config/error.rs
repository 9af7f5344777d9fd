//! What is wrong with a configuration: all of it at once, each with its place.

use model::{Class, Fault, codes};
use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The line, from 1; `None` for what is missing, or does not come from the file.
    pub line: Option<usize>,
    /// The key with its path, such as `channel.tls.cert`; empty for the file as a whole.
    pub path: String,
    /// What is wrong there. Never repeats the value of a key that is not known: it may be a secret.
    pub cause: String,
}

impl ConfigFault {
    pub(super) fn at(line: usize, path: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            path: path.into(),
            cause: cause.into(),
        }
    }

    pub(super) fn of_file(cause: impl Into<String>) -> Self {
        Self {
            line: None,
            path: String::new(),
            cause: cause.into(),
        }
    }
}

/// A configuration or a job file that is refused. The operator's to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as it was named.
    pub file: String,
    /// What is wrong, in the file's order.
    pub faults: Vec<ConfigFault>,
}

impl ConfigError {
    pub(super) fn new(file: &str, mut faults: Vec<ConfigFault>) -> Self {
        faults.sort_by_key(|fault| fault.line.unwrap_or(usize::MAX));
        Self {
            file: file.to_owned(),
            faults,
        }
    }

    /// Whose turn it is.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::Operator
    }

    /// The remedy.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "mend every line named above; nothing was started or changed"
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.faults.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{}", self.file)?;
            if let Some(line) = fault.line {
                write!(f, ":{line}")?;
            }
            match fault.path.as_str() {
                "" => write!(f, ": {}", fault.cause)?,
                path => write!(f, ": {path}: {}", fault.cause)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl From<ConfigError> for Fault {
    fn from(error: ConfigError) -> Self {
        Fault::new(
            codes::CONFIG_INVALID,
            error.class(),
            error.to_string(),
            error.hint(),
        )
    }
}
