//! A fake of the management port by which Milvus is kept from removing files: 2.3.5, which is at hand, has none.
//!
//! It answers as Milvus 2.6.8 and later do (`internal/proxy/management.go`), with a ticket for each pause, or as earlier ones, without; and it
//! removes nothing, for it keeps no files: what is seen is what it was told, and when.

use crate::front::Front;
use anyhow::Result;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The fake, listening on loopback until it is dropped.
#[derive(Debug)]
pub struct FakeManagement {
    front: Front,
    told: Arc<Told>,
}

#[derive(Debug)]
struct Told {
    has_tickets: bool,
    state: Mutex<Paused>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paused {
    /// The pauses that were taken: of which collection, and for how many seconds.
    pub taken: Vec<(Option<i64>, u64)>,
    /// The tickets of those that were not ended.
    pub open: BTreeMap<String, Option<i64>>,
    /// How often a pause was to be ended without a ticket: whoever's.
    pub ended_for_all: usize,
}

impl FakeManagement {
    /// One that gives tickets, or not.
    ///
    /// # Errors
    /// When it can't listen.
    pub async fn start(has_tickets: bool) -> Result<Self> {
        let told = Arc::new(Told {
            has_tickets,
            state: Mutex::default(),
        });
        let router = Router::new()
            .route("/management/datacoord/garbage_collection/pause", get(pause))
            .route(
                "/management/datacoord/garbage_collection/resume",
                get(resume),
            )
            .with_state(Arc::clone(&told));
        let front = Front::serve(router).await?;
        Ok(Self { front, told })
    }

    /// Where it is.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.front.uri()
    }

    /// What was asked for so far.
    #[must_use]
    pub fn paused(&self) -> Paused {
        self.told.state().clone()
    }
}

impl Told {
    fn state(&self) -> MutexGuard<'_, Paused> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a query says of this; empty where it says nothing.
fn asked(query: &Option<String>, name: &str) -> String {
    let pairs = query.as_deref().unwrap_or_default().split('&');
    let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
    let value = pairs.find(|(key, _)| *key == name);
    let mut rest = value.map_or("", |(_, value)| value);
    let mut read = String::new();
    while let Some(byte) = rest.chars().next() {
        let escaped = rest.get(1..3).filter(|_| byte == '%');
        let number = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        read.push(number.map_or(byte, char::from));
        rest = &rest[if number.is_some() { 3 } else { byte.len_utf8() }..];
    }
    read
}

async fn pause(State(told): State<Arc<Told>>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    let length = asked(&query, "pause_seconds");
    let Ok(seconds) = length.parse() else {
        let what =
            format!("failed to pause garbage collection, pause duration not valid, {length:?}");
        let answer = json!({ "msg": what }).to_string();
        return (StatusCode::INTERNAL_SERVER_ERROR, answer);
    };
    let mut state = told.state();
    // An earlier one does not look at the collection.
    let collection = asked(&query, "collection_id").parse().ok();
    let collection = collection.filter(|_| told.has_tickets);
    state.taken.push((collection, seconds));
    if !told.has_tickets {
        return (StatusCode::OK, json!({ "msg": "OK" }).to_string());
    }
    // With what a query has to escape.
    let ticket = format!("{}+/=", state.taken.len());
    state.open.insert(ticket.clone(), collection);
    let answer = json!({ "msg": "OK", "ticket": ticket }).to_string();
    (StatusCode::OK, answer)
}

async fn resume(State(told): State<Arc<Told>>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    let ticket = asked(&query, "ticket");
    let mut state = told.state();
    if ticket.is_empty() {
        state.ended_for_all += 1;
    } else if state.open.remove(&ticket).is_none() {
        let answer = json!({ "msg": "failed to decode ticket" }).to_string();
        return (StatusCode::BAD_REQUEST, answer);
    }
    (StatusCode::OK, json!({ "msg": "OK" }).to_string())
}
