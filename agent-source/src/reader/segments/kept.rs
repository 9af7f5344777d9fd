//! Files that the source's Milvus keeps while they are read: it removes those of segments that compaction has replaced, hours later by
//! default. Where its management port is configured, it is told not to.
//!
//! A pause is short and taken anew before it ends. So whatever becomes of this agent, the server removes files again minutes later. One that
//! can be ended is, as soon as the work is done or given up.

use crate::agent::Agent;
use milvus::{Client, MAX_PAUSE, MilvusError, PauseTicket};
use model::CollectionSpec;
use std::time::Duration;

/// After how long a pause is taken anew: a server that is away for as long is back in time.
const RENEWED_AFTER: Duration = Duration::from_secs(MAX_PAUSE.as_secs() / 2);

/// After how long one is tried again that the server did not take.
const TRIED_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// A pause in the removal of a collection's files. What can be ended of it is when it is dropped.
struct Pause {
    milvus: Client,
    collection: i64,
    ticket: Option<PauseTicket>,
}

/// Does work while the server removes none of a collection's files, where it can be told so. Where it does not do as it is told, the work is
/// done all the same.
///
/// # Cancel safety
/// That of the work.
pub(crate) async fn keep_files<T>(
    agent: &Agent,
    source: &CollectionSpec,
    work: impl Future<Output = T>,
) -> T {
    if !agent.milvus.has_management() {
        return work.await;
    }
    let mut pause = Pause {
        milvus: agent.milvus.clone(),
        collection: source.id,
        ticket: None,
    };
    let mut wait = pause.take().await;
    let renewed = async {
        loop {
            tokio::time::sleep(wait).await;
            wait = pause.take().await;
        }
    };
    tokio::select! {
        done = work => done,
        never = renewed => never,
    }
}

/// What is to be said in advance of the server's keeping files; nothing where it is not to be told.
pub(crate) async fn how_kept(agent: &Agent) -> Option<String> {
    if !agent.milvus.has_management() {
        return None;
    }
    Some(match agent.milvus.prove_pause().await {
        Ok(()) => "the server is told to remove none of them meanwhile".to_owned(),
        Err(error) => format!("the server can't be told to remove none of them meanwhile: {error}"),
    })
}

impl Pause {
    /// Takes a pause, and ends the one before. Gives after how long that is to be done again.
    async fn take(&mut self) -> Duration {
        let taken = self.milvus.pause_removal(self.collection, MAX_PAUSE).await;
        match taken {
            Ok(ticket) => {
                let before = std::mem::replace(&mut self.ticket, ticket);
                if let Some(before) = before {
                    end(&self.milvus, &before).await;
                }
                RENEWED_AFTER
            }
            Err(error) => {
                told(&error);
                TRIED_AGAIN_AFTER
            }
        }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket.take() else {
            return;
        };
        let milvus = self.milvus.clone();
        // Nobody waits for it: where it comes to nothing, the pause ends by itself.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { end(&milvus, &ticket).await });
        }
    }
}

async fn end(milvus: &Client, ticket: &PauseTicket) {
    if let Err(error) = milvus.end_pause(ticket).await {
        told(&error);
    }
}

fn told(error: &MilvusError) {
    tracing::warn!(%error, "the source's removal of files is not as it was to be");
}
