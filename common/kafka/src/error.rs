//! Why a partition can't be read.

use crate::wire::Malformed;
use std::io;

/// A failure, named by the broker or topic that it is of.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answers at the address. It may pass.
    #[error("{address} can't be reached: {cause}")]
    Unreachable {
        /// The broker.
        address: String,
        /// The system's words.
        cause: io::Error,
    },
    /// The TLS handshake failed. The operator's: certificates, or one side without TLS.
    #[error("the TLS handshake with {address} failed: {cause}")]
    Tls {
        /// The broker.
        address: String,
        /// What is wrong.
        cause: io::Error,
    },
    /// The connection ended, or the broker did not answer in time. It may pass; where it is so from the beginning, the other side
    /// expects TLS or a user, or is no Kafka.
    #[error("{address} broke the connection off: {cause}")]
    Broken {
        /// The broker.
        address: String,
        /// The system's words.
        cause: io::Error,
    },
    /// The answer can't be understood: no Kafka, most likely.
    #[error("{address} answers what can't be understood: {cause}")]
    Malformed {
        /// The broker.
        address: String,
        /// What is wrong.
        cause: Malformed,
    },
    /// The user, the password or the way to prove it is refused. The operator's.
    #[error("{address} refuses user {user}: {cause}")]
    Credentials {
        /// The broker.
        address: String,
        /// The user.
        user: String,
        /// The broker's words.
        cause: String,
    },
    /// The user may not read the topic. The operator's.
    #[error("the user may not read topic {topic}")]
    Denied {
        /// The topic.
        topic: String,
    },
    /// The cluster has no such topic.
    #[error("there is no topic {topic}")]
    TopicMissing {
        /// The topic.
        topic: String,
    },
    /// The offset is not in the partition.
    #[error("topic {topic} has no offset {offset}")]
    OutOfRange {
        /// The topic.
        topic: String,
        /// The offset.
        offset: i64,
    },
    /// No broker leads the partition, or the one that was asked no longer does. It passes.
    #[error("topic {topic} has no leader at present")]
    NoLeader {
        /// The topic.
        topic: String,
    },
    /// The broker refused for another cause.
    #[error("{address} refuses topic {topic} with Kafka's error {code}")]
    Refused {
        /// The broker.
        address: String,
        /// The topic.
        topic: String,
        /// The number of the error, as Kafka's protocol lists it.
        code: i16,
    },
    /// A batch is of a form that is not read.
    #[error("topic {topic} holds batches {form}")]
    Form {
        /// The topic.
        topic: String,
        /// Which.
        form: &'static str,
    },
}
