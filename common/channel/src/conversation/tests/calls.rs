//! What becomes of calls while both sides live.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_call_is_answered_with_its_trace_and_a_note_arrives() {
    let Ends {
        source: (caller, _keep),
        target: (_, mut incoming),
    } = conversation(|_| Ruling::Pass).await;
    let answering = async {
        let Some(Request::Call {
            call,
            traceparent,
            reply,
        }) = incoming.recv().await
        else {
            panic!("no call")
        };
        assert_eq!((*call, traceparent.as_str()), (question(), "00-aa-bb-01"));
        reply.answer(Ok(Answer::Done));
        let Some(Request::Note(note)) = incoming.recv().await else {
            panic!("no note")
        };
        assert_eq!(note, news());
    };
    let asking = async {
        assert_eq!(
            caller.call(&question(), "00-aa-bb-01").await,
            Ok(Answer::Done)
        );
        caller.note(&news()).await.unwrap();
    };
    tokio::join!(answering, asking);
}

#[tokio::test(start_paused = true)]
async fn both_sides_ask_at_the_same_time_a_thousand_times() {
    let Ends { source, target } = conversation(|_| Ruling::Pass).await;
    obliging(source.1);
    obliging(target.1);
    let ask = |caller: Caller| async move {
        for _ in 0..1000 {
            assert_eq!(caller.call(&question(), "").await, Ok(Answer::Done));
        }
    };
    tokio::join!(
        ask(source.0.clone()),
        ask(target.0.clone()),
        ask(source.0),
        ask(target.0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_reaches_the_caller_whole() {
    let Ends {
        source: (caller, _keep),
        target: (_, mut incoming),
    } = conversation(|_| Ruling::Pass).await;
    let fault = Fault::new("name_taken", Class::Operator, "sales exists", "rename it");
    let answering = async {
        let Some(Request::Call { reply, .. }) = incoming.recv().await else {
            panic!("no call")
        };
        reply.answer(Err(fault.clone()));
    };
    let (answer, ()) = tokio::join!(async { caller.call(&question(), "").await }, answering);
    assert_eq!(answer, Err(CallError::Refused(fault)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_hours_is_waited_for() {
    let Ends {
        source: (caller, _keep),
        target: (_, mut incoming),
    } = conversation(|_| Ruling::Pass).await;
    let answering = async {
        let Some(Request::Call { reply, .. }) = incoming.recv().await else {
            panic!("no call")
        };
        tokio::time::sleep(Duration::from_secs(5 * 3600)).await;
        reply.answer(Ok(Answer::Done));
    };
    let (answer, ()) = tokio::join!(async { caller.call(&question(), "").await }, answering);
    assert_eq!(answer, Ok(Answer::Done));
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_leaves_one_call_waiting_and_the_others_answered() {
    let mut replies = 0;
    let lose_first = move |passing: Passing<'_>| {
        replies += u32::from(matches!(passing.frame, Frame::Reply { .. }));
        if replies == 1 && matches!(passing.frame, Frame::Reply { .. }) {
            Ruling::Lose
        } else {
            Ruling::Pass
        }
    };
    let Ends {
        source: (caller, _keep),
        target: (_far, incoming),
    } = conversation(lose_first).await;
    obliging(incoming);
    let first = tokio::time::timeout(Duration::from_secs(60), async {
        caller.call(&question(), "").await
    });
    assert!(
        first.await.is_err(),
        "its reply never came, and both sides live"
    );
    assert_eq!(caller.call(&question(), "").await, Ok(Answer::Done));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_unanswered_is_refused_for_its_holder() {
    let Ends {
        source: (caller, _keep),
        target: (_, mut incoming),
    } = conversation(|_| Ruling::Pass).await;
    let dropping = async { drop(incoming.recv().await) };
    let (answer, ()) = tokio::join!(async { caller.call(&question(), "").await }, dropping);
    let Err(CallError::Refused(fault)) = answer else {
        panic!("{answer:?}")
    };
    assert!(fault.message.contains("without an answer"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_too_large_for_a_frame_is_refused_and_the_session_lives() {
    let Ends {
        source: (caller, _keep),
        target: (_, mut incoming),
    } = conversation(|_| Ruling::Pass).await;
    let answering = async {
        let Some(Request::Call { reply, .. }) = incoming.recv().await else {
            panic!("no call")
        };
        let name = "f".repeat(MAX_BODY_BYTES);
        let hash = model::RowHash::from_bytes([0; 32]);
        reply.answer(Ok(Answer::FieldHashes(vec![(
            model::Key::Int64(1),
            vec![(name, hash)],
        )])));
        incoming
    };
    let (answer, incoming) = tokio::join!(async { caller.call(&question(), "").await }, answering);
    let Err(CallError::Refused(fault)) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(fault.code, model::codes::BUG);
    obliging(incoming);
    assert_eq!(caller.call(&question(), "").await, Ok(Answer::Done));
}
