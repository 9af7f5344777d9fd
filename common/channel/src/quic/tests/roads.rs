//! The road between two agents changes: what a link lives through, and how soon its loss is known.

use crate::error::LaneError;
use crate::fixture::relay::Relay;
use crate::fixture::{Target, dialer, hello};
use crate::link::Link;
use crate::quic::QuicListener;
use crate::settings::LinkSettings;
use protocol::{Frame, Role};
use runtime::config::TransportKind;

/// Both ends of a link through a relay.
async fn link_through(relay: &Relay, target: &Target) -> (Link, Link) {
    let dialer = dialer(
        TransportKind::Quic,
        relay.address(),
        hello(Role::Source),
        target.good_trust(),
        LinkSettings::default(),
    );
    let (dialled, listened) = tokio::join!(dialer.next_link(), target.listener.next_link());
    (dialled.unwrap(), listened.unwrap())
}

async fn says(from: &mut Link, to: &mut Link) {
    for (near, far) in from.data.iter_mut().zip(&mut to.data) {
        near.tx.send(Frame::Heartbeat).await.unwrap();
        assert_eq!(far.rx.recv().await, Ok(Some(Frame::Heartbeat)));
    }
}

#[tokio::test]
async fn a_link_lives_through_a_change_of_address() {
    let target = Target::listen(TransportKind::Quic).await;
    let relay = Relay::to(target.address().parse().unwrap()).await;
    let (mut ours, mut theirs) = link_through(&relay, &target).await;
    says(&mut ours, &mut theirs).await;
    for _ in 0..3 {
        relay.change_address().await;
        says(&mut ours, &mut theirs).await;
        says(&mut theirs, &mut ours).await;
    }
}

/// An agent that is killed says nothing; once it runs again it disowns what it does not know, and nobody waits for a limit.
#[tokio::test]
async fn an_agent_that_was_started_again_disowns_its_old_links() {
    let target = Target::listen(TransportKind::Quic).await;
    let relay = Relay::to(target.address().parse().unwrap()).await;
    let (mut ours, _theirs) = link_through(&relay, &target).await;
    let again = QuicListener::bind(
        "127.0.0.1:0",
        hello(Role::Target),
        target.trust.clone(),
        LinkSettings::default(),
    );
    let again = again.await.unwrap();
    relay.lead_to(again.address());
    ours.data[0].tx.send(Frame::Heartbeat).await.unwrap();
    let unknown = "the peer does not know the connection any more";
    assert_eq!(
        ours.data[0].rx.recv().await,
        Err(LaneError::Lost(unknown.into()))
    );
}
