//! What an operator is told when Kafka can't be read from.

use crate::reader::changes::broker::{self, BrokerFault};
use model::{Class, Fault};
use rskafka::client::error::{Error as ClientError, ProtocolError, RequestError};
use rskafka::{BackoffError, ConnectionError};
use std::time::Duration;

/// Why a topic can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Kafka lists no such topic, to this user.
    #[error("there is no such topic")]
    NoTopic,
    /// Kafka did not answer in time. It may pass.
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
    /// Kafka gives nothing of what it says it has: transactions, perhaps, of which Milvus has none.
    #[error("no message can be read from offset {next} on, though there are some up to {end}")]
    Unreadable {
        /// The offset that was asked for.
        next: i64,
        /// The offset behind the newest.
        end: i64,
    },
    /// The library's.
    #[error("{}", cause(.0))]
    Client(#[from] ClientError),
}

const UNREACHABLE: &str = "see that log.brokers names Kafka's listeners, that this machine may connect to them and to what the brokers call themselves \
     (advertised.listeners), and that the brokers are well; a listener with TLS needs the section log.tls, one with users log.sasl; \
     the agent tries again";

/// A topic can't be read.
pub(super) fn of(name: &str, topic: &str, error: &Error) -> Fault {
    let refusal = match error {
        Error::Client(error) => refusal(error),
        _ => None,
    };
    let cause = error.to_string();
    let (class, hint) = match (error, refusal) {
        (Error::NoTopic, _) | (_, Some(ProtocolError::UnknownTopicOrPartition)) => {
            return broker::topic_missing(name, topic);
        }
        (_, Some(ProtocolError::TopicAuthorizationFailed)) => (
            Class::Operator,
            "let the user of log.sasl describe and read Milvus's topics",
        ),
        (Error::Client(ClientError::Request(error)), _) if is_misunderstood(error) => (
            Class::Operator,
            "see that log.brokers names Kafka's listeners, those of version 0.11 or later, and that its topics have no older format",
        ),
        _ if is_login(&cause) => (
            Class::Operator,
            "see log.sasl: the mechanism, the user and the password must be those that Kafka knows",
        ),
        _ if is_tls(&cause) => (
            Class::Operator,
            "see that log.tls names the CA of the brokers' certificates, that these bear the brokers' names, that the brokers know \
             the CA of log.tls.client_pem_path where they ask for one, and that the listener has TLS",
        ),
        _ => (Class::Transient, UNREACHABLE),
    };
    let cause = format!("topic {topic}: {cause}");
    broker::unreachable(name, BrokerFault { class, cause, hint })
}

/// What Kafka refused with.
fn refusal(error: &ClientError) -> Option<ProtocolError> {
    match beneath(error) {
        ClientError::ServerError { protocol_error, .. } => Some(*protocol_error),
        _ => None,
    }
}

/// An error without the library's words on that it was not tried again.
fn beneath(error: &ClientError) -> &ClientError {
    match error {
        ClientError::RetryFailed(BackoffError::DeadlineExceded { source, .. }) => {
            source.downcast_ref().map_or(error, beneath)
        }
        error => error,
    }
}

fn cause(error: &ClientError) -> String {
    match beneath(error) {
        ClientError::ServerError { protocol_error, .. } => {
            format!("Kafka answers {protocol_error}")
        }
        ClientError::RetryFailed(BackoffError::DeadlineExceded { source, .. })
        | ClientError::Connection(ConnectionError::RetryFailed(BackoffError::DeadlineExceded {
            source,
            ..
        })) => source.to_string(),
        ClientError::Connection(error) => error.to_string(),
        error => error.to_string(),
    }
}

fn is_misunderstood(error: &RequestError) -> bool {
    matches!(
        error,
        RequestError::NoVersionMatch { .. }
            | RequestError::ReadError(_)
            | RequestError::ReadVersionedError(_)
            | RequestError::TooMuchData { .. }
    )
}

/// The library has what each broker said only as text.
fn is_login(cause: &str) -> bool {
    const LOGIN: &str = "Sasl handshake failed: ";
    let refused = |(at, _): (usize, &str)| !cause[at + LOGIN.len()..].starts_with("Request error");
    cause.match_indices(LOGIN).any(refused)
}

/// As [`is_login`]; the words are those of rustls.
fn is_tls(cause: &str) -> bool {
    let words = [
        "invalid peer certificate",
        "received fatal alert",
        "received corrupt message",
    ];
    words.iter().any(|words| cause.contains(words))
}
