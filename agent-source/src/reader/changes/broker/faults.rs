//! What an operator is told when a broker's log can't be read.

use super::{Broker, Extent};
use model::{Class, Fault, Offset, codes};
use tokio::task::JoinError;

/// Why a broker can't be read from: whose turn it is, what happened, and the remedy.
pub(crate) struct BrokerFault {
    pub(crate) class: Class,
    pub(crate) cause: String,
    pub(crate) hint: &'static str,
}

/// The broker can't be read from.
pub(crate) fn unreachable(name: &str, fault: BrokerFault) -> Fault {
    let message = format!("Milvus's log in {name} can't be read: {}", fault.cause);
    Fault::new(codes::LOG_UNREACHABLE, fault.class, message, fault.hint)
}

/// The broker has no such topic.
pub(crate) fn topic_missing(name: &str, topic: &str) -> Fault {
    let message = format!("Milvus's log in {name} has no topic {topic}");
    missing(message)
}

/// The topic never had a message.
pub(super) fn empty(broker: &impl Broker, topic: &str) -> Fault {
    let message = format!(
        "Milvus's log in {} has no message of topic {topic}",
        broker.name()
    );
    missing(message)
}

fn missing(message: String) -> Fault {
    let hint = "see that the configured log is that of the source Milvus, that this Milvus runs (it writes into the topic of every \
                collection several times a second), and that the user of the section log, if it has one, may describe its topics";
    Fault::new(codes::LOG_TOPIC_MISSING, Class::Operator, message, hint)
}

/// A topic that holds this no longer holds all that is behind a place.
pub(super) fn out_of<B: Broker>(extent: Extent, broker: &B, topic: &str, behind: Offset) -> Fault {
    let (name, Extent { first, next }) = (broker.name(), extent);
    let message = if behind.number() >= next {
        format!(
            "Milvus's log in {name} no longer has message {behind} of topic {topic}, which was read from it: the next there will be \
             {next}, so that it is another log, or has lost messages"
        )
    } else {
        format!(
            "Milvus's log in {name} no longer reaches back to message {behind} of topic {topic}: it begins with {first}, and changes \
             that were not read were deleted"
        )
    };
    truncated::<B>(message)
}

/// Messages behind a place may be gone.
pub(crate) fn truncated<B: Broker>(message: String) -> Fault {
    let hint = format!(
        "every row is compared again, and those that missed a change are repaired; set {} longer than the agent is ever behind",
        B::RETENTION
    );
    Fault::new(codes::LOG_TRUNCATED, Class::Transient, message, hint)
}

/// A task ended early.
pub(super) fn ended(error: &JoinError) -> Fault {
    let message = format!("a read of the log ended early: {error}");
    let hint = "restart the agent and report this";
    Fault::new(codes::BUG, Class::Bug, message, hint)
}
