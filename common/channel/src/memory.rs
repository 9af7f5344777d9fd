//! Both ends of a channel in one process, with scripted faults: for tests of what runs above the channel.
//!
//! Every frame passes a judge, who may let it through, lose it, or cut the link. Nothing here waits on a real clock but the limit
//! of the handshake, so tests may pause tokio's.

mod pipe;

use crate::error::LinkError;
use crate::handshake::{self, Greeted};
use crate::link::{Lane, Link, Transport};
use crate::tls::{Fingerprint, PeerIdentity, Shown};
use futures::future::BoxFuture;
use pipe::{Mark, pipe};
use protocol::{Frame, Hello, Role};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// A frame on its way, as the judge sees it.
#[derive(Debug)]
pub struct Passing<'a> {
    /// The link's number, from 1, in the order of dialling.
    pub link: u64,
    /// The lane: 0 for control, from 1 for data.
    pub lane: usize,
    /// Who sends.
    pub from: Role,
    /// The frame's number on this lane in this direction, from 1.
    pub number: u64,
    /// The frame.
    pub frame: &'a Frame,
}

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It arrives.
    Pass,
    /// It is lost, and nobody is told.
    Lose,
    /// It is lost, and the link with it.
    Cut,
}

type Judge = Arc<std::sync::Mutex<dyn FnMut(Passing<'_>) -> Ruling + Send>>;

/// One end.
pub struct MemoryTransport {
    hello: Hello,
    end: End,
}

enum End {
    Dial {
        offers: mpsc::Sender<Offer>,
        judge: Judge,
        links: AtomicU64,
        peer: Role,
    },
    Listen {
        offers: Mutex<mpsc::Receiver<Offer>>,
    },
}

/// The listener's end of the lanes of a link that was dialled; the control lane first.
type Offer = Vec<Lane>;

/// Both ends, joined by lanes without faults.
#[must_use]
pub fn pair(dialler: Hello, listener: Hello) -> (MemoryTransport, MemoryTransport) {
    judged_pair(dialler, listener, |_| Ruling::Pass)
}

/// Both ends, joined by lanes on which `judge` rules over every frame.
#[must_use]
pub fn judged_pair(
    dialler: Hello,
    listener: Hello,
    judge: impl FnMut(Passing<'_>) -> Ruling + Send + 'static,
) -> (MemoryTransport, MemoryTransport) {
    let (offers, offered) = mpsc::channel(1);
    let judge: Judge = Arc::new(std::sync::Mutex::new(judge));
    let dial = End::Dial {
        offers,
        judge,
        links: AtomicU64::new(1),
        peer: listener.role,
    };
    let listen = End::Listen {
        offers: Mutex::new(offered),
    };
    (
        MemoryTransport {
            hello: dialler,
            end: dial,
        },
        MemoryTransport {
            hello: listener,
            end: listen,
        },
    )
}

impl Transport for MemoryTransport {
    fn next_link(&self) -> BoxFuture<'_, Result<Link, LinkError>> {
        Box::pin(async move {
            match &self.end {
                End::Dial {
                    offers,
                    judge,
                    links,
                    peer,
                } => {
                    let link = links.fetch_add(1, Ordering::Relaxed);
                    let (ours, theirs) = self.lanes(link, *peer, judge);
                    offers.send(theirs).await.map_err(|_| LinkError::Closed)?;
                    let greet =
                        async |control: &mut Lane| handshake::greet(control, &self.hello).await;
                    settle(ours, greet).await
                }
                End::Listen { offers } => loop {
                    let offer = offers.lock().await.recv().await.ok_or(LinkError::Closed)?;
                    let welcome =
                        async |control: &mut Lane| handshake::welcome(control, &self.hello).await;
                    if let Ok(link) = settle(offer, welcome).await {
                        break Ok(link);
                    }
                },
            }
        })
    }
}

impl MemoryTransport {
    /// The lanes of a new link: our ends and theirs.
    fn lanes(&self, link: u64, peer: Role, judge: &Judge) -> (Vec<Lane>, Vec<Lane>) {
        let cut = CancellationToken::new();
        let pipe = |lane, from| pipe(Mark { link, lane, from }, judge.clone(), cut.clone());
        let lane = |number| {
            let (our_tx, their_rx) = pipe(number, self.hello.role);
            let (their_tx, our_rx) = pipe(number, peer);
            (
                Lane {
                    tx: our_tx,
                    rx: our_rx,
                },
                Lane {
                    tx: their_tx,
                    rx: their_rx,
                },
            )
        };
        (0..=self.hello.data_lanes as usize).map(lane).unzip()
    }
}

/// Says the first words, and makes a link of the lanes.
async fn settle(
    lanes: Vec<Lane>,
    say: impl AsyncFnOnce(&mut Lane) -> Result<Greeted, LinkError>,
) -> Result<Link, LinkError> {
    let mut lanes = lanes.into_iter();
    let mut control = lanes.next().ok_or(LinkError::Closed)?;
    match handshake::within(HANDSHAKE_LIMIT, "the first words", say(&mut control)).await {
        Ok(Greeted { agreed, data_lanes }) => {
            let peer = identity(agreed.peer.agent.as_str());
            Ok(Link {
                peer,
                agreed,
                control,
                data: lanes.take(data_lanes as usize).collect(),
            })
        }
        Err(error) => {
            handshake::tell(control, &error).await;
            Err(error)
        }
    }
}

/// There is no certificate here: the peer is whom it says it is, for a century.
fn identity(name: &str) -> PeerIdentity {
    PeerIdentity {
        name: name.to_owned(),
        uris: Vec::new(),
        dns_names: Vec::new(),
        fingerprint: Fingerprint::of(name.as_bytes()),
        not_after: SystemTime::now() + Duration::from_secs(100 * 365 * 86_400),
        shown: Shown::default(),
    }
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransport")
            .field("agent", &self.hello.agent)
            .finish_non_exhaustive()
    }
}
