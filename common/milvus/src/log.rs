//! Messages of Milvus's log, as its message queue holds them from 2.2 to 2.5: what they say, as changes.
//!
//! Invariants:
//! - nothing is passed over: a message of an unknown type, and one that can't be understood, are an error;
//! - columns stay the bytes that they are in the message; each is looked at once, so that a malformed one does not get further;
//! - a message is decoded in full only when [`OfCollection::changes`] asks for it: a topic holds other collections' messages too.
//!
//! Seen in the log of 2.2.16 and 2.3.5:
//! - a row's time is in `timestamps`. The base agrees with it, but in the inserts of an upsert (2.3.5), where it is 0;
//! - the columns are those that a query answers: the keys that the server made and `$meta` are among them, `RowID` and `Timestamp`
//!   are not. An empty array tells the type of its elements, as a query's answer does not;
//! - an upsert is an insert and, behind it, a delete of the same time;
//! - a partition's creation is not in the log: the first insert into it is what tells of it;
//! - a collection's and a partition's drop stand in the topic of each of its channels.

mod error;
mod rows;
#[cfg(test)]
mod tests;

pub use error::{Cause, LogError};

use bytes::Bytes;
use model::{ChangeKind, Tick};
use prost::Message;
use proto::milvus::msg;

// The numbers of the types that stand in the log (`commonpb.MsgType`).
const CREATE_COLLECTION: i32 = 100;
const DROP_COLLECTION: i32 = 101;
const CREATE_PARTITION: i32 = 200;
const DROP_PARTITION: i32 = 201;
const INSERT: i32 = 400;
const DELETE: i32 = 401;
const IMPORT: i32 = 408;
const TIME_TICK: i32 = 1200;

/// A message of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogMessage {
    /// Every change in the messages behind this one is younger than the tick.
    TimeTick(Tick),
    /// What happened to a collection.
    OfCollection(OfCollection),
}

/// A message about one collection, not yet decoded in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfCollection {
    collection_id: i64,
    channel: Option<String>,
    message_type: i32,
    tick: Tick,
    payload: Bytes,
}

/// Reads so much of a message that it is known whose it is.
///
/// # Errors
/// [`LogError`] when the type is unknown, or what says whose it is can't be read.
pub fn decode(payload: &Bytes) -> Result<LogMessage, LogError> {
    let wrong = |message_type| move |cause| LogError::new(cause, message_type, payload);
    let base = msg::MsgHeader::decode(payload.clone())
        .map_err(|_| wrong(0)(Cause::Malformed))?
        .base
        .unwrap_or_default();
    let message_type = base.msg_type;
    let tick = Tick::new(base.timestamp);
    if message_type == TIME_TICK {
        let tick = some_time(tick).map_err(wrong(message_type))?;
        return Ok(LogMessage::TimeTick(tick));
    }
    let (collection_id, channel) = whose(message_type, payload).map_err(wrong(message_type))?;
    Ok(LogMessage::OfCollection(OfCollection {
        collection_id,
        channel: Some(channel).filter(|channel| !channel.is_empty()),
        message_type,
        tick,
        payload: payload.clone(),
    }))
}

/// The collection that a message is of, and its virtual channel, which is empty where the message does not tell it.
fn whose(message_type: i32, payload: &Bytes) -> Result<(i64, String), Cause> {
    let payload = payload.clone();
    let of_all_channels = |collection_id| (collection_id, String::new());
    Ok(match message_type {
        INSERT | DELETE => {
            let header = msg::RowsHeader::decode(payload)?;
            (header.collection_id, header.shard_name)
        }
        CREATE_COLLECTION => {
            of_all_channels(msg::CreateCollectionRequest::decode(payload)?.collection_id)
        }
        DROP_COLLECTION => {
            of_all_channels(msg::DropCollectionRequest::decode(payload)?.collection_id)
        }
        CREATE_PARTITION => {
            of_all_channels(msg::CreatePartitionRequest::decode(payload)?.collection_id)
        }
        DROP_PARTITION => {
            of_all_channels(msg::DropPartitionRequest::decode(payload)?.collection_id)
        }
        IMPORT => of_all_channels(msg::ImportMsg::decode(payload)?.collection_id),
        _ => return Err(Cause::UnknownType),
    })
}

impl OfCollection {
    /// The collection's id on the source.
    #[must_use]
    pub fn collection_id(&self) -> i64 {
        self.collection_id
    }

    /// The virtual channel; `None` where the message does not tell it: when it is of a collection or partition as a whole, and in
    /// the deletes of 2.2.
    #[must_use]
    pub fn channel(&self) -> Option<&str> {
        self.channel.as_deref()
    }

    /// The message's own time, which that of its changes may differ from.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The changes that the message tells of, each with its time: one, more than one where its rows are of different times, or
    /// none (the creation of the collection). Columns share the message's memory where they can.
    ///
    /// # Errors
    /// [`LogError`] when the message can't be understood, or says that rows came from elsewhere ([`Cause::Imported`]).
    pub fn changes(&self) -> Result<Vec<(Tick, ChangeKind)>, LogError> {
        self.decoded()
            .map_err(|cause| LogError::new(cause, self.message_type, &self.payload))
    }

    fn decoded(&self) -> Result<Vec<(Tick, ChangeKind)>, Cause> {
        let payload = self.payload.clone();
        let kind = match self.message_type {
            INSERT => return rows::inserted(msg::InsertRequest::decode(payload)?),
            DELETE => return rows::deleted(msg::DeleteRequest::decode(payload)?),
            CREATE_COLLECTION => return Ok(Vec::new()),
            IMPORT => return Err(Cause::Imported),
            DROP_COLLECTION => ChangeKind::DropCollection,
            CREATE_PARTITION => ChangeKind::CreatePartition {
                partition: named(msg::CreatePartitionRequest::decode(payload)?.partition_name)?,
            },
            DROP_PARTITION => ChangeKind::DropPartition {
                partition: named(msg::DropPartitionRequest::decode(payload)?.partition_name)?,
            },
            _ => return Err(Cause::UnknownType),
        };
        Ok(vec![(some_time(self.tick)?, kind)])
    }
}

/// A time that is one. Zero is younger than nothing: it would make a change look like one that is done.
fn some_time(tick: Tick) -> Result<Tick, Cause> {
    if tick == Tick::default() {
        Err(Cause::NoTime)
    } else {
        Ok(tick)
    }
}

/// A name that is one.
fn named(name: String) -> Result<String, Cause> {
    if name.is_empty() {
        Err(Cause::NoName)
    } else {
        Ok(name)
    }
}
