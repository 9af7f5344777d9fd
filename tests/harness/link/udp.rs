//! The line for UDP: packets, each on its own. What comes from one address is one flow, which goes on from an address of the relay's.

use super::{Shared, State};
use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// More than any packet has.
const PACKET_BYTES: usize = 65_536;

/// How many packets of a flow wait in each direction; one more is lost, as on any line.
const QUEUE_PACKETS: usize = 512;

/// The relay sleeps no less than this at a time: the clock's own steps are not much finer.
const LEAST_REST: Duration = Duration::from_millis(4);

/// Carries until the task is ended.
pub(super) async fn run(near: UdpSocket, shared: Arc<Shared>) {
    let near = Arc::new(near);
    let mut flows: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>> = HashMap::new();
    // Who spoke while the line was up: what they send over a cut one is no new attempt.
    let mut known = HashSet::new();
    let mut tasks = JoinSet::new();
    let mut packet = vec![0; PACKET_BYTES];
    loop {
        let Ok((length, from)) = near.recv_from(&mut packet).await else {
            continue;
        };
        let state = *shared.state.borrow();
        if !state.is_up {
            if !known.contains(&from) {
                shared.state.send_modify(|state| state.tried_in_vain += 1);
            }
            continue;
        }
        known.insert(from);
        let flow = match flows.get(&from) {
            Some(flow) if !flow.is_closed() => flow.clone(),
            _ => {
                let (flow, packets) = mpsc::channel(QUEUE_PACKETS);
                tasks.spawn(carry(near.clone(), from, packets, state, shared.clone()));
                flows.insert(from, flow.clone());
                flow
            }
        };
        // A full queue loses it.
        flow.try_send(packet[..length].to_vec()).ok();
        while tasks.try_join_next().is_some() {}
    }
}

/// One flow, both ways, until the line is cut.
async fn carry(
    near: Arc<UdpSocket>,
    client: SocketAddr,
    mut packets: mpsc::Receiver<Vec<u8>>,
    begun: State,
    shared: Arc<Shared>,
) {
    let Ok(far) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await else {
        return;
    };
    if far.connect(shared.to).await.is_err() {
        return;
    }
    let mut states = shared.state.subscribe();
    let there = async {
        let mut pace = Pace::default();
        while let Some(packet) = packets.recv().await {
            // Nobody may listen there: then it is lost.
            far.send(&packet).await.ok();
            pace.rest(packet.len(), &shared).await;
        }
    };
    let back = async {
        let mut pace = Pace::default();
        let mut packet = vec![0; PACKET_BYTES];
        loop {
            let Ok(length) = far.recv(&mut packet).await else {
                continue;
            };
            near.send_to(&packet[..length], client).await.ok();
            pace.rest(length, &shared).await;
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
        _ = states.wait_for(|state| state.cuts > begun.cuts) => {}
    }
}

/// Until when the line is busy with what it has carried.
struct Pace(Instant);

impl Default for Pace {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Pace {
    /// Counts a packet, and waits as long as it takes.
    async fn rest(&mut self, bytes: usize, shared: &Shared) {
        shared
            .carried
            .send_modify(|carried| *carried += bytes as u64);
        let limit = shared.bytes_per_second.load(Ordering::Relaxed);
        if limit == 0 {
            return;
        }
        let now = Instant::now();
        self.0 = self.0.max(now) + Duration::from_secs_f64(bytes as f64 / limit as f64);
        if self.0 - now >= LEAST_REST {
            tokio::time::sleep_until(self.0).await;
        }
    }
}
