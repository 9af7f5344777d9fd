//! The management port of a Milvus, where its metrics are, too (9091 by default): as far as it keeps a server from removing files.
//!
//! Milvus calls that garbage collection. Read in its sources, not seen on a server (2.3.5 answers 404): a pause is asked for with its length,
//! and ends by itself (`internal/proxy/management.go` of 2.5 and 2.6). Since 2.6.8 it may be of one collection, and has a ticket with which it is
//! ended before; earlier servers do not look at the collection, pause all, and end whoever's pause when told to end one. So a pause without a
//! ticket is left to end by itself. No more than 64 tickets are taken at a time (`internal/datacoord/garbage_collector.go`).
//!
//! The port asks nobody who he is: we do not say so there.

use crate::call::{Call, Kind as CallKind};
use crate::error::{Kind, classify};
use crate::{Client, MilvusError};
use hyper::StatusCode;
use serde::Deserialize;
use std::fmt::Write as _;
use std::time::Duration;

const PAUSE: &str = "/management/datacoord/garbage_collection/pause";
const RESUME: &str = "/management/datacoord/garbage_collection/resume";

/// For how long a pause is asked for at most: whoever asked and was killed keeps files for no longer.
pub const MAX_PAUSE: Duration = Duration::from_mins(10);

/// A length that is none. A server that has the port says so, and does nothing.
const NO_LENGTH: &str = "none";

/// With what a pause is ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseTicket(String);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    msg: String,
    ticket: String,
}

impl Client {
    /// Whether the address of the management port was given.
    #[must_use]
    pub fn has_management(&self) -> bool {
        self.management(CallKind::Describe).is_some()
    }

    /// Makes sure that the server can be kept from removing files, without having it do so.
    ///
    /// # Errors
    /// [`MilvusError`] when it can't be asked, or has no such port: [`Kind::Unimplemented`].
    pub async fn prove_pause(&self) -> Result<(), MilvusError> {
        let call = Call::new("PauseGarbageCollection", "", CallKind::Describe);
        let path = format!("{PAUSE}?pause_seconds={NO_LENGTH}");
        self.manage(call, &path, |call, status, told| match status {
            StatusCode::INTERNAL_SERVER_ERROR if told.msg.contains("duration not valid") => Ok(()),
            _ => done(call, status, &told),
        })
        .await
    }

    /// Keeps the server from removing files of a collection's segments, or of all, for so long. Gives the ticket with which that is ended
    /// before; none of a server that has no tickets.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked.
    pub async fn pause_removal(
        &self,
        collection: i64,
        length: Duration,
    ) -> Result<Option<PauseTicket>, MilvusError> {
        let call = Call::new("PauseGarbageCollection", "", CallKind::Describe);
        let seconds = length.min(MAX_PAUSE).as_secs();
        let path = format!("{PAUSE}?pause_seconds={seconds}&collection_id={collection}");
        self.manage(call, &path, |call, status, told| {
            done(call, status, &told)?;
            Ok((!told.ticket.is_empty()).then_some(PauseTicket(told.ticket)))
        })
        .await
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// [`MilvusError`] when the server refuses or can't be asked: it ends by itself then.
    pub async fn end_pause(&self, ticket: &PauseTicket) -> Result<(), MilvusError> {
        let call = Call::new("ResumeGarbageCollection", "", CallKind::Describe);
        let path = format!("{RESUME}?ticket={}", escaped(&ticket.0));
        self.manage(call, &path, |call, status, told| done(call, status, &told))
            .await
    }

    async fn manage<T>(
        &self,
        call: Call<'_>,
        path: &str,
        read: impl FnOnce(Call<'_>, StatusCode, Told) -> Result<T, MilvusError>,
    ) -> Result<T, MilvusError> {
        let absent = || MilvusError::new(call, Kind::Unimplemented, "no management_uri is given");
        let (rest, limit) = self.management(call.kind).ok_or_else(absent)?;
        let answer = rest.get(call, limit, path, |call, status, body| {
            read(
                call,
                status,
                serde_json::from_slice(body).unwrap_or_default(),
            )
        });
        answer.await
    }
}

fn done(call: Call<'_>, status: StatusCode, told: &Told) -> Result<(), MilvusError> {
    match status.is_success() {
        true => Ok(()),
        false => Err(classify::rest(call, status.as_u16(), 0, &told.msg)),
    }
}

/// A text as it may stand in a query.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            other => {
                // A text takes whatever is written to it.
                let _ = write!(escaped, "%{other:02X}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_stands_in_a_query_whatever_is_in_it() {
        assert_eq!(escaped("aZ9-._~"), "aZ9-._~");
        assert_eq!(escaped("a+b/c=&d e"), "a%2Bb%2Fc%3D%26d%20e");
    }

    #[test]
    fn what_a_server_tells_is_read_by_its_status() {
        let call = Call::new("PauseGarbageCollection", "", CallKind::Describe);
        let told: Told = serde_json::from_str(r#"{"msg": "OK", "ticket": "t"}"#).unwrap();
        assert_eq!(told.ticket, "t");
        assert!(done(call, StatusCode::OK, &told).is_ok());
        let absent = done(call, StatusCode::NOT_FOUND, &Told::default()).unwrap_err();
        assert_eq!(absent.kind(), Kind::Unimplemented);
        let told = Told {
            msg: "failed to pause garbage collection, too many pause records".into(),
            ..Told::default()
        };
        let refused = done(call, StatusCode::INTERNAL_SERVER_ERROR, &told).unwrap_err();
        assert!(refused.to_string().contains("too many pause records"));
    }
}
