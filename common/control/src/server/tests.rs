//! The admin API from end to end, over a unix socket.

use super::*;
use crate::Client;
use crate::fake::FakeAgent;
use crate::sample;
use hyper_util::rt::TokioIo;
use model::{Phase, Verification};
use runtime::config::AdminSection;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

async fn channel(agent: &FakeAgent) -> Channel {
    let path = agent.socket.clone();
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://agent")
        .connect_with_connector(connector)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_job_reads_at_the_caller_as_it_was_asked_for_at_the_agent() {
    let agent = FakeAgent::start().await;
    let mut client = Client::connect(&agent.address()).await.unwrap();
    let spec = sample::spec("sales");
    let created = client.create(&spec).await.unwrap();
    assert_eq!(created.spec, spec);
    let name = spec.name.clone();
    agent.board.change(&name, |status| {
        status.cause = Some(sample::fault());
        status.findings = vec![sample::finding(model::Severity::Blocked)];
        status.collections[1].rows_total = None;
        status.collections[1].verification = Verification::Blocked {
            reason: "not loaded".into(),
        };
        status.report = Some(sample::report());
    });
    let told = agent.board.find(&name).unwrap();
    assert_eq!(client.report(&name).await.unwrap(), sample::report());
    let shown = client.show(&name).await.unwrap();
    assert_eq!(
        shown,
        JobStatus {
            report: None,
            ..told
        }
    );
    assert_eq!(client.list().await.unwrap(), [shown]);
    agent.stop().await;
}

#[tokio::test]
async fn a_refusal_comes_through_with_code_class_message_and_hint() {
    let agent = FakeAgent::start().await;
    let mut client = Client::connect(&agent.address()).await.unwrap();
    client.create(&sample::spec("sales")).await.unwrap();
    let fault = client.create(&sample::spec("sales")).await.unwrap_err();
    assert_eq!(
        fault,
        Fault::new(
            codes::JOB_EXISTS,
            Class::Permanent,
            "there is already a job sales",
            "choose another name"
        )
    );
    let fault = client.report(&"sales".parse().unwrap()).await.unwrap_err();
    assert_eq!(fault.code, codes::JOB_PHASE);
    for fault in [
        client.show(&"other".parse().unwrap()).await.unwrap_err(),
        client.watch(&"other".parse().unwrap()).await.err().unwrap(),
        client.cancel(&"other".parse().unwrap()).await.unwrap_err(),
        client.verify(&"other".parse().unwrap()).await.unwrap_err(),
    ] {
        assert_eq!(fault.code, codes::JOB_NOT_FOUND);
    }
    agent.stop().await;
}

#[tokio::test]
async fn a_watch_ends_by_itself_when_the_job_has_ended() {
    let agent = FakeAgent::start().await;
    let mut client = Client::connect(&agent.address()).await.unwrap();
    let name: JobName = "sales".parse().unwrap();
    agent.board.post(sample::status(Phase::Copying));
    let mut statuses = client.watch(&name).await.unwrap();
    assert_eq!(
        statuses.next().await.unwrap().unwrap().phase,
        Phase::Copying
    );
    agent.board.change(&name, |status| {
        status.phase = Phase::Verifying;
        status.collections[0].verification = Verification::Clean;
    });
    assert_eq!(
        statuses.next().await.unwrap().unwrap().phase,
        Phase::Verifying,
        "the outcome may be shown a moment before the end"
    );
    agent
        .board
        .change(&name, |status| status.phase = Phase::Completed);
    let last = statuses.next().await.unwrap().unwrap();
    assert_eq!(last.phase, Phase::Completed);
    assert!(statuses.next().await.is_none());
    agent.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_changes_reaches_a_watcher_as_the_newest_status() {
    let board = crate::Board::default();
    let name: JobName = "sales".parse().unwrap();
    board.post(sample::status(Phase::Copying));
    let mut statuses = Box::pin(watching::statuses(board.watch(&name).unwrap()));
    statuses.next().await.unwrap();
    for rows in 0..=1000 {
        board.change(&name, |status| status.collections[0].rows_copied = rows);
    }
    let before = tokio::time::Instant::now();
    assert_eq!(
        statuses.next().await.unwrap().collections[0].rows_copied,
        1000
    );
    assert!(before.elapsed() >= std::time::Duration::from_millis(200));
}

#[tokio::test]
async fn an_agent_that_stops_ends_its_watches_and_removes_its_socket() {
    let agent = FakeAgent::start().await;
    let mut client = Client::connect(&agent.address()).await.unwrap();
    agent.board.post(sample::status(Phase::Copying));
    let mut statuses = client.watch(&"sales".parse().unwrap()).await.unwrap();
    statuses.next().await.unwrap().unwrap();
    let address = agent.address();
    agent.stop().await;
    assert!(statuses.next().await.is_none_or(|status| status.is_err()));
    assert_eq!(
        Client::connect(&address).await.unwrap_err().code,
        codes::AGENT_UNREACHABLE
    );
}

#[tokio::test]
async fn the_socket_is_the_operators_alone_and_no_trace_of_its_making_is_left() {
    let agent = FakeAgent::start().await;
    assert_eq!(
        fs::metadata(&agent.socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let directory = agent.socket.parent().unwrap();
    assert_eq!(
        fs::metadata(directory).unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert_eq!(fs::read_dir(directory).unwrap().count(), 1);
    agent.stop().await;
}

#[tokio::test]
async fn a_dead_agents_socket_is_replaced_and_a_living_ones_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let section = AdminSection::Unix(path.clone());
    let living = Listener::bind(&section).await.unwrap();
    let refusal = Listener::bind(&section).await.unwrap_err();
    assert_eq!(refusal.code, codes::ADMIN_UNAVAILABLE);
    assert!(
        refusal.message.contains("another agent serves there"),
        "{refusal}"
    );
    drop(living);
}

#[tokio::test]
async fn a_file_in_the_sockets_place_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    fs::write(&path, "precious").unwrap();
    let refusal = Listener::bind(&AdminSection::Unix(path.clone()))
        .await
        .unwrap_err();
    assert!(refusal.message.contains("no socket"), "{refusal}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_request_without_a_selection_or_with_an_unknown_choice_is_refused_by_name() {
    let agent = FakeAgent::start().await;
    let mut raw = admin::admin_client::AdminClient::new(channel(&agent).await);
    let mut spec = sample::spec("sales").to_wire();
    spec.selection = None;
    let refusal = raw
        .create_job(admin::CreateJobRequest {
            spec: Some(spec.clone()),
        })
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::InvalidArgument);
    assert!(
        refusal.message().contains("selection is missing"),
        "{refusal}"
    );
    spec.selection = Some(admin::Selection::default());
    spec.on_conflict = 77;
    let refusal = raw
        .create_job(admin::CreateJobRequest {
            spec: Some(spec.clone()),
        })
        .await
        .unwrap_err();
    assert!(
        refusal
            .message()
            .contains("on_conflict has the unknown value 77"),
        "{refusal}"
    );
    spec.on_conflict = 0;
    let taken = raw
        .create_job(admin::CreateJobRequest { spec: Some(spec) })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        taken.status.unwrap().spec.unwrap().on_conflict(),
        admin::OnConflict::Fail
    );
    agent.stop().await;
}

#[tokio::test]
async fn health_and_reflection_answer_beside_the_api() {
    use tonic_health::pb::health_client::HealthClient;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_response::MessageResponse,
    };

    let agent = FakeAgent::start().await;
    let channel = channel(&agent).await;
    let request = tonic_health::pb::HealthCheckRequest {
        service: "passage.admin.v1.Admin".into(),
    };
    let health = HealthClient::new(channel.clone())
        .check(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        health.status(),
        tonic_health::pb::health_check_response::ServingStatus::Serving
    );
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(
            "passage.admin.v1.Fault".into(),
        )),
    };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(futures::stream::iter([request]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    assert!(
        matches!(answer, Some(MessageResponse::FileDescriptorResponse(_))),
        "{answer:?}"
    );
    drop(answers);
    agent.stop().await;
}
