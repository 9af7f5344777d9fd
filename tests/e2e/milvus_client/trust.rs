//! Claims about being let in.

use anyhow::{Context, Result, ensure};
use milvus::{Client, ConnectError, Credentials, Endpoint, Kind, Secret};
use model::{Fault, codes};

pub(super) fn with(uri: &str, credentials: Credentials) -> Endpoint {
    Endpoint {
        credentials,
        ..Endpoint::new(uri)
    }
}

pub(super) fn password(user: &str, password: &str) -> Credentials {
    Credentials::Password {
        user: user.to_owned(),
        password: Secret::new(password),
    }
}

/// For a server with users, whose `root` has the password `Milvus`.
pub(super) async fn wrong_credentials_are_refused(uri: &str) -> Result<()> {
    let right = [
        password("root", "Milvus"),
        Credentials::Token(Secret::new("root:Milvus")),
    ];
    for credentials in right {
        let client = Client::connect(&with(uri, credentials)).await?;
        client.list_collections().await?;
        ensure!(!format!("{client:?}").contains("root"), "{client:?}");
    }
    let wrong = [
        Credentials::None,
        password("root", "hunter2"),
        Credentials::Token(Secret::new("hunter2")),
    ];
    for credentials in wrong {
        let error = Client::connect(&with(uri, credentials))
            .await
            .err()
            .context("let in")?;
        ensure!(
            matches!(&error, ConnectError::Refused(error) if error.kind() == Kind::Unauthenticated),
            "{error}"
        );
        let shown = format!("{error:?} {error}");
        let shown = format!("{shown} {}", Fault::from(error));
        ensure!(!shown.contains("hunter2"), "{shown}");
    }
    Ok(())
}

/// For an address where nobody listens.
pub(super) async fn an_unreachable_server_is_told(uri: &str) -> Result<()> {
    let error = Client::connect(&Endpoint::new(uri))
        .await
        .err()
        .context("connected")?;
    ensure!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    let fault = Fault::from(error);
    ensure!(
        fault.code == codes::MILVUS_UNREACHABLE && fault.message.contains(uri),
        "{fault}"
    );
    Ok(())
}
