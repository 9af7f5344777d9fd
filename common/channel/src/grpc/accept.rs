//! Strangers at the door: from the accepted socket to a known peer.

use crate::error::LinkError;
use crate::listening::{Caller, Crowd, Refusals};
use crate::settings::LinkSettings;
use crate::tcp;
use crate::tls::{self, Secured, Trust};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tonic::transport::server::Connected;

/// How long the loop rests after the system refused to accept, for want of file descriptors as a rule.
const REST: Duration = Duration::from_millis(100);

/// Hands known peers on, for ever.
pub(super) async fn run(
    listener: TcpListener,
    trust: Trust,
    settings: LinkSettings,
    refusals: Refusals,
    known: mpsc::Sender<io::Result<Secured>>,
) {
    let mut crowd = Crowd::new(settings.max_strangers, refusals.clone());
    loop {
        let (socket, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection can't be accepted");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        let meeting = meet(
            socket,
            address,
            trust.clone(),
            settings.handshake_limit,
            refusals.clone(),
            known.clone(),
        );
        crowd.admit(address, meeting);
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
    if let Err(error) = tcp::set_up(&socket) {
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
