//! The section `milvus`: the server beside the agent.

use super::secret::{SecretKeys, SecretSource};
use super::section::Section;
use super::values;
use std::path::PathBuf;

/// How Milvus is told who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MilvusCredentials {
    /// By user and password.
    Password {
        /// The user.
        user: String,
        /// Where the password is kept.
        password: SecretSource,
    },
    /// By token.
    Token(SecretSource),
}

impl MilvusCredentials {
    /// Where the secret is kept.
    #[must_use]
    pub fn source(&self) -> &SecretSource {
        match self {
            Self::Password { password, .. } => password,
            Self::Token(token) => token,
        }
    }
}

/// The TLS of the connection to Milvus, or to its log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MilvusTls {
    /// The CA of the server's certificate; absent, the system's.
    pub ca_pem_path: Option<PathBuf>,
    /// The agent's own certificate and key, where the server asks for one.
    pub client: Option<ClientPem>,
    /// The name that the server's certificate must bear; absent, the address's host.
    pub server_name: Option<String>,
}

/// A client's certificate and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientPem {
    /// The certificate and what it chains to.
    pub client_pem_path: PathBuf,
    /// The key.
    pub client_key_path: PathBuf,
}

/// The Milvus beside the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MilvusSection {
    /// `http://host:port` or `https://host:port`.
    pub uri: String,
    /// Where the REST API is served; absent, at the same address.
    pub rest_uri: Option<String>,
    /// Where the management port is; absent, it is not used.
    pub management_uri: Option<String>,
    /// Who calls; absent where Milvus does not ask.
    pub credentials: Option<MilvusCredentials>,
    /// TLS settings; only with https.
    pub tls: Option<MilvusTls>,
    /// The database to connect to; absent, the default one.
    pub database: Option<String>,
}

pub(super) fn milvus(section: &mut Section<'_>) -> Option<MilvusSection> {
    let uri = section.required("uri", values::uri);
    let rest_uri = section.optional("rest_uri", values::uri);
    let management_uri = section.optional("management_uri", values::uri);
    let credentials = credentials(section);
    let tls = section.within_given("tls", milvus_tls);
    let is_plain =
        |uri: &Option<String>| uri.as_deref().is_some_and(|uri| uri.starts_with("http://"));
    if is_plain(&rest_uri)
        && uri
            .as_deref()
            .is_some_and(|uri| uri.starts_with("https://"))
    {
        section.refuse(
            "rest_uri",
            "needs https://, as the uri: it carries the same password",
        );
    }
    if tls.is_some() && is_plain(&uri) {
        section.refuse("tls", "needs an https:// uri");
    }
    let database = section.optional("database", values::text);
    Some(MilvusSection {
        uri: uri?,
        rest_uri,
        management_uri,
        credentials,
        tls,
        database,
    })
}

/// Who calls, if anybody is named.
pub(super) fn credentials(section: &mut Section<'_>) -> Option<MilvusCredentials> {
    const PASSWORD: SecretKeys = SecretKeys {
        forbidden: "password",
        file: "password_file",
        environment: "password_env",
        credential: "password_credential",
    };
    const TOKEN: SecretKeys = SecretKeys {
        forbidden: "token",
        file: "token_file",
        environment: "token_env",
        credential: "token_credential",
    };
    let user = section.optional("user", values::text);
    let password = SecretSource::of(section, &PASSWORD);
    let token = SecretSource::of(section, &TOKEN);
    match (user, password, token) {
        (None, None, None) => None,
        (Some(user), Some(password), None) => Some(MilvusCredentials::Password { user, password }),
        (None, None, Some(token)) => Some(MilvusCredentials::Token(token)),
        (Some(_), None, None) => {
            section.refuse(
                "user",
                "needs password_file, password_env or password_credential",
            );
            None
        }
        (None, Some(_), None) => {
            section.refuse_absence("user");
            None
        }
        (_, _, Some(_)) => {
            section.refuse("user", "give either a user with a password or a token");
            None
        }
    }
}

/// TLS settings; of a section that is given.
pub(super) fn milvus_tls(section: &mut Section<'_>) -> Option<MilvusTls> {
    let ca_pem_path = section.optional("ca_pem_path", values::path);
    let certificate = section.optional("client_pem_path", values::path);
    let key = section.optional("client_key_path", values::path);
    let server_name = section.optional("server_name", values::text);
    let client = match (certificate, key) {
        (Some(client_pem_path), Some(client_key_path)) => Some(ClientPem {
            client_pem_path,
            client_key_path,
        }),
        (None, None) => None,
        _ => {
            section.refuse(
                "client_pem_path",
                "client_pem_path and client_key_path go together",
            );
            None
        }
    };
    Some(MilvusTls {
        ca_pem_path,
        client,
        server_name,
    })
}
