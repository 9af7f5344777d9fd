//! How a conversation ends, and that both sides know why.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_dead_after_twenty_seconds_and_every_call_ends() {
    let lose = |passing: Passing<'_>| match only_heartbeats_are_lost(&passing, Role::Target) {
        true => Ruling::Lose,
        false => Ruling::Pass,
    };
    let Ends {
        source: (caller, _keep),
        target: (_far, incoming),
    } = conversation(lose).await;
    obliging(incoming);
    let began = Instant::now();
    assert_eq!(
        caller.call(&question(), "").await,
        Err(CallError::Disconnected)
    );
    assert_eq!(began.elapsed().as_secs(), 20);
    assert_eq!(
        caller.ended().await,
        Ending::Silent(Duration::from_secs(20))
    );
    assert_eq!(
        caller.call(&question(), "").await,
        Err(CallError::Disconnected),
        "nothing begins after the end"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cut_link_disconnects_every_call_at_once() {
    let cut = |passing: Passing<'_>| match passing.frame {
        Frame::Reply { .. } => Ruling::Cut,
        _ => Ruling::Pass,
    };
    let Ends {
        source: (caller, mut requests),
        target: (far, incoming),
    } = conversation(cut).await;
    obliging(incoming);
    let began = Instant::now();
    assert_eq!(
        caller.call(&question(), "").await,
        Err(CallError::Disconnected)
    );
    assert!(requests.recv().await.is_none());
    assert!(matches!(
        caller.ended().await,
        Ending::Lane(LaneError::Lost(_))
    ));
    assert!(matches!(
        far.ended().await,
        Ending::Lane(LaneError::Lost(_))
    ));
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_ends_the_conversation_on_both_sides() {
    let Ends {
        source: (caller, requests),
        target: (far, mut incoming),
    } = conversation(|_| Ruling::Pass).await;
    drop(requests);
    assert_eq!(caller.ended().await, Ending::Left);
    assert!(incoming.recv().await.is_none());
    assert_eq!(far.ended().await, Ending::PeerLeft);
}

#[tokio::test(start_paused = true)]
async fn the_reason_of_an_end_reaches_the_other_side() {
    let Ends {
        source: (caller, _keep),
        target: (far, mut incoming),
    } = conversation(|_| Ruling::Pass).await;
    let fault = Fault::new(
        "epoch_superseded",
        Class::Permanent,
        "another agent has the job",
        "stop one",
    );
    caller.refuse(fault.clone());
    assert!(incoming.recv().await.is_none());
    assert_eq!(far.ended().await, Ending::RefusedByPeer(fault.clone()));
    assert_eq!(caller.ended().await, Ending::Refused(fault));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_belong_on_the_control_lane_ends_the_session_and_is_told() {
    let frames = [
        Frame::Call {
            id: 1,
            traceparent: String::new(),
            body: Bytes::from_static(b"{\"dance\":1}"),
        },
        Frame::Reply {
            id: 1,
            body: Ok(Bytes::from_static(b"nonsense")),
        },
        Frame::Note(Bytes::new()),
        Frame::Hello(hello(Role::Source)),
        Frame::Credit(1),
    ];
    for frame in frames {
        let (mut near, far) = links(|_| Ruling::Pass).await;
        let (caller, _incoming) = start(far.control, Pace::default());
        near.control.tx.send(frame.clone()).await.unwrap();
        assert!(
            matches!(caller.ended().await, Ending::Lane(LaneError::Violation(_))),
            "{frame:?}"
        );
        let told = loop {
            match near.control.rx.recv().await {
                Ok(Some(Frame::Heartbeat)) => {}
                other => break other,
            }
        };
        assert!(
            matches!(&told, Ok(Some(Frame::Refused(fault))) if fault.code == model::codes::PROTOCOL_VIOLATION)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn more_unanswered_calls_than_allowed_are_a_violation() {
    let (near, far) = links(|_| Ruling::Pass).await;
    let (caller, mut incoming) = start(far.control, Pace::default());
    let taking = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Some(request) = incoming.recv().await {
            held.push(request);
        }
        held.len()
    });
    let body = Bytes::from(serde_json::to_vec(&question()).unwrap());
    for id in 0.. {
        let call = Frame::Call {
            id,
            traceparent: String::new(),
            body: body.clone(),
        };
        if near.control.tx.send(call).await.is_err() {
            break;
        }
    }
    assert!(matches!(
        caller.ended().await,
        Ending::Lane(LaneError::Violation(_))
    ));
    assert_eq!(taking.await.unwrap(), crate::conversation::MAX_UNANSWERED);
}

#[tokio::test(start_paused = true)]
async fn requests_that_nobody_takes_end_the_session() {
    let Ends {
        source: (caller, _keep),
        target: (far, _untaken),
    } = conversation(|_| Ruling::Pass).await;
    while caller.note(&news()).await.is_ok() {}
    assert_eq!(
        far.ended().await,
        Ending::Neglected(Duration::from_secs(20))
    );
    // It could send nothing for as long: which of both it learns first is a matter of chance.
    let ended = caller.ended().await;
    assert!(
        matches!(ended, Ending::RefusedByPeer(_) | Ending::Silent(_)),
        "{ended:?}"
    );
}
