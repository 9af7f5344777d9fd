//! A transport whose links send batches no faster than they may: all of them together, whatever lanes they take.
//!
//! The rate is of what is sent, compressed as it is. It is the batches' own bytes: credit, confirmations, questions and signs of life are not
//! counted, and never wait for it, not even on a lane whose batch does.

use crate::error::LinkError;
use crate::link::{Lane, Link, Transport};
use futures::future::BoxFuture;
use runtime::RateLimit;
use std::sync::Arc;

/// A transport that sends no faster than a rate.
#[derive(Debug)]
pub struct Limited {
    transport: Arc<dyn Transport>,
    rate: RateLimit,
}

impl Limited {
    /// Holds this transport's links to a rate, which may be changed while they live.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, rate: RateLimit) -> Self {
        Self { transport, rate }
    }
}

impl Transport for Limited {
    fn next_link(&self) -> BoxFuture<'_, Result<Link, LinkError>> {
        Box::pin(async {
            let link = self.transport.next_link().await?;
            let limit = |lane: Lane| Lane {
                tx: lane.tx.limited(self.rate.clone()),
                ..lane
            };
            Ok(Link {
                data: link.data.into_iter().map(limit).collect(),
                ..link
            })
        })
    }
}
