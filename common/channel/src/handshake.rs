//! The first words on the control lane: who is there, and do we understand each other?
//!
//! ```text
//! dialler                      listener
//!    ── Hello(wanted lanes) ──►
//!    ◄── Hello(given lanes) ───        or ◄── Refused(fault) ──, and the lane ends
//! ```

use crate::error::{LaneError, LinkError};
use crate::link::Lane;
use model::Fault;
use protocol::{Agreed, Frame, Hello, handshake::agree};
use std::future::Future;
use std::time::Duration;

/// How long a refused peer may take to read why.
const FAREWELL_LIMIT: Duration = Duration::from_secs(2);

/// What the first words led to.
#[derive(Debug)]
pub(crate) struct Greeted {
    pub(crate) agreed: Agreed,
    /// How many data lanes there will be.
    pub(crate) data_lanes: u32,
}

/// The dialling side's part.
pub(crate) async fn greet(control: &mut Lane, ours: &Hello) -> Result<Greeted, LinkError> {
    control.tx.send(Frame::Hello(ours.clone())).await.ok();
    let peer = heard(control).await?;
    let given = peer.data_lanes;
    if given == 0 || given > ours.data_lanes {
        let wanted = ours.data_lanes;
        return Err(broken(format!(
            "{wanted} data lanes were asked for and {given} given"
        )));
    }
    let agreed = agree(ours, peer).map_err(LinkError::Refused)?;
    Ok(Greeted {
        agreed,
        data_lanes: given,
    })
}

/// The listening side's part.
pub(crate) async fn welcome(control: &mut Lane, ours: &Hello) -> Result<Greeted, LinkError> {
    let peer = heard(control).await?;
    if peer.data_lanes == 0 {
        return Err(broken("no data lane was asked for".into()));
    }
    let data_lanes = peer.data_lanes.min(ours.data_lanes);
    let agreed = agree(ours, peer).map_err(LinkError::Refused)?;
    let answer = Hello {
        data_lanes,
        ..ours.clone()
    };
    control.tx.send(Frame::Hello(answer)).await?;
    Ok(Greeted { agreed, data_lanes })
}

async fn heard(control: &mut Lane) -> Result<Hello, LinkError> {
    match control.rx.recv().await? {
        Some(Frame::Hello(hello)) => Ok(hello),
        Some(Frame::Refused(fault)) => Err(LinkError::RefusedByPeer(fault)),
        Some(_) => Err(broken("its first frame is not Hello".into())),
        None => Err(LaneError::Lost("the peer left before it said Hello".into()).into()),
    }
}

fn broken(what: String) -> LinkError {
    LaneError::Violation(what).into()
}

/// Runs the steps to a link within a limit.
pub(crate) async fn within<T>(
    limit: Duration,
    step: &'static str,
    steps: impl Future<Output = Result<T, LinkError>>,
) -> Result<T, LinkError> {
    let late = |_| LinkError::TimedOut { step, limit };
    tokio::time::timeout(limit, steps).await.map_err(late)?
}

/// Tells the peer why there is no link, where it is ours to tell, and waits a little for it to leave.
pub(crate) async fn tell(control: Lane, error: &LinkError) {
    let fault: Fault = match error {
        LinkError::Refused(fault) => fault.clone(),
        LinkError::Lane(error @ LaneError::Violation(_)) => error.clone().into(),
        LinkError::TimedOut { .. } => error.clone().into(),
        _ => return,
    };
    let Lane { tx, mut rx } = control;
    let farewell = async move {
        tx.send(Frame::Refused(fault)).await.ok();
        drop(tx);
        while let Ok(Some(_)) = rx.recv().await {}
    };
    tokio::time::timeout(FAREWELL_LIMIT, farewell).await.ok();
}
