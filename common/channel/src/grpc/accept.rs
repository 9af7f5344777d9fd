//! Strangers at the door: from the accepted socket to a known peer.
//!
//! Whatever a stranger does ends within a limit, and only so many are looked at. When one more comes, the one that has been at
//! it the longest goes: a peer that is what it says is through in a few round trips, so that a crowd which never finishes does
//! not keep it out.

use super::GrpcSettings;
use super::listen::Refusals;
use crate::error::LinkError;
use crate::tls::{self, PeerIdentity, Secured, Trust};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tonic::transport::server::Connected;

/// How long the loop rests after the system refused to accept, for want of file descriptors as a rule.
const REST: Duration = Duration::from_millis(100);

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(super) peer: Arc<PeerIdentity>,
    pub(super) address: Option<SocketAddr>,
}

/// Hands known peers on, for ever.
pub(super) async fn run(
    listener: TcpListener,
    trust: Trust,
    settings: GrpcSettings,
    refusals: Refusals,
    known: mpsc::Sender<io::Result<Secured>>,
) {
    let mut strangers: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let (socket, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection can't be accepted");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        strangers.retain(|stranger| !stranger.is_finished());
        if strangers.len() >= settings.max_strangers
            && let Some(oldest) = strangers.pop_front()
        {
            oldest.abort();
        }
        let meeting = meet(
            socket,
            address,
            trust.clone(),
            settings.handshake_limit,
            refusals.clone(),
            known.clone(),
        );
        strangers.push_back(tokio::spawn(meeting).abort_handle());
    }
}

async fn meet(
    socket: TcpStream,
    address: SocketAddr,
    trust: Trust,
    limit: Duration,
    refusals: Refusals,
    known: mpsc::Sender<io::Result<Secured>>,
) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, %address, "a connection was gone before its handshake");
        return;
    }
    match tokio::time::timeout(limit, tls::accept(&trust, socket)).await {
        Ok(Ok(secured)) => {
            known.send(Ok(secured)).await.ok();
        }
        Ok(Err(error)) => refusals.note(
            address,
            LinkError::Tls {
                peer: address.to_string(),
                error,
            },
        ),
        Err(_) => refusals.note(
            address,
            LinkError::TimedOut {
                step: "the handshake of TLS",
                limit,
            },
        ),
    }
}

impl Connected for Secured {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        Caller {
            peer: self.peer(),
            address: self.address(),
        }
    }
}
