//! What can go wrong in a call to Milvus, whose turn it then is, and whether a change may have been made all the same.

pub(crate) mod classify;

use crate::ColumnError;
use crate::call::{self, Call};
use model::{Class, Fault, codes};
use std::error::Error;
use std::fmt;

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No such database.
    DatabaseNotFound,
    /// No such collection.
    CollectionNotFound,
    /// No such partition.
    PartitionNotFound,
    /// The server lists the partition, and finds it in no read and no write.
    PartitionUnseen,
    /// No such index, or none at all.
    IndexNotFound,
    /// No such alias.
    AliasNotFound,
    /// The server does not know such an import, or not any more.
    ImportNotFound,
    /// Something of this name is there already.
    AlreadyExists,
    /// The collection is not in memory, so that its rows can't be read.
    NotLoaded,
    /// The server, or the part of it that the call needs, is starting, moving or overloaded.
    NotReady,
    /// The server asks to slow down.
    RateLimit,
    /// The server refuses until there is room.
    Quota,
    /// The user and password or the token are wrong.
    Unauthenticated,
    /// The user lacks a right.
    Denied,
    /// The request or its answer is larger than a message may be.
    TooLarge,
    /// One row alone is larger than a request may be.
    RowTooLarge,
    /// No answer within the limit.
    Timeout,
    /// No connection, or it broke.
    Unreachable,
    /// The server does not know this call.
    Unimplemented,
    /// The server refused for another cause.
    Refused,
    /// The server answered what can't be understood.
    Answer,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MilvusError {
    call: &'static str,
    subject: String,
    kind: Kind,
    text: String,
    outcome_unknown: bool,
}

impl fmt::Display for MilvusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Milvus call {}", self.call)?;
        if !self.subject.is_empty() {
            write!(f, " on {:?}", self.subject)?;
        }
        write!(f, ": {}", self.text)
    }
}

impl MilvusError {
    pub(crate) fn new(call: Call<'_>, kind: Kind, text: impl Into<String>) -> Self {
        Self {
            call: call.name,
            subject: call.subject.to_owned(),
            kind,
            text: text.into(),
            outcome_unknown: false,
        }
    }

    pub(crate) fn with_unknown_outcome(mut self, unknown: bool) -> Self {
        self.outcome_unknown |= unknown;
        self
    }

    /// The same failure, understood as one of another kind.
    pub(crate) fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// The cause, without the call.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Why the call failed.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether a change that this call asked for may have been made, wholly or in part.
    ///
    /// Only a refusal that comes before anything is done is known to have changed nothing. After a lost connection, a limit in
    /// time, or a failure inside the server, it is not known: the change must be made again in a form that does no harm twice.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    /// Whether a request or an answer was too large, so that smaller pieces may do.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.kind == Kind::TooLarge
    }

    /// Whose turn it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self.kind {
            Kind::NotReady | Kind::RateLimit | Kind::Timeout | Kind::Unreachable => {
                Class::Transient
            }
            Kind::PartitionUnseen
            | Kind::NotLoaded
            | Kind::Quota
            | Kind::Unauthenticated
            | Kind::Denied => Class::Operator,
            Kind::DatabaseNotFound
            | Kind::CollectionNotFound
            | Kind::PartitionNotFound
            | Kind::IndexNotFound
            | Kind::AliasNotFound
            | Kind::ImportNotFound
            | Kind::AlreadyExists
            | Kind::TooLarge
            | Kind::RowTooLarge
            | Kind::Unimplemented
            | Kind::Refused
            | Kind::Answer => Class::Permanent,
        }
    }

    /// The stable code of the fault that this error becomes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.kind {
            Kind::DatabaseNotFound => codes::DATABASE_NOT_FOUND,
            Kind::CollectionNotFound => codes::COLLECTION_NOT_FOUND,
            Kind::PartitionUnseen => codes::PARTITION_UNSEEN,
            Kind::NotLoaded => codes::COLLECTION_NOT_LOADED,
            Kind::AlreadyExists => codes::NAME_TAKEN,
            Kind::RateLimit => codes::MILVUS_RATE_LIMIT,
            Kind::Quota => codes::MILVUS_QUOTA,
            Kind::Unauthenticated => codes::MILVUS_UNAUTHENTICATED,
            Kind::Denied => codes::MILVUS_DENIED,
            Kind::TooLarge => codes::MILVUS_TOO_LARGE,
            Kind::RowTooLarge => codes::ROW_TOO_LARGE,
            Kind::Timeout => codes::MILVUS_TIMEOUT,
            Kind::NotReady | Kind::Unreachable => codes::MILVUS_UNREACHABLE,
            Kind::Unimplemented => codes::MILVUS_UNIMPLEMENTED,
            Kind::PartitionNotFound
            | Kind::IndexNotFound
            | Kind::AliasNotFound
            | Kind::ImportNotFound
            | Kind::Refused => codes::MILVUS_REFUSED,
            Kind::Answer => codes::MILVUS_ANSWER,
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.kind {
            Kind::DatabaseNotFound | Kind::CollectionNotFound => {
                "check the name; a user without rights may see less than there is"
            }
            Kind::PartitionNotFound | Kind::IndexNotFound | Kind::AliasNotFound => {
                "check the name; it may have been dropped while the job ran"
            }
            Kind::ImportNotFound => {
                "the server forgets imports some time after their end: leave dataCoord.import.taskRetention at its default"
            }
            Kind::PartitionUnseen => {
                "if it lasts, create another partition of the collection and drop it again: the server then reads its list anew"
            }
            Kind::AlreadyExists => "choose another name, or say what to do with on_conflict",
            Kind::NotLoaded => "load the collection, or allow the job to load it",
            Kind::NotReady => "wait: the server is starting or busy; look at its log if it lasts",
            Kind::RateLimit => {
                "nothing: Passage slows down; raise the server's limits for more speed"
            }
            Kind::Quota => {
                "make room on the server (memory, disk) or lift its quota; Passage goes on then"
            }
            Kind::Unauthenticated => "check user and password, or the token",
            Kind::Denied => "grant the right that the message names to Passage's user",
            Kind::TooLarge => {
                "raise the server's message limits (proxy.grpc.serverMaxRecvSize, serverMaxSendSize)"
            }
            Kind::RowTooLarge => {
                "raise the server's proxy.grpc.serverMaxRecvSize and Passage's request limit"
            }
            Kind::Timeout => "wait; look at the server's load if it lasts",
            Kind::Unreachable => "check the address, the network and whether the server runs",
            Kind::Unimplemented => "this needs a newer Milvus",
            Kind::Refused => "see the server's words, and its log",
            Kind::Answer => "report this with the server's version",
        }
    }
}

/// An error and all its causes: tonic's own text is "transport error" and no more.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if texts.last().is_none_or(|last| !last.ends_with(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    if texts.len() > 1 {
        texts.retain(|text| text != "transport error");
    }
    texts.join(": ")
}

/// Columns of an answer that can't be read.
impl From<ColumnError> for MilvusError {
    fn from(error: ColumnError) -> Self {
        let call = Call::new("Query", "", call::Kind::Read);
        Self::new(call, Kind::Answer, error.to_string())
    }
}

impl From<MilvusError> for Fault {
    fn from(error: MilvusError) -> Self {
        Self::new(error.code(), error.class(), error.to_string(), error.hint())
    }
}
