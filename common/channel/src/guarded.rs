//! Trust that is kept up while links live: files that change are read again, at SIGHUP without waiting for the next look, and a link ends
//! when its peer would not be let in any more, at once where files or the list of peers were replaced.
//!
//! A peer whose certificate was renewed goes on under its former one until that expires; then its link ends, and the next one shows the new
//! certificate. A job takes no harm from that: it goes on with the next link.

use crate::error::{LaneError, LinkError};
use crate::link::{Lane, LaneRx, Link, Transport};
use crate::tls::{PeerIdentity, Trust};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use futures::stream::{self, BoxStream, StreamExt};
use runtime::telemetry::metric_names::{CHANNEL_CERTIFICATE, CHANNEL_REFUSED};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How often files and peers are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long before its end a certificate is warned of, and how often.
const WARN_BEFORE: Duration = Duration::from_hours(7 * 24);
const WARN_EVERY: Duration = Duration::from_hours(24);

/// Why a link ends; waited for by each of its lanes.
type Doubt = Shared<BoxFuture<'static, LaneError>>;

/// A transport whose trust is kept up.
#[derive(Debug)]
pub struct Guarded {
    transport: Arc<dyn Transport>,
    trust: Trust,
    every: Duration,
    _reads: DropGuard,
}

impl Guarded {
    /// Keeps up the trust that this transport asks in its handshakes.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, trust: Trust) -> Self {
        Self::looking_every(LOOK_EVERY, transport, trust)
    }

    pub(crate) fn looking_every(
        every: Duration,
        transport: Arc<dyn Transport>,
        trust: Trust,
    ) -> Self {
        let over = CancellationToken::new();
        let reads = keep_read(trust.clone(), every, asked());
        tokio::spawn(over.clone().run_until_cancelled_owned(reads));
        Self {
            transport,
            trust,
            every,
            _reads: over.drop_guard(),
        }
    }
}

impl Transport for Guarded {
    fn next_link(&self) -> BoxFuture<'_, Result<Link, LinkError>> {
        Box::pin(async {
            let link = self.transport.next_link().await?;
            let doubt = doubted(self.trust.clone(), link.peer.clone(), self.every);
            let doubt = doubt.boxed().shared();
            let guard = |lane: Lane| Lane {
                rx: until(lane.rx, doubt.clone()),
                ..lane
            };
            Ok(Link {
                control: guard(link.control),
                data: link.data.into_iter().map(guard).collect(),
                ..link
            })
        })
    }
}

/// Waits until a peer would not be let in any more.
async fn doubted(trust: Trust, peer: PeerIdentity, every: Duration) -> LaneError {
    let mut news = trust.news();
    loop {
        tell_end("peer", peer.not_after);
        if let Some(error) = trust.doubt(&peer, SystemTime::now()) {
            metrics::counter!(CHANNEL_REFUSED, "code" => error.code()).increment(1);
            tracing::warn!(peer = peer.name, %error, "the link is ended");
            return LaneError::Distrusted(error);
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = news.next() => {}
        }
    }
}

/// The frames of a lane until then.
fn until(rx: LaneRx, doubt: Doubt) -> LaneRx {
    let frames = stream::unfold(Some((rx, doubt)), async |lane| {
        let (mut rx, doubt) = lane?;
        tokio::select! {
            biased;
            error = doubt.clone() => Some((Err(error), None)),
            frame = rx.recv() => match frame {
                Ok(Some(frame)) => Some((Ok(frame), Some((rx, doubt)))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            },
        }
    });
    LaneRx::new(frames.boxed())
}

/// Reads the files again when they have changed, for ever. What can't be used leaves what was there, and is tried again with the next
/// change; so a certificate and its key may be replaced one after the other.
async fn keep_read(trust: Trust, every: Duration, mut asked: BoxStream<'static, ()>) {
    let mut warned: Option<SystemTime> = None;
    loop {
        let (_, end) = trust.own();
        tell_end("own", end);
        let now = SystemTime::now();
        let is_near = end <= now + WARN_BEFORE;
        let is_due = warned.is_none_or(|at| at + WARN_EVERY <= now);
        if is_near && is_due {
            let hours = end.duration_since(now).unwrap_or_default().as_secs() / 3600;
            tracing::warn!(
                hours,
                "this agent's certificate expires: put a new one into its place"
            );
            warned = Some(now);
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            Some(()) = asked.next() => {}
        }
        let ours = trust.clone();
        // Files may lie on a network's disk.
        let read = tokio::task::spawn_blocking(move || ours.has_changed().then(|| ours.reload()));
        let Ok(Some(read)) = read.await else {
            continue;
        };
        match read {
            Ok(()) => {
                tracing::info!("certificates were read again");
                warned = None;
            }
            Err(error) => {
                tracing::warn!(%error, "certificates have changed and can't be used; those that were read before stay");
            }
        }
    }
}

/// Each time that the process is asked to look.
fn asked() -> BoxStream<'static, ()> {
    match signal(SignalKind::hangup()) {
        Ok(hangups) => stream::unfold(hangups, async |mut hangups| {
            hangups.recv().await.map(|()| ((), hangups))
        })
        .boxed(),
        Err(error) => {
            tracing::warn!(%error, "certificates are not looked at when SIGHUP comes, but every few seconds");
            stream::empty().boxed()
        }
    }
}

fn tell_end(of: &'static str, end: SystemTime) {
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    metrics::gauge!(CHANNEL_CERTIFICATE, "of" => of).set(left.as_secs_f64());
}
