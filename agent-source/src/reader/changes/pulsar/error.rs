//! Why a topic can't be read.

use super::entry::{EntryId, Unreadable};
use super::frame::Malformed;
use model::{Fault, Offset};
use std::io;
use std::time::Duration;

/// Why a topic can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Nobody is there. It may pass.
    #[error("{address} can't be connected to: {cause}")]
    Dial {
        /// Whom it was tried with.
        address: String,
        /// What the system says.
        cause: io::Error,
    },
    /// The connection is lost, or could not be secured.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// The broker hung up.
    #[error("it hung up")]
    HungUp,
    /// No answer in time. It may pass.
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
    /// Not what Pulsar sends, or damaged on its way.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// The broker wants to be told by other means who calls.
    #[error("it asks for a login by other means than a token or a certificate")]
    Login,
    /// The broker refuses.
    #[error("Pulsar answers {message} (its error {number})")]
    Refused {
        /// A `ServerError`.
        number: i32,
        /// Its words.
        message: String,
    },
    /// The broker says something else than what it was asked.
    #[error("it gives {0}")]
    Unasked(String),
    /// Every broker names another one.
    #[error("no broker says that it has the topic: {0} named another one each")]
    Redirects(u32),
    /// The topic moves to another broker, or was closed.
    #[error("the broker let go of the topic")]
    Closed,
    /// The topic was terminated: nobody writes into it any more.
    #[error("the topic was terminated")]
    Terminated,
    /// A message that is there can't be read.
    #[error("message {id} of topic {topic}: {cause}")]
    Unreadable {
        /// Its topic.
        topic: String,
        /// The entry.
        id: EntryId,
        /// Why.
        cause: Unreadable,
    },
    /// The message of the place is gone: another one is the first that is given.
    #[error("the first that is there is {found}")]
    Gone {
        /// Where reading was to go on.
        place: Offset,
        /// What was given.
        found: EntryId,
    },
    /// The topic never came to the place.
    #[error("its last is {}", .last.map_or("none".to_owned(), |last| last.to_string()))]
    Beyond {
        /// Where reading was to go on.
        place: Offset,
        /// The newest message that there is.
        last: Option<EntryId>,
    },
    /// Behind a message comes another one than the next, or it is not known whether it is the next.
    #[error("behind {behind} comes {found}")]
    Gap {
        /// The one that was read.
        behind: EntryId,
        /// The one that came.
        found: EntryId,
    },
    /// The secret can't be had.
    #[error("{0}")]
    Secret(Fault),
}
