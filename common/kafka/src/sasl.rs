//! Who calls.

use crate::answers;
use crate::connection::Connection;
use crate::error::Error;
use crate::requests::Request;
use crate::scram::{self, Hash};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use std::fmt;

/// A way to prove a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// It is shown: only over TLS does nobody else see it.
    Plain,
    /// SCRAM with SHA-256.
    ScramSha256,
    /// SCRAM with SHA-512.
    ScramSha512,
}

impl Mechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// A user with a password, which Debug does not show.
#[derive(Clone)]
pub struct Login {
    /// How the password is proven.
    pub mechanism: Mechanism,
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Login");
        shown.field("mechanism", &self.mechanism);
        shown.field("user", &self.user).finish_non_exhaustive()
    }
}

/// Proves to the broker who calls, and, by SCRAM, that it is the broker that knows the password.
pub(crate) async fn log_in(connection: &mut Connection, login: &Login) -> Result<(), Error> {
    let name = login.mechanism.name();
    let question = Request::sasl_handshake(name);
    let known = connection.ask(&question, answers::sasl_handshake).await?;
    if let Err(others) = known {
        let others = others.join(", ");
        let cause = format!("it does not know {name}, but {others}");
        return Err(refusal(connection, login, cause));
    }
    match login.mechanism {
        Mechanism::Plain => {
            let word = format!("\0{}\0{}", login.user, login.password);
            say(connection, login, &word).await?;
            Ok(())
        }
        Mechanism::ScramSha256 => scram(connection, login, Hash::Sha256).await,
        Mechanism::ScramSha512 => scram(connection, login, Hash::Sha512).await,
    }
}

async fn scram(connection: &mut Connection, login: &Login, hash: Hash) -> Result<(), Error> {
    let mut random = [0; 24];
    if rand::fill(&mut random).is_err() {
        let cause = "no random numbers can be had on this machine";
        return Err(refusal(connection, login, cause));
    }
    let (begun, first) = scram::begin(hash, &login.user, &BASE64.encode(random));
    let challenge = say(connection, login, &first).await?;
    let (proven, second) = begun
        .prove(&login.password, &challenge)
        .map_err(|cause| refusal(connection, login, cause))?;
    let answer = say(connection, login, &second).await?;
    if proven.is_answered_by(&answer) {
        Ok(())
    } else {
        let cause = "it can't prove that it knows the password itself";
        Err(refusal(connection, login, cause))
    }
}

async fn say(connection: &mut Connection, login: &Login, word: &str) -> Result<Bytes, Error> {
    let request = Request::sasl_authenticate(word.as_bytes());
    let answer = connection.ask(&request, answers::sasl_authenticate);
    answer
        .await?
        .map_err(|cause| refusal(connection, login, cause))
}

fn refusal(connection: &Connection, login: &Login, cause: impl Into<String>) -> Error {
    Error::Credentials {
        address: connection.address().to_owned(),
        user: login.user.clone(),
        cause: cause.into(),
    }
}
