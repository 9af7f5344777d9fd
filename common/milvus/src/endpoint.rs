//! Where a Milvus is, and how to be let in.

use crate::Deadlines;
use std::fmt;
use std::path::PathBuf;

/// A text that no log, error or report may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// How to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Credentials {
    /// The server asks for nothing.
    #[default]
    None,
    /// An API key, or a token of the form `user:password`.
    Token(Secret),
    /// A user and a password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
}

impl Credentials {
    /// The text that goes, in base64, into the `authorization` of every call. Milvus wants no scheme in front of it.
    pub(crate) fn plain(&self) -> Option<Secret> {
        match self {
            Self::None => None,
            Self::Token(token) => Some(token.clone()),
            Self::Password { user, password } => {
                Some(Secret::new(format!("{user}:{}", password.expose())))
            }
        }
    }
}

/// The files and the name for TLS; all of them may be missing. They count only for an `https` address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// The CA that signed the server's certificate; the system's CAs where it is missing.
    pub ca_pem_path: Option<PathBuf>,
    /// Our certificate, where the server asks for one.
    pub client_pem_path: Option<PathBuf>,
    /// The key of our certificate.
    pub client_key_path: Option<PathBuf>,
    /// The name that the server's certificate must bear, where it is not the address's.
    pub server_name: Option<String>,
}

/// Where a Milvus is, and how to talk to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `http://host:port` or `https://host:port`.
    pub uri: String,
    /// Where the REST API is served, likewise; absent, at the same address.
    pub rest_uri: Option<String>,
    /// Where the management port is, likewise; absent, it is not used.
    pub management_uri: Option<String>,
    /// How to be let in.
    pub credentials: Credentials,
    /// How to be sure of the server, and it of us.
    pub tls: Tls,
    /// The number of connections. Large answers on one HTTP/2 connection wait for each other: two gave 1.7 times one.
    pub connections: usize,
    /// The limits of calls in time.
    pub deadlines: Deadlines,
    /// The most bytes of one request. Servers take 64 MiB, and a few KiB are the envelope's.
    pub max_request_bytes: usize,
}

impl Endpoint {
    /// The Milvus at this address, with no credentials, two connections and the usual limits.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            rest_uri: None,
            management_uri: None,
            credentials: Credentials::None,
            tls: Tls::default(),
            connections: 2,
            deadlines: Deadlines::default(),
            max_request_bytes: 60 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_nowhere() {
        let mut endpoint = Endpoint::new("http://localhost:19530");
        let password = Secret::new("hunter2");
        assert!(!format!("{password} {password:?}").contains("hunter2"));
        endpoint.credentials = Credentials::Password {
            user: "root".into(),
            password,
        };
        assert!(!format!("{endpoint:?}").contains("hunter2"));
        endpoint.credentials = Credentials::Token(Secret::new("hunter2"));
        assert!(!format!("{endpoint:?}").contains("hunter2"));
    }

    #[test]
    fn user_and_password_are_joined_by_a_colon() {
        let credentials = Credentials::Password {
            user: "root".into(),
            password: Secret::new("a:b"),
        };
        assert_eq!(credentials.plain().unwrap().expose(), "root:a:b");
    }
}
