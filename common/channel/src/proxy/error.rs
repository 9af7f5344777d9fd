//! Why there is no tunnel through a proxy.

use model::{Class, codes};
use runtime::config::SecretError;
use std::time::Duration;

/// Why there is no tunnel through a proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// The proxy's address can't be resolved or connected to.
    #[error("the proxy {proxy} can't be reached: {cause}")]
    Unreachable {
        /// The proxy.
        proxy: String,
        /// What the system says.
        cause: String,
    },
    /// The proxy's own TLS: it speaks none, or its certificate is not believed.
    #[error("the proxy {proxy} is not believed to be it: {cause}")]
    Tls {
        /// The proxy.
        proxy: String,
        /// Why.
        cause: String,
    },
    /// The CAs of proxies can't be had.
    #[error("the CA of the proxy {proxy} can't be used: {cause}")]
    Authority {
        /// The proxy.
        proxy: String,
        /// Why.
        cause: String,
    },
    /// The password can't be had.
    #[error(transparent)]
    Password(#[from] SecretError),
    /// The password was being read when the agent ended.
    #[error("the password for the proxy {0} was not read")]
    Unread(String),
    /// The proxy neither opened the tunnel nor refused it.
    #[error("the proxy {proxy} did not answer within {} s", limit.as_secs())]
    Silent {
        /// The proxy.
        proxy: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The proxy ended the connection instead of an answer.
    #[error("the proxy {proxy} ended the connection: {cause}")]
    Ended {
        /// The proxy.
        proxy: String,
        /// How.
        cause: String,
    },
    /// What answered is no HTTP proxy.
    #[error("what answers at the proxy's address {proxy} is not understood: {cause}")]
    Malformed {
        /// The proxy.
        proxy: String,
        /// Why.
        cause: String,
    },
    /// The proxy does not open the tunnel.
    #[error("the proxy {proxy} refuses the way to {peer}: {status} {reason}")]
    Refused {
        /// The proxy.
        proxy: String,
        /// The peer's host and port.
        peer: String,
        /// The status of its answer.
        status: u16,
        /// Its own words.
        reason: String,
        /// Whether it was told who calls.
        has_login: bool,
    },
}

impl ProxyError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => codes::PROXY_REFUSED,
            Self::Password(_) => codes::CONFIG_INVALID,
            Self::Authority { .. } => codes::CERTIFICATE_INVALID,
            _ => codes::PROXY_UNREACHABLE,
        }
    }

    /// Whose turn it is: what the proxy could not do this time it may do the next; what it does not want to do stays so.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Refused {
                status: 408 | 429 | 500 | 502..=599,
                ..
            } => Class::Transient,
            Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::Ended { .. }
            | Self::Unread(_) => Class::Transient,
            Self::Password(error) => error.class(),
            Self::Tls { .. }
            | Self::Authority { .. }
            | Self::Malformed { .. }
            | Self::Refused { .. } => Class::Operator,
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unreachable { .. } => {
                "check channel.proxy.uri (or HTTPS_PROXY and ALL_PROXY in the agent's environment), that the proxy runs, and that this machine may connect to it; channel.proxy.uri: none dials without a proxy".into()
            }
            Self::Tls { .. } => {
                "set channel.proxy.ca_pem_path to the CA of the proxy's certificate, whose name must be the host in channel.proxy.uri; or write http:// if the proxy speaks no TLS".into()
            }
            Self::Authority { .. } => {
                "check channel.proxy.ca_pem_path: PEM, readable for the agent's user".into()
            }
            Self::Password(error) => error.hint().into(),
            Self::Unread(_) => String::new(),
            Self::Silent { .. } => {
                "see the proxy's log; one that waits long for a host that it can't reach looks so, too: check channel.dial, as the proxy would resolve and reach it; and check channel.proxy.uri: http:// or https:// as the proxy speaks".into()
            }
            Self::Ended { .. } => {
                "see the proxy's log; check channel.proxy.uri: the port must be that of an HTTP proxy, and https:// is right where it speaks TLS".into()
            }
            Self::Malformed { .. } => {
                "check channel.proxy.uri: the port must be that of an HTTP proxy that knows CONNECT, and http:// or https:// as it speaks".into()
            }
            Self::Refused {
                peer,
                status,
                has_login,
                ..
            } => refused_hint(peer, *status, *has_login),
        }
    }
}

fn refused_hint(peer: &str, status: u16, has_login: bool) -> String {
    match status {
        407 if has_login => {
            "correct channel.proxy.user and what holds its password; the proxy must take the scheme Basic".into()
        }
        407 => {
            "the proxy asks who calls: set channel.proxy.user and channel.proxy.password_file; it must take the scheme Basic".into()
        }
        408 | 429 => "the proxy has too much to do; the agents connect again by themselves".into(),
        502..=504 => format!(
            "the proxy can't reach the peer: check channel.dial, that the other agent runs, and that the proxy resolves and reaches {peer}"
        ),
        500 | 505.. => "see the proxy's log of the same moment".into(),
        400 | 405 | 501 => {
            "check channel.proxy.uri: what answers there does not take CONNECT: it may be a web server, or be spoken to by https://".into()
        }
        _ => format!(
            "have the proxy's operator allow CONNECT to {peer} from this machine: many proxies allow port 443 alone"
        ),
    }
}
