//! The line between the agents: a relay that can be cut, mended and slowed, and that counts what it carries, of TCP or of UDP.

mod udp;

use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// What is read at once, and so the most that one direction of a connection holds.
const CHUNK: usize = 64 << 10;

/// A relay on loopback. It ends with its value.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    state: watch::Sender<State>,
    /// Bytes a second in each direction of each connection; 0: no limit.
    bytes_per_second: AtomicU64,
    carried: watch::Sender<u64>,
}

impl Shared {
    fn new(to: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            to,
            state: watch::Sender::new(State {
                is_up: true,
                cuts: 0,
                tried_in_vain: 0,
            }),
            bytes_per_second: AtomicU64::new(0),
            carried: watch::Sender::new(0),
        })
    }
}

/// Whether it carries, and how often it was cut: a connection ends with the next cut, however short that is.
#[derive(Debug, Clone, Copy)]
struct State {
    is_up: bool,
    cuts: u64,
    /// Connections that came while it was cut.
    tried_in_vain: u64,
}

impl Link {
    /// A relay of TCP to this address, up.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn to(to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Shared::new(to);
        let accepting = tokio::spawn(accept(listener, shared.clone())).abort_handle();
        Ok(Self {
            address,
            shared,
            accepting,
        })
    }

    /// A relay of UDP to this address, up. Over a cut one everything is lost, and nobody told.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn of_udp_to(to: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let shared = Shared::new(to);
        let accepting = tokio::spawn(udp::run(socket, shared.clone())).abort_handle();
        Ok(Self {
            address,
            shared,
            accepting,
        })
    }

    /// Where to dial.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts every connection; new ones are closed at once, and packets of UDP lost.
    pub fn cut(&self) {
        self.shared.state.send_modify(|state| {
            *state = State {
                is_up: false,
                cuts: state.cuts + 1,
                tried_in_vain: 0,
            }
        });
    }

    /// Carries again.
    pub fn mend(&self) {
        self.shared.state.send_modify(|state| state.is_up = true);
    }

    /// Waits until somebody has dialled since the line was cut.
    ///
    /// # Cancel safety
    /// Waits only.
    pub async fn wait_tried_in_vain(&self) {
        // The sender lives as long as this borrow.
        let _ = self
            .shared
            .state
            .subscribe()
            .wait_for(|state| state.tried_in_vain > 0)
            .await;
    }

    /// Carries at most so many bytes a second in each direction of each connection; 0 for no limit.
    pub fn slow_to(&self, bytes_per_second: u64) {
        self.shared
            .bytes_per_second
            .store(bytes_per_second, Ordering::Relaxed);
    }

    /// How many bytes it has carried, both ways.
    #[must_use]
    pub fn carried(&self) -> u64 {
        *self.shared.carried.borrow()
    }

    /// Waits until it has carried at least so many bytes, both ways.
    ///
    /// # Cancel safety
    /// Waits only.
    pub async fn wait_carried(&self, bytes: u64) {
        // The sender lives as long as this borrow.
        let _ = self
            .shared
            .carried
            .subscribe()
            .wait_for(|carried| *carried >= bytes)
            .await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.cut();
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(carry(stream, shared.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries both directions of one connection until it ends or the line is cut.
async fn carry(near: TcpStream, shared: Arc<Shared>) {
    let mut states = shared.state.subscribe();
    let begun = *states.borrow_and_update();
    if !begun.is_up {
        shared.state.send_modify(|state| state.tried_in_vain += 1);
        return;
    }
    let carrying = async {
        let Ok(far) = TcpStream::connect(shared.to).await else {
            return;
        };
        // Delays of small packets would be the relay's, not the line's; without the option there are some.
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::join!(
            pump(near_in, far_out, &shared),
            pump(far_in, near_out, &shared)
        );
    };
    tokio::select! {
        () = carrying => {}
        _ = states.wait_for(|state| state.cuts > begun.cuts) => {}
    }
}

/// One direction: ends with its reader or writer.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let limit = shared.bytes_per_second.load(Ordering::Relaxed);
        // Twenty portions a second: short enough that a change of speed shows at once.
        let portion = if limit == 0 {
            CHUNK
        } else {
            usize::try_from(limit / 20).unwrap_or(CHUNK).clamp(1, CHUNK)
        };
        let Ok(read @ 1..) = from.read(&mut chunk[..portion]).await else {
            break;
        };
        if to.write_all(&chunk[..read]).await.is_err() {
            break;
        }
        shared
            .carried
            .send_modify(|carried| *carried += read as u64);
        if limit > 0 {
            tokio::time::sleep(Duration::from_secs_f64(read as f64 / limit as f64)).await;
        }
    }
    // The other end may be gone.
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn round_trip(stream: &mut TcpStream) -> std::io::Result<()> {
        stream.write_all(b"hello").await?;
        stream.read_exact(&mut [0; 5]).await.map(|_| ())
    }

    #[tokio::test]
    async fn a_cut_line_ends_its_connections_and_a_mended_one_takes_new_ones() {
        let link = Link::to(echo().await).await.unwrap();
        let mut before = TcpStream::connect(link.address()).await.unwrap();
        round_trip(&mut before).await.unwrap();
        link.wait_carried(10).await;
        link.cut();
        assert!(round_trip(&mut before).await.is_err());
        let mut during = TcpStream::connect(link.address()).await.unwrap();
        assert!(round_trip(&mut during).await.is_err());
        link.mend();
        let mut after = TcpStream::connect(link.address()).await.unwrap();
        round_trip(&mut after).await.unwrap();
        assert_eq!(link.carried(), 20);
    }
    #[tokio::test]
    async fn over_a_cut_line_packets_are_lost_and_a_newcomer_is_noticed() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let link = Link::of_udp_to(server.local_addr().unwrap()).await.unwrap();
        let (one, other) = (udp_to(&link).await, udp_to(&link).await);
        let mut packet = [0; 16];
        one.send(b"up").await.unwrap();
        let (length, near) = server.recv_from(&mut packet).await.unwrap();
        assert_eq!(&packet[..length], b"up");
        server.send_to(b"back", near).await.unwrap();
        assert_eq!(one.recv(&mut packet).await.unwrap(), 4);
        link.wait_carried(6).await;
        link.cut();
        one.send(b"lost").await.unwrap();
        other.send(b"lost").await.unwrap();
        link.wait_tried_in_vain().await;
        link.mend();
        other.send(b"up again").await.unwrap();
        let (length, _) = server.recv_from(&mut packet).await.unwrap();
        assert_eq!(&packet[..length], b"up again");
    }

    async fn udp_to(link: &Link) -> UdpSocket {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        socket.connect(link.address()).await.unwrap();
        socket
    }
}
