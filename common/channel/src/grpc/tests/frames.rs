//! Known peers that break the protocol: each is refused by its own code, and a good one is served after it.

use super::refused_with;
use crate::error::{LaneError, LinkError};
use crate::fixture::{SOURCE, TARGET, Target, hello, rule};
use crate::grpc::{GrpcDialer, GrpcSettings, LANE_KEY, SESSION_KEY};
use crate::link::Transport;
use crate::wire;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use model::{Fault, codes};
use proto::agent as written;
use proto::agent::link_client::LinkClient;
use protocol::handshake::Version;
use protocol::{Frame, Hello, Role};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;
use written::frame::Kind;

/// Opens a lane by hand, sends these frames and keeps it open; gives what comes back.
async fn by_hand(
    dialer: &GrpcDialer,
    lane: u32,
    frames: Vec<written::Frame>,
) -> Result<tonic::Streaming<written::Frame>, Status> {
    let connection = dialer.connect().await.unwrap();
    let mut request = Request::new(stream::iter(frames).chain(stream::pending()));
    request
        .metadata_mut()
        .insert(SESSION_KEY, "5e".parse().unwrap());
    request.metadata_mut().insert(LANE_KEY, lane.into());
    Ok(LinkClient::new(connection.channel)
        .lane(request)
        .await?
        .into_inner())
}

async fn told(mut answers: tonic::Streaming<written::Frame>) -> Fault {
    let frame = wire::read(answers.message().await.unwrap().unwrap()).unwrap();
    let Frame::Refused(fault) = frame else {
        panic!("{frame:?}")
    };
    fault
}

#[tokio::test]
async fn a_malformed_or_oversized_frame_is_refused_and_its_sender_told() {
    let mut target = Target::listen().await;
    let huge = Kind::Note(Bytes::from(vec![0; (4 << 20) + 1]));
    let cases = [
        (None, "a frame has no valid kind"),
        (
            Some(Kind::Heartbeat(written::Heartbeat {})),
            "its first frame is not Hello",
        ),
        (
            Some(Kind::Hello(written::Hello::default())),
            "hello has no valid role",
        ),
        (Some(huge), "larger than 4194304 bytes"),
    ];
    for (kind, message) in cases {
        let answers = by_hand(&target.good_dialer(), 0, vec![written::Frame { kind }])
            .await
            .unwrap();
        let fault = told(answers).await;
        assert_eq!(fault.code, codes::PROTOCOL_VIOLATION);
        assert!(fault.message.contains(message), "{fault}");
        refused_with(&mut target, codes::PROTOCOL_VIOLATION, message).await;
    }
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused() {
    let mut target = Target::listen().await;
    let connection = target.good_dialer().connect().await.unwrap();
    let mut client = tonic::client::Grpc::new(connection.channel);
    client.ready().await.unwrap();
    // The second field of a confirmation is a number, that of a frame a message.
    let wrong = written::ConfirmedBatch {
        rows: 1,
        ..Default::default()
    };
    let mut request = Request::new(stream::iter([wrong]));
    request
        .metadata_mut()
        .insert(SESSION_KEY, "5e".parse().unwrap());
    request.metadata_mut().insert(LANE_KEY, 0.into());
    let path = "/passage.agent.v1.Link/Lane".parse().unwrap();
    let codec = ProstCodec::<written::ConfirmedBatch, written::Frame>::default();
    let answers = client
        .streaming(request, path, codec)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(told(answers).await.code, codes::PROTOCOL_VIOLATION);
    refused_with(
        &mut target,
        codes::PROTOCOL_VIOLATION,
        "what came is not a frame",
    )
    .await;
}

#[tokio::test]
async fn a_frame_that_breaks_off_a_lane_in_use_is_a_violation_there_alone() {
    let target = Target::listen().await;
    let dialer = target.good_dialer();
    let (ours, mut theirs) = target.link().await;
    let huge = Frame::Note(Bytes::from(vec![0; (4 << 20) + 1]));
    ours.data[0].tx.send(huge).await.unwrap();
    assert!(matches!(
        theirs.data[0].rx.recv().await,
        Err(LaneError::Violation(_))
    ));
    ours.data[1].tx.send(Frame::Heartbeat).await.unwrap();
    assert_eq!(theirs.data[1].rx.recv().await, Ok(Some(Frame::Heartbeat)));
    let (again, _far) = tokio::join!(dialer.next_link(), target.listener.next_link());
    again.unwrap();
}

async fn disagree(words: Hello, code: &str, message: &str) {
    let mut target = Target::listen().await;
    let trust = target.office.trust(&target.office.pair.source, TARGET);
    let dialer = GrpcDialer::new(target.address(), words, trust, GrpcSettings::default());
    let error = dialer.next_link().await.unwrap_err();
    assert!(matches!(error, LinkError::RefusedByPeer(_)), "{error:?}");
    let fault = Fault::from(error);
    assert_eq!(fault.code, code);
    assert!(fault.message.contains(message), "{fault}");
    refused_with(&mut target, code, message).await;
}

#[tokio::test]
async fn another_major_version_is_refused_and_both_sides_know_the_versions() {
    let words = Hello {
        version: Version { major: 2, minor: 3 },
        ..hello(Role::Source)
    };
    disagree(
        words,
        codes::PROTOCOL_VERSION,
        "acme-source speaks protocol 2.3, and agent acme-target speaks 1.0",
    )
    .await;
}

#[tokio::test]
async fn two_agents_of_one_role_refuse_each_other() {
    disagree(
        hello(Role::Target),
        codes::PROTOCOL_ROLE,
        "are both the target side",
    )
    .await;
}

#[tokio::test]
async fn a_lane_of_another_certificate_does_not_join_a_session() {
    let mut target = Target::listen().await;
    let other = target.office.leaf(
        "other",
        "spiffe://acme.example/other",
        crate::certs::Validity::days(1),
    );
    target.trust.replace_peers(vec![
        rule("source", SOURCE),
        rule("other", "spiffe://acme.example/other"),
    ]);
    let words = wire::write(Frame::Hello(hello(Role::Source)));
    let mut control = by_hand(&target.good_dialer(), 0, vec![words])
        .await
        .unwrap();
    assert!(control.message().await.unwrap().is_some());
    let thief = target.dialer(target.office.trust(&other, TARGET));
    let status = by_hand(&thief, 1, Vec::new()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
    refused_with(
        &mut target,
        codes::PROTOCOL_VIOLATION,
        "another certificate than its session",
    )
    .await;
}
