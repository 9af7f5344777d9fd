//! What an operator is told when Pulsar can't be read from.

use super::Pulsar;
use super::entry::Unreadable;
use super::error::Error;
use super::frame::Malformed;
use crate::reader::changes::broker::{self, BrokerFault};
use model::{Class, Fault, codes};
use proto::pulsar::ServerError;
use std::io;

const UNREACHABLE: &str = "see that log.url names a broker or proxy of Pulsar, that this machine may connect to it and to what the brokers call themselves \
     (advertisedAddress), that log.tenant and log.namespace are those of milvus.yaml, and that the brokers are well; a port with TLS needs \
     pulsar+ssl://; the agent tries again";

const PROTOCOL: &str = "see that log.url names the port of Pulsar's binary protocol (6650 by default, and not that of its web service), with \
     pulsar+ssl:// where that port has TLS (6651 by default)";

const LOGIN: &str = "give the token that Pulsar wants as log.token_file, token_env or token_credential (or the certificate, in log.tls), and let its \
     role consume from Milvus's namespace";

const TLS: &str = "see that log.tls names the CA of the brokers' certificates, that these bear the brokers' names, that the brokers know the CA of \
     log.tls.client_pem_path where they ask for one, and that the port has TLS at all";

/// A topic can't be read.
pub(super) fn of(name: &str, topic: &str, error: Error) -> Fault {
    let cause = format!("topic {topic}: {error}");
    let (class, hint) = match error {
        Error::Secret(fault) => return fault,
        Error::Unreadable { ref cause, .. } => return unreadable(name, &error, cause),
        Error::Gone { .. } | Error::Beyond { .. } | Error::Gap { .. } => {
            return truncated(name, topic, &error);
        }
        Error::Refused { number, .. } => match ServerError::try_from(number) {
            Ok(ServerError::TopicNotFound) => return broker::topic_missing(name, topic),
            Ok(ServerError::AuthenticationError | ServerError::AuthorizationError) => {
                (Class::Operator, LOGIN)
            }
            Ok(
                ServerError::UnsupportedVersionError
                | ServerError::InvalidTopicName
                | ServerError::NotAllowedError,
            ) => (
                Class::Operator,
                "see that log.url names the Pulsar of the source Milvus, and that log.tenant and log.namespace are those of its milvus.yaml",
            ),
            _ => (Class::Transient, UNREACHABLE),
        },
        Error::Login => (Class::Operator, LOGIN),
        Error::Dial { cause: ref io, .. } | Error::Broken(ref io) if is_tls(io) => {
            (Class::Operator, TLS)
        }
        // It may have been damaged on its way.
        Error::Malformed(Malformed::Checksum { .. }) => (
            Class::Transient,
            "nothing is passed over: the agent reads it again; see that Pulsar's disks and the line are well if that goes on",
        ),
        Error::Malformed(_) => (Class::Operator, PROTOCOL),
        _ => (Class::Transient, UNREACHABLE),
    };
    broker::unreachable(name, BrokerFault { class, cause, hint })
}

fn unreadable(name: &str, error: &Error, cause: &Unreadable) -> Fault {
    let hint = match cause {
        Unreadable::Encrypted | Unreadable::Chunked | Unreadable::Compression(_) => {
            "the job waits at this message: see that nobody but Milvus writes into its topics, and look for a release of Passage that reads it"
        }
        _ => {
            "the job waits at this message: see that nobody but Milvus writes into its topics, and report this"
        }
    };
    let message = format!("Milvus's log in {name}: {error}");
    Fault::new(codes::LOG_MALFORMED, Class::Operator, message, hint)
}

fn truncated(name: &str, topic: &str, error: &Error) -> Fault {
    let message = match error {
        Error::Beyond { place, .. } => format!(
            "Milvus's log in {name} no longer has message {place} of topic {topic}, which was read from it: {error}, so that it is \
             another log, or has lost messages"
        ),
        Error::Gone { place, .. } => format!(
            "Milvus's log in {name} no longer reaches back to message {place} of topic {topic}: {error}, and changes that were not read \
             were deleted"
        ),
        _ => format!(
            "Milvus's log in {name} may have lost messages of topic {topic}: {error}, and what was between them can't be told any more"
        ),
    };
    broker::truncated::<Pulsar>(message)
}

/// Whether the system's error is one of TLS.
fn is_tls(error: &io::Error) -> bool {
    let cause = error.get_ref();
    cause.is_some_and(|cause| cause.is::<rustls::Error>())
}
