//! A connection as the configuration asks for it.

use crate::retry::Patience;
use crate::{Client, Credentials, Endpoint, Secret, Tls};
use model::{Class, Fault};
use runtime::config::{MilvusCredentials, MilvusSection, SecretSource};
use runtime::notify;
use std::future::Future;
use std::time::Duration;

/// How long an attempt to connect goes on before it is logged and begun anew.
const ROUND: Duration = Duration::from_secs(10);

/// The Milvus of this section, its secrets read.
///
/// # Errors
/// A secret that can't be read: the operator's.
pub fn endpoint(section: &MilvusSection) -> Result<Endpoint, Fault> {
    let secret = |source: &SecretSource| {
        source
            .read()
            .map(|secret| Secret::new(secret.expose()))
            .map_err(Fault::from)
    };
    let credentials = match &section.credentials {
        None => Credentials::None,
        Some(MilvusCredentials::Token(source)) => Credentials::Token(secret(source)?),
        Some(MilvusCredentials::Password { user, password }) => Credentials::Password {
            user: user.clone(),
            password: secret(password)?,
        },
    };
    let tls = section.tls.as_ref().map(|tls| Tls {
        ca_pem_path: tls.ca_pem_path.clone(),
        client_pem_path: tls
            .client
            .as_ref()
            .map(|client| client.client_pem_path.clone()),
        client_key_path: tls
            .client
            .as_ref()
            .map(|client| client.client_key_path.clone()),
        server_name: tls.server_name.clone(),
    });
    Ok(Endpoint {
        rest_uri: section.rest_uri.clone(),
        management_uri: section.management_uri.clone(),
        credentials,
        tls: tls.unwrap_or_default(),
        ..Endpoint::new(&section.uri)
    })
}

/// Connects, for as long as it takes a server that is not there yet; `None` when `stop` came first.
///
/// # Errors
/// What waiting does not mend: a secret that can't be read, a server that does not let us in.
pub async fn connect_patiently(
    section: &MilvusSection,
    stop: impl Future<Output = ()>,
) -> Result<Option<Client>, Fault> {
    let endpoint = endpoint(section)?;
    tokio::select! {
        () = stop => Ok(None),
        connected = connect(&endpoint) => connected.map(Some),
    }
}

async fn connect(endpoint: &Endpoint) -> Result<Client, Fault> {
    let round = Patience {
        give_up_after: ROUND,
        ..Patience::default()
    };
    loop {
        match round.retry(|| Client::connect(endpoint)).await {
            Ok(client) => {
                tracing::info!(uri = client.uri(), version = %client.version(), "connected to Milvus");
                return Ok(client);
            }
            Err(error) => {
                let fault = Fault::from(error);
                if fault.class != Class::Transient {
                    return Err(fault);
                }
                tracing::warn!(code = fault.code, error = %fault, "Milvus can't be reached yet");
                let line = format!("waits for Milvus at {}", endpoint.uri);
                notify::waiting(&line, 3 * ROUND);
            }
        }
    }
}
