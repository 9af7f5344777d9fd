//! Known peers that break the protocol: each is refused by its own code, and a good one is served after it.

use crate::fixture::{SOURCE, TARGET, Target, assert_refused, hello, rule};
use crate::grpc::{GrpcDialer, LANE_KEY, SESSION_KEY};
use crate::settings::LinkSettings;
use crate::tls::Trust;
use crate::wire;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use model::{Fault, codes};
use prost::Message;
use proto::agent as written;
use proto::agent::link_client::LinkClient;
use protocol::{Frame, Role};
use runtime::config::TransportKind;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;
use written::frame::Kind;

/// Any session's id.
const SESSION: &str = "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e";

fn dialer(target: &Target, trust: Trust) -> GrpcDialer {
    let words = hello(Role::Source);
    GrpcDialer::new(target.address(), words, trust, LinkSettings::default())
}

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
        .insert(SESSION_KEY, SESSION.parse().unwrap());
    request.metadata_mut().insert(LANE_KEY, lane.into());
    Ok(LinkClient::new(connection.channel)
        .lane(request)
        .await?
        .into_inner())
}

async fn told(mut answers: tonic::Streaming<written::Frame>) -> Fault {
    let frame = answers.message().await.unwrap().unwrap();
    let frame = wire::decode(frame.encode_to_vec().into()).unwrap();
    let Frame::Refused(fault) = frame else {
        panic!("{frame:?}")
    };
    fault
}

#[tokio::test]
async fn a_malformed_or_oversized_frame_is_refused_and_its_sender_told() {
    let mut target = Target::listen(TransportKind::Grpc).await;
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
        (
            Some(Kind::PartStart(written::PartStart {
                columns: vec![written::ColumnHead::default(); 2_000_000],
                ..Default::default()
            })),
            "the number of columns is 2000000",
        ),
    ];
    for (kind, message) in cases {
        let answers = by_hand(
            &dialer(&target, target.good_trust()),
            0,
            vec![written::Frame { kind }],
        )
        .await
        .unwrap();
        let fault = told(answers).await;
        assert_eq!(fault.code, codes::PROTOCOL_VIOLATION);
        assert!(fault.message.contains(message), "{fault}");
        assert_refused(&mut target, codes::PROTOCOL_VIOLATION, message).await;
    }
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused() {
    let mut target = Target::listen(TransportKind::Grpc).await;
    let connection = dialer(&target, target.good_trust())
        .connect()
        .await
        .unwrap();
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
        .insert(SESSION_KEY, SESSION.parse().unwrap());
    request.metadata_mut().insert(LANE_KEY, 0.into());
    let path = "/passage.agent.v1.Link/Lane".parse().unwrap();
    let codec = ProstCodec::<written::ConfirmedBatch, written::Frame>::default();
    let answers = client
        .streaming(request, path, codec)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(told(answers).await.code, codes::PROTOCOL_VIOLATION);
    assert_refused(
        &mut target,
        codes::PROTOCOL_VIOLATION,
        "what came is not a frame",
    )
    .await;
}

#[tokio::test]
async fn a_lane_of_another_certificate_does_not_join_a_session() {
    let mut target = Target::listen(TransportKind::Grpc).await;
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
    let mut control = by_hand(&dialer(&target, target.good_trust()), 0, vec![words])
        .await
        .unwrap();
    assert!(control.message().await.unwrap().is_some());
    let thief = dialer(&target, target.office.trust(&other, TARGET));
    let status = by_hand(&thief, 1, Vec::new()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
    assert_refused(
        &mut target,
        codes::PROTOCOL_VIOLATION,
        "another certificate than its session",
    )
    .await;
}
