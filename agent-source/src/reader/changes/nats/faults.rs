//! What an operator is told when NATS can't be read from.

use super::consumer::Error;
use crate::reader::changes::broker::{self, BrokerFault};
use async_nats::{ConnectError, ConnectErrorKind};
use model::{Class, Fault};

/// The server can't be connected to.
pub(super) fn connecting(error: &ConnectError) -> BrokerFault {
    let (class, hint) = match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => (
            Class::Operator,
            "give the user and password, or the token, that the server wants in the section log; Milvus's own server wants none",
        ),
        ConnectErrorKind::Tls => (
            Class::Operator,
            "see that log.tls names the CA of the server's certificate, that the certificate bears the host of log.url, and that the \
             server has TLS at all: Milvus's own has none",
        ),
        _ => (
            Class::Transient,
            "see that log.url names the host of Milvus and its natsmq.server.port, that Milvus runs with mq.type natsmq, and that this \
             machine may connect to it; the agent tries again",
        ),
    };
    let cause = error.to_string();
    BrokerFault { class, cause, hint }
}

/// A stream can't be read.
pub(super) fn of(name: &str, topic: &str, error: &Error) -> Fault {
    let (class, hint) = match error {
        Error::Refused(refusal) if refusal.is_no_stream() => {
            return broker::topic_missing(name, topic);
        }
        Error::Silent(_) | Error::Lost(_) => (
            Class::Transient,
            "see that Milvus runs, and that nothing between it and this machine breaks connections off; the agent tries again",
        ),
        Error::NoStreams | Error::Refused(_) | Error::Malformed => (
            Class::Operator,
            "see that log.url names the NATS server inside the source Milvus, and no other",
        ),
    };
    let cause = format!("topic {topic}: {error}");
    broker::unreachable(name, BrokerFault { class, cause, hint })
}
