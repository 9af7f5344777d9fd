//! Sessions on their way to a link: lanes that arrive one by one, from one peer, within a limit.

use super::accept::Caller;
use super::listen::Refusals;
use crate::error::{LaneError, LinkError};
use crate::handshake::{self, Greeted};
use crate::link::{Lane, Link};
use crate::tls::Fingerprint;
use protocol::{Frame, Hello};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::Status;

/// How many sessions may be on their way at a time.
const MAX_OPENING: usize = 32;

/// Which lane a call is.
#[derive(Debug)]
pub(super) struct LaneAt {
    pub(super) session: String,
    pub(super) number: u32,
}

/// A session that waits for its data lanes.
struct Opening {
    peer: Fingerprint,
    data: mpsc::Sender<(u32, Lane)>,
}

/// Puts sessions together. Clones share them.
#[derive(Clone)]
pub(super) struct Sessions {
    hello: Hello,
    limit: Duration,
    opening: Arc<Mutex<HashMap<String, Opening>>>,
    complete: mpsc::Sender<Link>,
    refusals: Refusals,
}

impl Sessions {
    pub(super) fn new(
        hello: Hello,
        limit: Duration,
        complete: mpsc::Sender<Link>,
        refusals: Refusals,
    ) -> Self {
        Self {
            hello,
            limit,
            opening: Arc::default(),
            complete,
            refusals,
        }
    }

    /// Takes a lane that has arrived.
    pub(super) fn handle_lane(&self, at: LaneAt, caller: Caller, lane: Lane) -> Result<(), Status> {
        if at.number == 0 {
            let data = self.begin(&at.session, &caller)?;
            tokio::spawn(self.clone().open(at.session, caller, lane, data));
            return Ok(());
        }
        let opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let session = opening
            .get(&at.session)
            .ok_or_else(|| Status::not_found("there is no such session"))?;
        if session.peer != caller.peer.fingerprint {
            let stranger = LaneError::Violation(
                "a lane came from another certificate than its session".into(),
            );
            self.refusals.note(caller.address, stranger.into());
            return Err(Status::permission_denied("this session is another peer's"));
        }
        session
            .data
            .try_send((at.number, lane))
            .map_err(|_| Status::resource_exhausted("too many lanes"))
    }

    fn begin(&self, session: &str, caller: &Caller) -> Result<mpsc::Receiver<(u32, Lane)>, Status> {
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if opening.len() >= MAX_OPENING {
            return Err(Status::resource_exhausted(
                "too many sessions are being opened",
            ));
        }
        let Entry::Vacant(place) = opening.entry(session.to_owned()) else {
            return Err(Status::already_exists("there is such a session already"));
        };
        let (data, arriving) = mpsc::channel(self.hello.data_lanes.max(1) as usize);
        place.insert(Opening {
            peer: caller.peer.fingerprint,
            data,
        });
        Ok(arriving)
    }

    /// Opens one session; what becomes of it is told to whom it concerns.
    async fn open(
        self,
        session: String,
        caller: Caller,
        mut control: Lane,
        data: mpsc::Receiver<(u32, Lane)>,
    ) {
        let steps = self.agree(&mut control, data);
        let opened = handshake::within(self.limit, "the lanes of the link", steps).await;
        self.opening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&session);
        match opened {
            Ok((agreed, data)) => {
                let link = Link {
                    peer: (*caller.peer).clone(),
                    agreed,
                    control,
                    data,
                };
                // One that nobody takes in time is dropped: its peer dials again.
                tokio::time::timeout(self.limit, self.complete.send(link))
                    .await
                    .ok();
            }
            Err(error) => {
                self.refusals.note(caller.address, error.clone());
                handshake::tell(control, &error).await;
            }
        }
    }

    async fn agree(
        &self,
        control: &mut Lane,
        data: mpsc::Receiver<(u32, Lane)>,
    ) -> Result<(protocol::Agreed, Vec<Lane>), LinkError> {
        let Greeted { agreed, data_lanes } = handshake::welcome(control, &self.hello).await?;
        let lanes = collect(control, data, data_lanes).await?;
        Ok((agreed, lanes))
    }
}

/// Waits for every data lane. The peer may say on the control lane that it gave up; all else it says after its lanes are here.
async fn collect(
    control: &mut Lane,
    mut arriving: mpsc::Receiver<(u32, Lane)>,
    wanted: u32,
) -> Result<Vec<Lane>, LinkError> {
    let mut lanes: Vec<Option<Lane>> = (0..wanted).map(|_| None).collect();
    while lanes.iter().any(Option::is_none) {
        let arrived = tokio::select! {
            biased;
            arrived = arriving.recv() => arrived,
            said = control.rx.recv() => return Err(interrupted(said)),
        };
        let (number, lane) = arrived.ok_or(LinkError::Closed)?;
        let place = (number as usize)
            .checked_sub(1)
            .and_then(|place| lanes.get_mut(place));
        match place {
            Some(place @ None) => *place = Some(lane),
            _ => {
                return Err(LaneError::Violation(format!(
                    "lane {number} of {wanted} is opened twice or not at all asked for"
                ))
                .into());
            }
        }
    }
    Ok(lanes.into_iter().flatten().collect())
}

fn interrupted(said: Result<Option<Frame>, LaneError>) -> LinkError {
    match said {
        Ok(Some(Frame::Refused(fault))) => LinkError::RefusedByPeer(fault),
        Ok(Some(_)) => LaneError::Violation("it speaks before its lanes are open".into()).into(),
        Ok(None) => LaneError::Lost("the peer left before its lanes were open".into()).into(),
        Err(error) => error.into(),
    }
}
