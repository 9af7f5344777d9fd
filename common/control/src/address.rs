//! Where the admin API is.

use runtime::config::AdminSection;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where the admin API is served: `unix:/path/of/the/socket`, or `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A unix socket: whoever may open its file is the operator.
    Unix(PathBuf),
    /// A TCP port, by the host's name or address: only with certificates on both sides.
    Tcp(String),
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no admin address: give unix:/path/of/the/socket, or host:port")]
pub struct InvalidAddress(String);

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Self::Unix(path))
            } else {
                Err(InvalidAddress(text.to_owned()))
            };
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Self::Tcp(text.to_owned()))
            }
            _ => Err(InvalidAddress(text.to_owned())),
        }
    }
}

impl Address {
    /// The address at which an agent with this configuration serves.
    #[must_use]
    pub fn of_section(section: &AdminSection) -> Self {
        match section {
            AdminSection::Unix(path) => Self::Unix(path.clone()),
            AdminSection::Tcp { listen, .. } => Self::Tcp(listen.to_string()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}
