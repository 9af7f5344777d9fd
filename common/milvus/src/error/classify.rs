//! The one place that understands how Milvus says no.
//!
//! A refusal comes in one of four ways: as a code of gRPC; as Milvus's newer number (since 2.3); as its older number; or, on 2.2
//! and on Milvus Lite, as a text only, under a number that says nothing. They are looked at in this order. Seen on 2.2.16, 2.3.5
//! and Lite 3.2.2; the numbers of later versions are those of Milvus's `merr` package.

use super::{Kind, MilvusError, causes};
use crate::call::Call;
use proto::milvus::common::Status;
use std::error::Error as _;
use std::time::Duration;
use tonic::Code;

/// A call that took longer than its limit.
pub(crate) fn timeout(call: Call<'_>, limit: Duration) -> MilvusError {
    let text = format!("no answer within {} s", limit.as_secs_f32());
    MilvusError::new(call, Kind::Timeout, text).with_unknown_outcome(true)
}

/// An answer that can't be understood. What it answers has been done.
pub(crate) fn answer(call: Call<'_>, text: impl Into<String>) -> MilvusError {
    MilvusError::new(call, Kind::Answer, text).with_unknown_outcome(true)
}

/// A failure that gRPC reports.
pub(crate) fn transport(call: Call<'_>, status: &tonic::Status) -> MilvusError {
    let text = match status.source() {
        Some(cause) if status.message() == "transport error" => causes(cause),
        _ => status.message().to_owned(),
    };
    let kind = kind_of_grpc(status.code(), &text);
    // Refused before the server looked at it; anything else may have happened after the work was done.
    let certain = match kind {
        Kind::TooLarge => {
            text.contains("received message larger") || text.contains("encoded message")
        }
        Kind::Unauthenticated | Kind::Denied | Kind::Unimplemented | Kind::RateLimit => true,
        _ => false,
    };
    MilvusError::new(call, kind, words(&text, &format!("{:?}", status.code())))
        .with_unknown_outcome(!certain)
}

/// A failure that the status in an answer reports.
pub(crate) fn status(call: Call<'_>, status: &Status) -> MilvusError {
    let kind = kind_of_status(status);
    let certain = match kind {
        Kind::DatabaseNotFound
        | Kind::CollectionNotFound
        | Kind::PartitionNotFound
        | Kind::AlreadyExists
        | Kind::NotLoaded
        | Kind::RateLimit
        | Kind::Quota
        | Kind::Unauthenticated
        | Kind::Denied
        | Kind::Unimplemented => true,
        // Parameters and schemas are checked before anything is written; 65535 and the like can be anything.
        Kind::Refused => matches!(status.code, 6 | 105 | 1100..=1199),
        _ => false,
    };
    let number = format!("code {}, error_code {}", status.code, status.error_code);
    MilvusError::new(call, kind, words(&status.reason, &number)).with_unknown_outcome(!certain)
}

/// A failure that the REST API reports: by a status of HTTP, and by a code of Milvus's in an answer of its own.
pub(crate) fn rest(call: Call<'_>, http: u16, code: i32, reason: &str) -> MilvusError {
    let by_http = match http {
        401 => Some(Kind::Unauthenticated),
        403 => Some(Kind::Denied),
        404 | 405 => Some(Kind::Unimplemented),
        408 | 504 => Some(Kind::Timeout),
        429 => Some(Kind::RateLimit),
        500..=599 => Some(Kind::Unreachable),
        _ => None,
    };
    match by_http {
        Some(kind) => {
            let text = words(reason, &format!("HTTP status {http}"));
            let certain = !matches!(kind, Kind::Timeout | Kind::Unreachable);
            MilvusError::new(call, kind, text).with_unknown_outcome(!certain)
        }
        None if code == 0 => answer(
            call,
            format!("HTTP status {http}, and no answer of Milvus's"),
        ),
        None => status(
            call,
            &Status {
                code,
                reason: reason.to_owned(),
                ..Status::default()
            },
        ),
    }
}

fn kind_of_grpc(code: Code, text: &str) -> Kind {
    let has = |part: &str| text.contains(part);
    match code {
        Code::Unauthenticated => Kind::Unauthenticated,
        Code::PermissionDenied => Kind::Denied,
        // A web server or a proxy, not a Milvus: a wrong address, or one whose Milvus is not there yet.
        _ if has("mapped from HTTP status code") => Kind::Unreachable,
        Code::Unimplemented => Kind::Unimplemented,
        Code::ResourceExhausted if has("larger than max") || has("too large") => Kind::TooLarge,
        Code::ResourceExhausted => Kind::RateLimit,
        Code::OutOfRange if has("message length too large") => Kind::TooLarge,
        Code::DeadlineExceeded => Kind::Timeout,
        Code::Cancelled if has("Timeout expired") => Kind::Timeout,
        Code::Unavailable | Code::Cancelled | Code::Aborted => Kind::Unreachable,
        Code::Internal if has("failed to decode Protobuf") => Kind::Answer,
        Code::Internal | Code::Unknown if TRANSPORT_WORDS.iter().any(|word| has(word)) => {
            Kind::Unreachable
        }
        _ => kind_of_text(text).unwrap_or(Kind::Refused),
    }
}

/// What the HTTP/2 and TCP layers say, through tonic, of a connection that broke.
const TRANSPORT_WORDS: [&str; 8] = [
    "h2 protocol error",
    "transport error",
    "connection",
    "broken pipe",
    "error reading a body",
    "stream closed",
    "stream no longer needed",
    "unexpected EOF",
];

fn kind_of_status(status: &Status) -> Kind {
    // A text comes before the numbers that stand for "anything": 65535 and 5 of Milvus, 1 and 6 of Milvus Lite, none on 2.2.
    let by_text = || kind_of_text(&status.reason);
    match status.code {
        0 | 5 | 65535 => {}
        1 if !status.reason.contains("not ready") => {}
        6 => return by_text().unwrap_or(Kind::Refused),
        code => {
            // A number of a later version: the server's own word for whether it passes.
            let unknown = if status.retriable {
                Kind::NotReady
            } else {
                Kind::Refused
            };
            return kind_of_code(code).or_else(by_text).unwrap_or(unknown);
        }
    }
    by_text()
        .or_else(|| kind_of_legacy(status.error_code))
        .unwrap_or_else(|| kind_of_inner(&status.reason))
}

/// What one part of a server says of another that it can't reach, as while it starts again: a list of its attempts.
fn kind_of_inner(text: &str) -> Kind {
    if text.contains("attempt #") {
        Kind::NotReady
    } else {
        Kind::Refused
    }
}

fn kind_of_code(code: i32) -> Option<Kind> {
    Some(match code {
        1 | 2 | 11 | 12 | 103 | 106 | 202 | 500 | 501 | 503 => Kind::NotReady,
        // A segment that was listed and is no more: asked again, the server lists what took its place.
        600..=602 => Kind::NotReady,
        901..=904 | 1002 | 1300..=1303 | 2200 => Kind::NotReady,
        3 | 7 | 9 => Kind::Quota,
        4 | 8 | 1807 => Kind::RateLimit,
        10 => Kind::Unimplemented,
        35 | 1601 | 1602 => Kind::AlreadyExists,
        100 => Kind::CollectionNotFound,
        101 | 201 => Kind::NotLoaded,
        200 => Kind::PartitionNotFound,
        700 => Kind::IndexNotFound,
        800 => Kind::DatabaseNotFound,
        1102 => Kind::TooLarge,
        1400 | 1800 => Kind::Unauthenticated,
        1401 => Kind::Denied,
        1600 => Kind::AliasNotFound,
        10000 | 10001 => Kind::Timeout,
        _ => return None,
    })
}

fn kind_of_legacy(error_code: i32) -> Option<Kind> {
    Some(match error_code {
        3 => Kind::Denied,
        4 | 28 => Kind::CollectionNotFound,
        25 => Kind::IndexNotFound,
        45..=47 | 50 | 55..=57 | 100 => Kind::NotReady,
        48 | 52..=54 => Kind::Quota,
        49 => Kind::RateLimit,
        _ => return None,
    })
}

/// Texts are matched as narrowly as they were seen, because they can hold names that an operator chose.
fn kind_of_text(text: &str) -> Option<Kind> {
    let text = text.to_lowercase();
    let has = |part: &str| text.contains(part);
    let missing = has("does not exist") || has("not found") || has("not exist");
    let rules = [
        (has("rate limit") || has("limiter"), Kind::RateLimit),
        (has("number of jobs has reached the limit"), Kind::RateLimit),
        (has("import job does not exist"), Kind::ImportNotFound),
        (
            has("quota exceeded") || has("quota exhausted") || has("force deny"),
            Kind::Quota,
        ),
        (
            has("deny to write") || has("insufficient memory"),
            Kind::Quota,
        ),
        (
            has("exceed the limit size") || has("output_data_size <= limit_size"),
            Kind::TooLarge,
        ),
        (
            has("maxoutputsize") || has("larger than max"),
            Kind::TooLarge,
        ),
        (
            has("has not been loaded") || has("call load()"),
            Kind::NotLoaded,
        ),
        (
            has("collection not loaded") || has("partition not loaded"),
            Kind::NotLoaded,
        ),
        // Of its own log: a server that starts again has not taken up the collection's channels yet.
        (has("channel not found["), Kind::NotReady),
        // A query that met a collection which is just being dropped or released.
        (has("channel not available["), Kind::NotReady),
        // A query that met a partition which is just being dropped.
        (
            has("belongs to partition") && has("which is not in"),
            Kind::NotReady,
        ),
        (
            has("context deadline exceeded")
                || has("context canceled")
                || has("taskcondition context done"),
            Kind::Timeout,
        ),
        (
            has("already exist") || has("duplicate collection"),
            Kind::AlreadyExists,
        ),
        (
            has("at most one distinct index") || has("multiple indexes on same field"),
            Kind::AlreadyExists,
        ),
        (
            has("conflicts with an existing") || has("name conflict"),
            Kind::AlreadyExists,
        ),
        (
            has("collectionnotexists") || has("can't find collection"),
            Kind::CollectionNotFound,
        ),
        (
            has("index doesn't exist") || has("no index on collection"),
            Kind::IndexNotFound,
        ),
        (
            missing && (has("database:") || has("database '") || has("database not")),
            Kind::DatabaseNotFound,
        ),
        (
            missing && (has("partition name ") || has("partition is not") || has("partition not")),
            Kind::PartitionNotFound,
        ),
        (
            missing && (has("collection '") || has("collection not")),
            Kind::CollectionNotFound,
        ),
        (
            missing && (has("alias '") || has("alias not")),
            Kind::AliasNotFound,
        ),
        (
            has("not ready") || has("not healthy") || has("no replica available"),
            Kind::NotReady,
        ),
        (has("permission deny"), Kind::Denied),
    ];
    rules
        .into_iter()
        .find_map(|(holds, kind)| holds.then_some(kind))
}

/// The server's words, short enough for a log. An expression is left out: it holds keys, and keys are the operator's data.
fn words(text: &str, otherwise: &str) -> String {
    let first_line = text.lines().next().unwrap_or_default().trim();
    let before_expression = ["expression: ", "expr = ", "expr: "]
        .iter()
        .find_map(|mark| {
            first_line
                .split_once(mark)
                .map(|(before, _)| format!("{before}expression …"))
        })
        .unwrap_or_else(|| first_line.to_owned());
    if before_expression.is_empty() {
        return otherwise.to_owned();
    }
    match before_expression.char_indices().nth(400) {
        Some((end, _)) => format!("{}…", &before_expression[..end]),
        None => before_expression,
    }
}

#[cfg(test)]
mod tests;
