//! What is said first, and what breaks the protocol later.

use crate::error::{LaneError, LinkError};
use crate::fixture::{Target, assert_refused, dialer, hello, over_both};
use crate::settings::LinkSettings;
use bytes::Bytes;
use model::{Fault, codes};
use protocol::handshake::Version;
use protocol::{Frame, Hello, Role};
use runtime::config::TransportKind;

#[tokio::test]
async fn a_frame_that_breaks_off_a_lane_in_use_is_a_violation_there_alone() {
    over_both(async |over| {
        let target = Target::listen(over).await;
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
    })
    .await;
}

async fn disagree(over: TransportKind, words: Hello, code: &str, message: &str) {
    let mut target = Target::listen(over).await;
    let trust = target.good_trust();
    let dialer = dialer(
        over,
        target.address(),
        words,
        trust,
        LinkSettings::default(),
    );
    let error = dialer.next_link().await.unwrap_err();
    assert!(matches!(error, LinkError::RefusedByPeer(_)), "{error:?}");
    let fault = Fault::from(error);
    assert_eq!(fault.code, code);
    assert!(fault.message.contains(message), "{fault}");
    assert_refused(&mut target, code, message).await;
}

#[tokio::test]
async fn another_major_version_is_refused_and_both_sides_know_the_versions() {
    over_both(async |over| {
        let words = Hello {
            version: Version { major: 2, minor: 3 },
            ..hello(Role::Source)
        };
        disagree(
            over,
            words,
            codes::PROTOCOL_VERSION,
            "acme-source speaks protocol 2.3, and agent acme-target speaks 1.0",
        )
        .await;
    })
    .await;
}

#[tokio::test]
async fn two_agents_of_one_role_refuse_each_other() {
    over_both(async |over| {
        disagree(
            over,
            hello(Role::Target),
            codes::PROTOCOL_ROLE,
            "are both the target side",
        )
        .await;
    })
    .await;
}
