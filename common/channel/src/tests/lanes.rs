//! What a link carries, and how it ends.

use crate::error::{LaneError, LinkError};
use crate::fixture::{Target, dialer, hello, over_both};
use crate::link::Lane;
use crate::settings::LinkSettings;
use bytes::Bytes;
use protocol::frame::{MAX_PIECE_BYTES, Piece};
use protocol::{Frame, Role};
use std::time::Duration;

fn piece(byte: u8) -> Frame {
    Frame::Piece(Piece {
        parts: vec![
            Bytes::from(vec![byte; MAX_PIECE_BYTES - 7]),
            Bytes::from(vec![byte; 7]),
        ],
    })
}

async fn carries(from: &mut Lane, to: &mut Lane) {
    let send = async {
        for number in 0..20 {
            from.tx.send(piece(number)).await.unwrap();
        }
    };
    let receive = async {
        for number in 0..20 {
            assert_eq!(to.rx.recv().await, Ok(Some(piece(number))));
        }
    };
    tokio::join!(send, receive);
}

#[tokio::test]
async fn a_link_names_its_peer_and_carries_frames_in_order_both_ways() {
    over_both(async |over| {
        let target = Target::listen(over).await;
        let (mut ours, mut theirs) = target.link().await;
        assert_eq!(ours.peer.name, "the other side");
        assert_eq!(
            theirs.peer.fingerprint,
            target.office.pair.source.description.fingerprint
        );
        assert_eq!(theirs.agreed.peer, hello(Role::Source));
        assert_eq!((ours.data.len(), theirs.data.len()), (3, 3));
        for (near, far) in ours.data.iter_mut().zip(&mut theirs.data) {
            carries(near, far).await;
            carries(far, near).await;
        }
        carries(&mut ours.control, &mut theirs.control).await;
    })
    .await;
}

#[tokio::test]
async fn the_listener_gives_no_more_lanes_than_it_has() {
    over_both(async |over| {
        let target = Target::listen(over).await;
        let wanted = protocol::Hello {
            data_lanes: 9,
            ..hello(Role::Source)
        };
        let trust = target
            .office
            .trust(&target.office.pair.source, crate::fixture::TARGET);
        let dialer = dialer(
            over,
            target.address(),
            wanted,
            trust,
            LinkSettings::default(),
        );
        let (source, target) = tokio::join!(dialer.next_link(), target.listener.next_link());
        assert_eq!(
            (source.unwrap().data.len(), target.unwrap().data.len()),
            (3, 3)
        );
    })
    .await;
}

#[tokio::test]
async fn a_lane_ends_when_its_sender_is_dropped_and_not_before_all_has_arrived() {
    over_both(async |over| {
        let target = Target::listen(over).await;
        let (mut ours, mut theirs) = target.link().await;
        let (near, far) = (ours.data.remove(0), &mut theirs.data[0]);
        let Lane { tx, rx: _rx } = near;
        let send = async move {
            for number in 0..5 {
                tx.send(piece(number)).await.unwrap();
            }
        };
        let receive = async {
            for number in 0..5 {
                assert_eq!(far.rx.recv().await, Ok(Some(piece(number))));
            }
            assert_eq!(far.rx.recv().await, Ok(None));
        };
        tokio::join!(send, receive);
    })
    .await;
}

#[tokio::test]
async fn a_dropped_link_ends_every_lane_of_the_other_side() {
    over_both(async |over| {
        let target = Target::listen(over).await;
        let (ours, mut theirs) = target.link().await;
        drop(ours);
        for lane in theirs.data.iter_mut().chain([&mut theirs.control]) {
            let ended = lane.rx.recv().await;
            assert!(
                matches!(ended, Ok(None) | Err(LaneError::Lost(_))),
                "{ended:?}"
            );
            lane.tx.send(Frame::Heartbeat).await.ok();
        }
        let (mut ours, theirs) = target.link().await;
        drop(theirs);
        for lane in ours.data.iter_mut().chain([&mut ours.control]) {
            let ended = lane.rx.recv().await;
            assert!(
                matches!(ended, Ok(None) | Err(LaneError::Lost(_))),
                "{ended:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_slow_reader_holds_up_its_own_lane_alone() {
    over_both(async |over| {
        let target = Target::listen(over).await;
        let (mut ours, mut theirs) = target.link().await;
        let stalled = ours.data.remove(0).tx;
        let flood = tokio::spawn(async move {
            for number in 0..200 {
                if stalled.send(piece(number)).await.is_err() {
                    return false;
                }
            }
            true
        });
        carries(&mut ours.data[1], &mut theirs.data[2]).await;
        carries(&mut ours.control, &mut theirs.control).await;
        assert!(
            !flood.is_finished(),
            "200 MiB went into a lane that nobody reads"
        );
        drop(theirs);
        assert!(!flood.await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn two_peers_are_served_at_the_same_time() {
    over_both(async |over| {
        let target = Target::listen(over).await;
        let (mut first, mut first_far) = target.link().await;
        let (mut second, mut second_far) = target.link().await;
        carries(&mut second.data[0], &mut second_far.data[0]).await;
        carries(&mut first.data[0], &mut first_far.data[0]).await;
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_is_gone_leaves_its_links_alone() {
    over_both(async |over| {
        let target = Target::listen(over).await;
        let (mut ours, mut theirs) = target.link().await;
        let address = target.address();
        let settings = LinkSettings {
            dial_limit: Duration::from_millis(300),
            ..LinkSettings::default()
        };
        let dialer = dialer(
            over,
            address.clone(),
            hello(Role::Source),
            target.good_trust(),
            settings,
        );
        drop(target);
        carries(&mut ours.data[0], &mut theirs.data[0]).await;
        loop {
            // The socket closes a moment later.
            if let Err(
                LinkError::Unreachable { address: named, .. }
                | LinkError::NoAnswer { address: named, .. },
            ) = dialer.next_link().await
            {
                assert_eq!(named, address);
                break;
            }
        }
    })
    .await;
}
