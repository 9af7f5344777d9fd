//! Commands from their words to their output and exit code, against an agent with fake jobs.

mod offline;

use super::*;
use crate::fake::FakeAgent;
use crate::sample;
use model::{JobStatus, Phase, Verification};
use std::cell::RefCell;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;

/// What a command wrote.
#[derive(Debug, Clone, Default)]
struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

struct Told {
    exit: Exit,
    out: String,
    err: String,
}

impl Told {
    /// The objects on the lines of the output.
    fn json(&self) -> Vec<serde_json::Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

async fn command_at(socket: &Path, words: &str) -> Told {
    plain_command(&format!("{words} --admin unix:{}", socket.display())).await
}

/// A command that needs no agent.
async fn plain_command(words: &str) -> Told {
    let words = ["agent-source"].into_iter().chain(words.split(' '));
    let cli = Cli::parse_for(Program::Source, words.map(OsString::from)).unwrap();
    let (out, err) = (Sink::default(), Sink::default());
    let mut terminal = Terminal::of_test(cli.output, Box::new(out.clone()), Box::new(err.clone()));
    let outcome = dispatch(Program::Source, cli.command, &mut terminal).await;
    let exit = exit_of(outcome, &mut terminal);
    Told {
        exit,
        out: out.text(),
        err: err.text(),
    }
}

async fn command(agent: &FakeAgent, words: &str) -> Told {
    command_at(&agent.socket, words).await
}

fn job_file(agent: &FakeAgent, text: &str) -> String {
    let path = agent.socket.with_file_name("job.yaml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

const JOB: &str = "name: sales\ncollections: [\"sales.*\"]\n";

#[tokio::test]
async fn a_created_job_is_listed_shown_and_cancelled() {
    let agent = FakeAgent::start().await;
    let file = job_file(&agent, JOB);
    let told = command(&agent, &format!("job create -f {file}")).await;
    assert_eq!(told.exit, Exit::Done, "{}", told.err);
    assert!(told.out.starts_with("job sales: pending\n"), "{}", told.out);
    assert!(
        told.err.contains("`agent-source job watch sales`"),
        "{}",
        told.err
    );
    assert!(
        command(&agent, "job list")
            .await
            .out
            .contains("\nsales  pending")
    );
    let paused = command(&agent, "job pause sales").await.out;
    assert!(
        paused.contains("waits for: job sales is paused [job_paused]"),
        "{paused}"
    );
    let resumed = command(&agent, "job resume sales").await.out;
    assert!(!resumed.contains("job_paused"), "{resumed}");
    assert!(
        command(&agent, "job cancel sales")
            .await
            .out
            .starts_with("job sales: cancelled\n")
    );
    let shown = command(&agent, "job show sales -o json").await;
    assert_eq!(shown.json()[0]["phase"], "cancelled");
    agent.stop().await;
}

#[tokio::test]
async fn a_wrong_job_file_is_refused_before_the_agent_hears_of_it() {
    let agent = FakeAgent::start().await;
    let file = job_file(
        &agent,
        "name: sales\ncollections: [docs]\non_conflct: skip\n",
    );
    let told = command(&agent, &format!("job create -f {file}")).await;
    assert_eq!(told.exit, Exit::Refused);
    assert!(
        told.err.starts_with("error: ") && told.err.contains("[config_invalid]"),
        "{}",
        told.err
    );
    assert!(
        told.err.contains("on_conflct") && told.err.contains("hint: "),
        "{}",
        told.err
    );
    assert!(agent.board.list().is_empty());
    agent.stop().await;
}

#[tokio::test]
async fn an_error_is_json_for_programs() {
    let agent = FakeAgent::start().await;
    let told = command(&agent, "job show other -o json").await;
    assert_eq!((told.exit, told.out.as_str()), (Exit::Refused, ""));
    let error: serde_json::Value = serde_json::from_str(&told.err).unwrap();
    assert_eq!(error["error"]["code"], "job_not_found");
    assert_eq!(error["error"]["class"], "operator");
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_that_is_not_there_has_an_exit_code_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let told = command_at(&directory.path().join("no.sock"), "job list").await;
    assert_eq!(told.exit, Exit::Unreachable);
    assert!(
        told.err.contains("no.sock") && told.err.contains("[agent_unreachable]"),
        "{}",
        told.err
    );
}

#[tokio::test]
async fn a_watch_shows_one_status_a_line_and_exits_as_the_job_ended() {
    let agent = FakeAgent::start().await;
    let mut failed = sample::status(Phase::Failed);
    failed.cause = Some(sample::fault());
    agent.board.post(failed);
    let told = command(&agent, "job watch sales -o json").await;
    assert_eq!(told.exit, Exit::Failed);
    let statuses = told.json();
    assert_eq!(
        (statuses.len(), &statuses[0]["cause"]["code"]),
        (1, &"peer_unreachable".into())
    );
    let told = command(&agent, "job watch sales").await;
    assert!(
        told.out.contains("job sales failed after 3m 12s"),
        "{}",
        told.out
    );
    assert!(
        told.out
            .contains("hint: start agent-target, and open its port"),
        "{}",
        told.out
    );
    agent.stop().await;
}

#[tokio::test]
async fn a_dry_run_waits_for_what_preflight_finds() {
    let agent = FakeAgent::start().await;
    let file = job_file(&agent, JOB);
    let board = agent.board.clone();
    let preflight = async move {
        let name = "sales".parse().unwrap();
        while board.find(&name).is_none() {
            tokio::task::yield_now().await;
        }
        board.change(&name, |status| {
            assert!(status.spec.dry_run);
            status.findings = vec![sample::finding(model::Severity::Blocked)];
            status.phase = Phase::Completed;
        });
    };
    let words = format!("job create --dry-run -f {file}");
    let (told, ()) = tokio::join!(command(&agent, &words), preflight);
    assert_eq!(told.exit, Exit::Failed);
    assert!(told.out.contains("BLOCKED  docs.embedding"), "{}", told.out);
    assert!(told.out.contains("nothing was changed"), "{}", told.out);
    agent.stop().await;
}

#[tokio::test]
async fn a_verification_that_finds_differences_has_its_exit_code_and_points_to_the_report() {
    let agent = FakeAgent::start().await;
    agent.board.post(sample::status(Phase::Completed));
    let board = agent.board.clone();
    let verification = async move {
        let name = "sales".parse().unwrap();
        let runs = |status: &JobStatus| status.collections[0].verification == Verification::Running;
        board.watch(&name).unwrap().wait_for(runs).await.unwrap();
        board.change(&name, |status| {
            status.phase = Phase::Failed;
            for collection in &mut status.collections {
                collection.verification = Verification::Mismatched { differences: 600 };
            }
            status.report = Some(sample::report());
        });
    };
    let (told, ()) = tokio::join!(command(&agent, "job verify sales --watch"), verification);
    assert_eq!(told.exit, Exit::Differs);
    assert!(
        told.err.contains("`agent-source job report sales`"),
        "{}",
        told.err
    );
    let report = command(&agent, "job report sales").await;
    assert_eq!(report.exit, Exit::Differs);
    assert!(
        report.out.contains("not equal: 1,200 differences"),
        "{}",
        report.out
    );
    assert!(!report.out.contains('\u{1b}'), "a key steers the terminal");
    let report = command(&agent, "job report sales -o json").await;
    assert_eq!(
        report.json()[0]["collections"][1]["differences"][0]["kind"],
        "missing_row"
    );
    agent.stop().await;
}

#[tokio::test]
async fn a_watch_gives_up_when_its_agent_stays_away_for_a_minute() {
    let agent = FakeAgent::start().await;
    agent.board.post(sample::status(Phase::Copying));
    let socket = agent.socket.clone();
    let stop = async {
        agent.watched().await;
        agent.stop().await;
        tokio::time::pause();
    };
    let (told, ()) = tokio::join!(command_at(&socket, "job watch sales"), stop);
    assert_eq!(told.exit, Exit::Unreachable);
    assert!(
        told.out
            .contains("the agent is not reachable; trying again"),
        "{}",
        told.out
    );
}

#[tokio::test]
async fn a_watch_goes_on_when_its_agent_comes_back() {
    let agent = FakeAgent::start().await;
    agent.board.post(sample::status(Phase::Copying));
    let socket = agent.socket.clone();
    let restart = async {
        agent.watched().await;
        let agent = agent.restart().await;
        agent.watched().await;
        agent.board.change(&"sales".parse().unwrap(), |status| {
            status.phase = Phase::Completed
        });
        agent
    };
    let (told, agent) = tokio::join!(command_at(&socket, "job watch sales"), restart);
    assert_eq!(told.exit, Exit::Done, "{}", told.err);
    assert!(
        told.out.contains("trying again") && told.out.contains("job sales: completed"),
        "{}",
        told.out
    );
    agent.stop().await;
}
