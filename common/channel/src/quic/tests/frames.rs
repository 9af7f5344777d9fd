//! Known peers that break the protocol: each is refused by its own code, and a good one is served after it.

use crate::error::LaneError;
use crate::fixture::{SOURCE, TARGET, Target, assert_refused, hello, rule};
use crate::link::Lane;
use crate::listening::{LaneAt, SessionId};
use crate::quic::dial::Reached;
use crate::quic::lane::Streams;
use crate::quic::{QuicDialer, lane};
use crate::settings::LinkSettings;
use crate::tls::Trust;
use crate::wire;
use model::{Fault, codes};
use protocol::{Frame, Role};
use quinn::{RecvStream, SendStream};
use runtime::config::TransportKind;
use std::time::Duration;

/// Any session.
const SESSION: SessionId = SessionId([0x5e; 16]);

async fn listen() -> Target {
    Target::listen(TransportKind::Quic).await
}

async fn reached(target: &Target, trust: Trust) -> Reached {
    let words = hello(Role::Source);
    let dialer = QuicDialer::new(target.address(), words, trust, LinkSettings::default());
    dialer.reach().await.unwrap()
}

/// Opens a stream by hand, of which the first bytes are through.
async fn by_hand(reached: &Reached, number: u32) -> (SendStream, RecvStream) {
    let (mut send, recv) = reached.connection.open_bi().await.unwrap();
    let session = SESSION;
    lane::write_head(&mut send, LaneAt { session, number })
        .await
        .unwrap();
    (send, recv)
}

/// Opens a lane.
async fn opened(reached: &Reached, number: u32) -> Lane {
    let session = SESSION;
    let streams = Streams::open(&reached.connection, LaneAt { session, number }).await;
    streams.unwrap().into_lane(number)
}

async fn told(lane: &mut Lane) -> Fault {
    match lane.rx.recv().await {
        Ok(Some(Frame::Refused(fault))) => fault,
        other => panic!("{other:?}"),
    }
}

/// A frame's bytes, its length in front.
fn sent(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&length.to_be_bytes()[..], message].concat()
}

#[tokio::test]
async fn a_malformed_or_oversized_frame_is_refused_and_its_sender_told() {
    let mut target = listen().await;
    // Two million heads of columns with nothing in them, in a frame within its length.
    let columns = [
        &[0x3a, 0x80, 0x92, 0xf4, 0x01][..],
        &[0x3a, 0].repeat(2_000_000),
    ]
    .concat();
    let cases = [
        (sent(&[]), "a frame has no valid kind"),
        (
            sent(&wire::encode(Frame::Heartbeat)),
            "its first frame is not Hello",
        ),
        (sent(&[0xff; 40]), "what came is not a frame"),
        // Its length is enough.
        (
            ((4 << 20) + 1u32).to_be_bytes().to_vec(),
            "larger than 4194304 bytes",
        ),
        (u32::MAX.to_be_bytes().to_vec(), "larger than 4194304 bytes"),
        (sent(&columns), "the number of columns is 2000000"),
    ];
    for (bytes, message) in cases {
        let reached = reached(&target, target.good_trust()).await;
        let (mut send, recv) = by_hand(&reached, 0).await;
        send.write_all(&bytes).await.unwrap();
        let mut lane = Streams::of(send, recv).into_lane(0);
        let fault = told(&mut lane).await;
        assert_eq!(fault.code, codes::PROTOCOL_VIOLATION);
        assert!(fault.message.contains(message), "{fault}");
        drop(lane);
        assert_refused(&mut target, codes::PROTOCOL_VIOLATION, message).await;
    }
}

#[tokio::test]
async fn a_stream_that_ends_within_a_frame_is_a_lane_lost_and_no_end() {
    let mut target = listen().await;
    let reached = reached(&target, target.good_trust()).await;
    let (mut send, _recv) = by_hand(&reached, 0).await;
    send.write_all(&[0, 0, 1, 0, 7, 7]).await.unwrap();
    send.finish().unwrap();
    assert_refused(&mut target, codes::PEER_UNREACHABLE, "ends within a frame").await;
}

#[tokio::test]
async fn a_stream_that_does_not_say_which_lane_it_is_is_refused() {
    let mut target = listen().await;
    let reached = reached(&target, target.good_trust()).await;
    let (mut send, _recv) = reached.connection.open_bi().await.unwrap();
    send.write_all(&[1; 7]).await.unwrap();
    send.finish().unwrap();
    let message = "before it said which lane it is";
    assert_refused(&mut target, codes::PROTOCOL_VIOLATION, message).await;
}

#[tokio::test]
async fn a_lane_of_which_another_ones_stream_is_among_the_streams_is_refused() {
    let mut target = listen().await;
    let reached = reached(&target, target.good_trust()).await;
    let _first = opened(&reached, 0).await;
    let _one = by_hand(&reached, 1).await;
    let _of_another = by_hand(&reached, 2).await;
    let message = "the streams of two lanes are mixed";
    assert_refused(&mut target, codes::PROTOCOL_VIOLATION, message).await;
}

#[tokio::test]
async fn a_lane_that_is_not_taken_is_told_why() {
    let target = listen().await;
    let reached = reached(&target, target.good_trust()).await;
    let error = opened(&reached, 1).await.rx.recv().await.unwrap_err();
    assert_eq!(error, LaneError::Lost("there is no such session".into()));

    let _first = opened(&reached, 0).await;
    let error = opened(&reached, 0).await.rx.recv().await.unwrap_err();
    let message = "there is such a session already";
    assert_eq!(error, LaneError::Lost(message.into()));
}

#[tokio::test]
async fn a_lane_of_another_certificate_does_not_join_a_session() {
    let mut target = listen().await;
    let id = "spiffe://acme.example/other";
    let other = target
        .office
        .leaf("other", id, crate::certs::Validity::days(1));
    let rules = vec![rule("source", SOURCE), rule("other", id)];
    target.trust.replace_peers(rules);
    let first = reached(&target, target.good_trust()).await;
    let mut control = opened(&first, 0).await;
    let words = Frame::Hello(hello(Role::Source));
    control.tx.send(words).await.unwrap();
    assert!(matches!(control.rx.recv().await, Ok(Some(Frame::Hello(_)))));
    let thief = reached(&target, target.office.trust(&other, TARGET)).await;
    let error = opened(&thief, 1).await.rx.recv().await.unwrap_err();
    let message = "this session is another peer's";
    assert_eq!(error, LaneError::Lost(message.into()));
    let message = "another certificate than its session";
    assert_refused(&mut target, codes::PROTOCOL_VIOLATION, message).await;
}

#[tokio::test]
async fn a_known_peer_that_opens_no_lane_is_let_go_within_the_limit() {
    let settings = LinkSettings {
        link_limit: Duration::from_millis(200),
        ..LinkSettings::default()
    };
    let target = Target::listen_with(TransportKind::Quic, settings).await;
    let reached = reached(&target, target.good_trust()).await;
    reached.connection.closed().await;
}

/// One that sends a byte a second is no better: all steps to a link have one limit together.
#[tokio::test]
async fn a_peer_that_never_ends_its_first_words_is_refused_within_the_limit() {
    let settings = LinkSettings {
        link_limit: Duration::from_millis(200),
        ..LinkSettings::default()
    };
    let mut target = Target::listen_with(TransportKind::Quic, settings).await;
    let reached = reached(&target, target.good_trust()).await;
    let (mut send, _recv) = by_hand(&reached, 0).await;
    let words = sent(&wire::encode(Frame::Hello(hello(Role::Source))));
    send.write_all(&words[..words.len() - 1]).await.unwrap();
    let refusal = target.refusals.recv().await.unwrap();
    let told = refusal.fault.to_string();
    assert!(told.contains("did not finish"), "{told}");
}
