//! Why certificates are not made.

use model::{Class, Fault, codes};
use std::path::PathBuf;

/// Why a certificate can't be made or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertsError {
    /// A file is there already.
    #[error("{} exists", .0.display())]
    Exists(PathBuf),
    /// A file can't be written or read, or is not what it should be.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The certificate would be valid for longer than its CA.
    #[error("the certificate would be valid until {leaf}, and its CA is until {authority}")]
    Outlives {
        /// The certificate's end.
        leaf: String,
        /// The CA's end.
        authority: String,
    },
    /// A certificate that is to be renewed, and would say something else.
    #[error("{} was not made by `certs leaf` and the CA beside it", .0.display())]
    Foreign(PathBuf),
    /// What the certificate is to say can't be said.
    #[error("no certificate can be made for {0:?}")]
    Invalid(String),
}

impl CertsError {
    /// Whose turn it is.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::Operator
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Exists(_) => {
                "give another directory or name, or ask explicitly for it to be replaced"
            }
            Self::File { .. } => "check the path and its permissions",
            Self::Outlives { .. } => "ask for fewer days, or make a new CA",
            Self::Foreign(_) => {
                "have it renewed by whoever made it, or make another one with `certs leaf`"
            }
            Self::Invalid(_) => {
                "give a SPIFFE URI in ASCII, DNS names or IP addresses, and 1 to 36500 days"
            }
        }
    }
}

impl From<CertsError> for Fault {
    fn from(error: CertsError) -> Self {
        Self::new(
            codes::CERTIFICATE_INVALID,
            error.class(),
            error.to_string(),
            error.hint(),
        )
    }
}
