//! Sessions on their way to a link: lanes that arrive one by one, from one peer, within a limit.

use super::{Caller, Refusals};
use crate::error::{LaneError, LinkError};
use crate::handshake::{self, Greeted};
use crate::link::{Lane, Link};
use crate::tls::Fingerprint;
use protocol::{Frame, Hello};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// How many sessions may be on their way at a time.
const MAX_OPENING: usize = 32;

/// Names a session; chosen at random by the dialling side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionId(pub(crate) [u8; 16]);

impl SessionId {
    /// An id that no other session has.
    pub(crate) fn random() -> Result<Self, LinkError> {
        let mut bytes = [0; 16];
        let failed =
            |_| LinkError::from(LaneError::Lost("the system gives no random numbers".into()));
        aws_lc_rs::rand::fill(&mut bytes).map_err(failed)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text is no session's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidSessionId;

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).map_err(|_| InvalidSessionId)?;
        is_hex
            .then_some(Self(number.to_be_bytes()))
            .ok_or(InvalidSessionId)
    }
}

/// Which lane of which session it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LaneAt {
    pub(crate) session: SessionId,
    /// 0 for control, from 1 for data.
    pub(crate) number: u32,
}

/// Why a lane is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unwelcome {
    /// Its session is not being opened.
    #[error("there is no such session")]
    NoSession,
    /// Its session was begun by another certificate.
    #[error("this session is another peer's")]
    AnotherPeer,
    /// A session has its name.
    #[error("there is such a session already")]
    SessionExists,
    /// It is one more than the session may have.
    #[error("too many lanes")]
    TooManyLanes,
    /// No session more can be opened now.
    #[error("too many sessions are being opened")]
    TooManySessions,
}

/// Where a lane belongs.
#[derive(Debug)]
pub(crate) enum Place {
    /// It begins a session.
    Control {
        session: SessionId,
        caller: Caller,
        data: mpsc::Receiver<(u32, Lane)>,
    },
    /// It is one more of a session that has begun.
    Data(u32, mpsc::OwnedPermit<(u32, Lane)>),
}

/// A session that waits for its data lanes.
#[derive(Debug)]
struct Opening {
    peer: Fingerprint,
    data: mpsc::Sender<(u32, Lane)>,
}

/// Puts sessions together. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    hello: Hello,
    limit: Duration,
    opening: Arc<Mutex<HashMap<SessionId, Opening>>>,
    complete: mpsc::Sender<Link>,
    refusals: Refusals,
}

impl Sessions {
    pub(crate) fn new(
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

    /// A place for a lane that has arrived; it must be taken at once.
    pub(crate) fn admit(&self, at: LaneAt, caller: &Caller) -> Result<Place, Unwelcome> {
        if at.number == 0 {
            let data = self.begin(at.session, caller)?;
            return Ok(Place::Control {
                session: at.session,
                caller: caller.clone(),
                data,
            });
        }
        let opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let session = opening.get(&at.session).ok_or(Unwelcome::NoSession)?;
        if session.peer != caller.peer.fingerprint {
            let stranger = LaneError::Violation(
                "a lane came from another certificate than its session".into(),
            );
            self.refusals.note(caller.address, stranger.into());
            return Err(Unwelcome::AnotherPeer);
        }
        let place = session.data.clone().try_reserve_owned();
        place
            .map(|place| Place::Data(at.number, place))
            .map_err(|_| Unwelcome::TooManyLanes)
    }

    /// Takes a lane to its place.
    pub(crate) fn take(&self, place: Place, lane: Lane) {
        match place {
            Place::Control {
                session,
                caller,
                data,
            } => {
                tokio::spawn(self.clone().open(session, caller, lane, data));
            }
            Place::Data(number, place) => {
                place.send((number, lane));
            }
        }
    }

    fn begin(
        &self,
        session: SessionId,
        caller: &Caller,
    ) -> Result<mpsc::Receiver<(u32, Lane)>, Unwelcome> {
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if opening.len() >= MAX_OPENING {
            return Err(Unwelcome::TooManySessions);
        }
        let Entry::Vacant(place) = opening.entry(session) else {
            return Err(Unwelcome::SessionExists);
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
        session: SessionId,
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
