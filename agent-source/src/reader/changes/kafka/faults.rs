//! What an operator is told when Kafka can't be read from.

use crate::reader::changes::broker::{self, BrokerFault};
use ::kafka::Error;
use model::{Class, Fault};

/// A partition can't be read.
pub(super) fn of(name: &str, error: &Error) -> Fault {
    let (class, hint) = match error {
        Error::TopicMissing { topic } => return broker::topic_missing(name, topic),
        Error::Unreachable { .. } => (
            Class::Transient,
            "see that log.brokers names Kafka's listeners, that this machine may connect to them, and, if another address than those is \
             meant, that it may connect to what the brokers call themselves (advertised.listeners); the agent tries again",
        ),
        Error::NoLeader { .. } | Error::OutOfRange { .. } => (
            Class::Transient,
            "see that Kafka's brokers are well; the agent tries again",
        ),
        Error::Broken { .. } => (
            Class::Transient,
            "if it is always so: a listener with TLS needs the section log.tls, one with users log.sasl; the agent tries again",
        ),
        Error::Tls { .. } => (
            Class::Operator,
            "see that log.tls names the CA of the brokers' certificates, that these bear the brokers' names or log.tls.server_name, \
             and that the listener has TLS",
        ),
        Error::Credentials { .. } => (
            Class::Operator,
            "see log.sasl: the mechanism, the user and the password must be those that Kafka knows",
        ),
        Error::Denied { .. } => (
            Class::Operator,
            "let the user of log.sasl describe and read Milvus's topics",
        ),
        Error::Malformed { .. } | Error::Refused { .. } => (
            Class::Operator,
            "see that log.brokers names Kafka's listeners, and those of version 0.11 or later",
        ),
        Error::Form { .. } => (
            Class::Operator,
            "let the topics keep what Milvus writes: compression.type producer or zstd, and no message format before 0.11; what is \
             already written stays unread, so that the job must begin anew",
        ),
    };
    let cause = error.to_string();
    broker::unreachable(name, BrokerFault { class, cause, hint })
}
