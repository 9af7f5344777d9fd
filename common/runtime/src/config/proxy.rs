//! The section `channel.proxy`: the HTTP proxy that the peer is dialled through. Where the configuration says nothing of one, the
//! environment is asked, as other programs ask it ([`environment`]).
//!
//! Invariants: a password is never held here, only the place where it is kept; what is named and can't be used is refused, or where it is
//! meant for other programs too, told of ([`ProxyUse::Unused`]).

mod environment;

pub(super) use environment::password_of;

use super::channel::{Reach, TransportKind};
use super::secret::{SecretKeys, SecretSource};
use super::section::Section;
use super::values::{self, HostPort};
use environment::Named;
use std::fmt;
use std::path::PathBuf;

const PASSWORD: SecretKeys = SecretKeys {
    forbidden: "password",
    file: "password_file",
    environment: "password_env",
    credential: "password_credential",
};

/// Whether the peer is dialled through a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyUse {
    /// It is not, and no proxy is named.
    None,
    /// It is not, though the environment names a proxy.
    Unused {
        /// The variable that does.
        variable: &'static str,
        /// Why it is not used, in words that follow a colon.
        why: String,
    },
    /// It is.
    Through(ProxySection),
}

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyScheme {
    /// In plain text. What goes through it is encrypted all the same.
    Http,
    /// By TLS.
    Https,
}

/// An HTTP proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxySection {
    /// How it is spoken to.
    pub scheme: ProxyScheme,
    /// Where it is.
    pub address: HostPort,
    /// Who calls; absent where the proxy does not ask.
    pub login: Option<ProxyLogin>,
    /// The CA of its certificate; absent, the system's. Only with https.
    pub ca_pem_path: Option<PathBuf>,
}

/// Who calls a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyLogin {
    /// The user.
    pub user: String,
    /// Where the password is kept; absent where there is none.
    pub password: Option<SecretSource>,
}

/// The proxy without who calls it: `http://proxy.example:3128`.
impl fmt::Display for ProxySection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            ProxyScheme::Http => "http",
            ProxyScheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.address)
    }
}

/// What the section says, or else the environment; `None` where it is wrong.
pub(super) fn proxy(
    channel: &mut Section<'_>,
    transport: Option<TransportKind>,
    reach: Option<&Reach>,
) -> Option<ProxyUse> {
    let given = channel.within_given("proxy", |section| {
        let found = configured(section)?;
        let is_through = matches!(found, ProxyUse::Through(_));
        match (transport, reach) {
            (Some(TransportKind::Quic), _) if is_through => {
                section.refuse(
                    "uri",
                    "needs channel.transport: grpc: QUIC is UDP, and no HTTP proxy passes UDP on",
                );
            }
            (_, Some(Reach::Listen(_))) if is_through => {
                section.refuse("uri", "has no meaning where this agent listens");
            }
            _ => {}
        }
        Some(found)
    });
    if given.is_some() || channel.has_section("proxy") {
        return given;
    }
    match reach {
        Some(Reach::Dial(peer)) => from_environment(channel, transport?, peer),
        _ => Some(ProxyUse::None),
    }
}

fn configured(section: &mut Section<'_>) -> Option<ProxyUse> {
    let uri = section.required("uri", configured_uri);
    let user = section.optional("user", |text| match values::text(text)? {
        user if user.contains(':') || user.chars().any(char::is_control) => {
            Err("must hold no colon: a proxy takes what follows it for the password".to_owned())
        }
        user => Ok(user),
    });
    let password = SecretSource::of(section, &PASSWORD);
    let ca_pem_path = section.optional("ca_pem_path", values::path);
    let login = match (user, password) {
        (None, None) => None,
        (None, Some(_)) => {
            section.refuse_absence("user");
            None
        }
        (Some(_), None) => {
            section.refuse(
                "user",
                "needs password_file, password_env or password_credential",
            );
            None
        }
        (Some(user), password) => Some(ProxyLogin { user, password }),
    };
    let Some((scheme, address)) = uri? else {
        if login.is_some() || ca_pem_path.is_some() {
            section.refuse("uri", "names no proxy, so that nothing else has a meaning");
        }
        return Some(ProxyUse::None);
    };
    if ca_pem_path.is_some() && scheme == ProxyScheme::Http {
        section.refuse("ca_pem_path", "needs an https:// uri");
    }
    Some(ProxyUse::Through(ProxySection {
        scheme,
        address,
        login,
        ca_pem_path,
    }))
}

/// The URI of a proxy, or `none`. One with a user or password in it is refused without repeating it.
fn configured_uri(text: &str) -> Result<Option<(ProxyScheme, HostPort)>, String> {
    if text == "none" {
        return Ok(None);
    }
    if text.contains('@') {
        return Err("must not hold a user or password: they have keys of their own".to_owned());
    }
    let refusal = || {
        format!(
            "must be http:// or https:// with a host and a port, such as http://proxy.example:3128, or none, and is {text:?}"
        )
    };
    let (scheme, rest) = scheme_of(text).ok_or_else(refusal)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let address = values::host_port(rest).map_err(|_| refusal())?;
    Ok(Some((scheme, address)))
}

/// How a URI of one of the two schemes begins, and the rest of it.
fn scheme_of(uri: &str) -> Option<(ProxyScheme, &str)> {
    let (scheme, rest) = uri.split_once("://")?;
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Some((ProxyScheme::Http, rest)),
        "https" => Some((ProxyScheme::Https, rest)),
        _ => None,
    }
}

fn from_environment(
    channel: &mut Section<'_>,
    transport: TransportKind,
    peer: &HostPort,
) -> Option<ProxyUse> {
    const KEY: &str = "proxy.uri";
    let named = |names| channel.variable(names);
    let Some((variable, uri)) = named(environment::PROXY).or_else(|| named(environment::ANY_PROXY))
    else {
        return Some(ProxyUse::None);
    };
    let exempt = channel.variable(environment::NO_PROXY);
    let why = if transport == TransportKind::Quic {
        Some("QUIC is UDP, and no HTTP proxy passes UDP on".to_owned())
    } else if environment::is_this_machine(&peer.host) {
        Some("the peer is on this machine".to_owned())
    } else {
        exempt
            .filter(|(_, list)| environment::exempts(list, peer))
            .map(|(variable, _)| format!("{variable} exempts {peer}"))
    };
    if let Some(why) = why {
        return Some(ProxyUse::Unused { variable, why });
    }
    match environment::parse(&uri) {
        Ok(Named {
            scheme,
            address,
            user,
            has_password,
        }) => {
            let password = has_password.then(|| SecretSource::ProxyVariable(variable.to_owned()));
            let section = ProxySection {
                scheme,
                address,
                login: user.map(|user| ProxyLogin { user, password }),
                ca_pem_path: None,
            };
            let origin = super::Origin::Environment {
                variable: variable.to_owned(),
            };
            channel.note(KEY, section.to_string(), origin);
            Some(ProxyUse::Through(section))
        }
        Err(cause) => {
            channel.refuse_variable(KEY, variable, &cause);
            None
        }
    }
}
