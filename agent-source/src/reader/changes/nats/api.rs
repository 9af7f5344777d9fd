//! JetStream's questions and answers, as far as they are needed. See `nats-io/nats-architecture-and-design`, ADR-1 and ADR-15.

use crate::reader::changes::broker::Extent;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where a stream is asked what it holds.
pub(super) fn info_subject(stream: &str) -> String {
    format!("$JS.API.STREAM.INFO.{stream}")
}

/// Where a consumer is made.
pub(super) fn create_subject(stream: &str) -> String {
    format!("$JS.API.CONSUMER.CREATE.{stream}")
}

/// Where a consumer is taken away.
pub(super) fn delete_subject(stream: &str, consumer: &str) -> String {
    format!("$JS.API.CONSUMER.DELETE.{stream}.{consumer}")
}

/// Where a consumer is asked for messages.
pub(super) fn next_subject(stream: &str, consumer: &str) -> String {
    format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}")
}

/// A consumer that is to be made: the server names it, and takes it away when nobody asks it.
#[derive(Debug, Serialize)]
pub(super) struct NewConsumer<'a> {
    stream_name: &'a str,
    config: ConsumerConfig,
}

#[derive(Debug, Serialize)]
struct ConsumerConfig {
    deliver_policy: &'static str,
    opt_start_seq: u64,
    ack_policy: &'static str,
    replay_policy: &'static str,
    mem_storage: bool,
    /// In nanoseconds, as all times of JetStream.
    inactive_threshold: u64,
    description: &'static str,
}

impl<'a> NewConsumer<'a> {
    /// One that begins with this message, and goes when it has not been asked for so long.
    pub(super) fn from(stream_name: &'a str, first: u64, unasked: Duration) -> Self {
        let config = ConsumerConfig {
            deliver_policy: "by_start_sequence",
            opt_start_seq: first,
            ack_policy: "none",
            replay_policy: "instant",
            mem_storage: true,
            inactive_threshold: nanoseconds(unasked),
            description: "passage",
        };
        Self {
            stream_name,
            config,
        }
    }
}

/// A question for messages.
#[derive(Debug, Serialize)]
pub(super) struct Next {
    batch: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_wait: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
}

impl Next {
    /// So many messages of those that are there, with at most so many bytes.
    pub(super) fn of_those_there(batch: usize, max_bytes: usize) -> Self {
        Self {
            batch,
            max_bytes: Some(max_bytes),
            no_wait: Some(true),
            expires: None,
        }
    }

    /// One message, of whatever size, waited for.
    pub(super) fn one_within(limit: Duration) -> Self {
        Self {
            batch: 1,
            max_bytes: None,
            no_wait: None,
            expires: Some(nanoseconds(limit)),
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What a stream says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct StreamInfo {
    state: StreamState,
}

#[derive(Debug, Deserialize)]
struct StreamState {
    first_seq: u64,
    last_seq: u64,
}

impl StreamInfo {
    /// What the stream holds. Before its first message it says 0 of both; when all were deleted, the first is the one that comes next.
    pub(super) fn extent(&self) -> Extent {
        let next = self.state.last_seq.saturating_add(1);
        let first = self.state.first_seq.clamp(1, next);
        Extent { first, next }
    }
}

/// A consumer that was made.
#[derive(Debug, Deserialize)]
pub(super) struct ConsumerInfo {
    /// Its name, the server's choice.
    pub(super) name: String,
}

/// Why the server refuses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{description} (JetStream's error {err_code})")]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) err_code: u64,
    #[serde(default)]
    description: String,
}

impl Refusal {
    /// Whether it is that there is no such stream.
    pub(super) fn is_no_stream(&self) -> bool {
        self.err_code == 10059
    }
}

/// What the server answered; `None` where it can't be understood.
pub(super) fn answer<T: DeserializeOwned>(payload: &[u8]) -> Option<Result<T, Refusal>> {
    #[derive(Deserialize)]
    struct Refused {
        error: Option<Refusal>,
    }
    match serde_json::from_slice::<Refused>(payload).ok()?.error {
        Some(refusal) => Some(Err(refusal)),
        None => serde_json::from_slice(payload).ok().map(Ok),
    }
}

/// The number in the stream of a message, from the subject that confirmations of it would go to:
/// `$JS.ACK.stream.consumer.deliveries.number.…`, in newer servers with domain and account before the stream.
pub(super) fn number(reply: &str) -> Option<u64> {
    let rest = reply.strip_prefix("$JS.ACK.")?;
    let parts: Vec<&str> = rest.split('.').collect();
    let at = if parts.len() >= 9 { 5 } else { 3 };
    parts.get(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_messages_number_is_found_in_both_forms() {
        let old = "$JS.ACK.by-dev-rootcoord-dml_0.Xk3.1.470.12.1700501465000000000.3";
        let new = "$JS.ACK.hub.AB12.by-dev-rootcoord-dml_0.Xk3.1.470.12.1700501465000000000.3.r4nd";
        assert_eq!([number(old), number(new)], [Some(470); 2]);
        assert_eq!(number("$JS.ACK.stream.consumer"), None);
        assert_eq!(number("_INBOX.x"), None);
    }

    #[test]
    fn a_streams_extent_is_right_before_its_first_message_and_when_all_are_deleted() {
        let extent = |first_seq, last_seq| {
            let state = StreamState {
                first_seq,
                last_seq,
            };
            let Extent { first, next } = StreamInfo { state }.extent();
            (first, next)
        };
        assert_eq!(extent(0, 0), (1, 1));
        assert_eq!(extent(1, 5), (1, 6));
        assert_eq!(extent(6, 5), (6, 6));
    }

    #[test]
    fn refusals_are_told_from_answers() {
        let refused = br#"{"type":"x","error":{"code":404,"err_code":10059,"description":"stream not found"}}"#;
        let refusal = answer::<StreamInfo>(refused).unwrap().unwrap_err();
        assert!(refusal.is_no_stream());
        assert_eq!(
            refusal.to_string(),
            "stream not found (JetStream's error 10059)"
        );
        let info = answer::<StreamInfo>(br#"{"state":{"first_seq":2,"last_seq":3}}"#);
        assert_eq!(info.unwrap().unwrap().extent().first, 2);
        assert!(answer::<StreamInfo>(b"{}").is_none());
    }
}
