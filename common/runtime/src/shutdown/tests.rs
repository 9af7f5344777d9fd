use super::*;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Step>>>);

/// Starts a task that notes when it is told to stop, and stops so much later.
fn linger(shutdown: &Shutdown, step: Step, heard: &Heard, linger: Duration) {
    let (stop, heard) = (shutdown.tasks(step).stop_token(), heard.clone());
    shutdown.tasks(step).spawn("lingers", async move {
        stop.cancelled().await;
        heard.0.lock().unwrap().push(step);
        tokio::time::sleep(linger).await;
    });
}

#[tokio::test(start_paused = true)]
async fn each_step_begins_when_the_one_before_is_done() {
    let (shutdown, heard) = (Shutdown::new(StepLimits::default()), Heard::default());
    for step in [Step::Close, Step::Finish, Step::Confirm, Step::StopTaking] {
        linger(&shutdown, step, &heard, Duration::from_secs(2));
    }
    shutdown.request();
    let begun = tokio::time::Instant::now();
    assert_eq!(shutdown.run().await, Ending::Orderly);
    assert_eq!(*heard.0.lock().unwrap(), Step::ORDER);
    assert_eq!(begun.elapsed().as_secs(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_takes_too_long_is_left_behind_and_aborted_in_the_end() {
    let (shutdown, heard) = (Shutdown::new(StepLimits::default()), Heard::default());
    linger(&shutdown, Step::Finish, &heard, Duration::from_secs(3600));
    linger(&shutdown, Step::Close, &heard, Duration::ZERO);
    shutdown.request();
    let begun = tokio::time::Instant::now();
    assert_eq!(shutdown.run().await, Ending::Aborted(1));
    assert_eq!(*heard.0.lock().unwrap(), [Step::Finish, Step::Close]);
    assert_eq!(begun.elapsed().as_secs(), 30);
    assert_eq!(shutdown.tasks(Step::Finish).running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_second_request_aborts_at_once() {
    let (shutdown, heard) = (Shutdown::new(StepLimits::default()), Heard::default());
    linger(&shutdown, Step::Finish, &heard, Duration::from_secs(3600));
    shutdown.request();
    let ending = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { shutdown.run().await }
    });
    tokio::time::advance(Duration::from_secs(1)).await;
    let begun = tokio::time::Instant::now();
    shutdown.abort();
    assert!(matches!(
        ending.await.unwrap(),
        Ending::Orderly | Ending::Aborted(1)
    ));
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn nothing_ends_before_it_is_asked_to() {
    let (shutdown, heard) = (Shutdown::new(StepLimits::default()), Heard::default());
    linger(&shutdown, Step::StopTaking, &heard, Duration::ZERO);
    assert!(
        timeout(Duration::from_secs(86_400), shutdown.run())
            .await
            .is_err()
    );
    assert!(!shutdown.tasks(Step::StopTaking).is_stopping());
    assert_eq!(shutdown.tasks(Step::StopTaking).running(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_ends_the_agent_in_order() {
    let (shutdown, heard) = (Shutdown::new(StepLimits::default()), Heard::default());
    linger(&shutdown, Step::Confirm, &heard, Duration::ZERO);
    shutdown
        .tasks(Step::Finish)
        .spawn("panics", async { panic!("as the test wants") });
    assert_eq!(shutdown.run().await, Ending::Panicked);
    assert_eq!(*heard.0.lock().unwrap(), [Step::Confirm]);
}

/// The body of the process that [`the_first_signal_asks_and_the_second_aborts`] starts.
#[tokio::test]
#[ignore = "waits for signals; run by the_first_signal_asks_and_the_second_aborts"]
async fn lingers_until_signalled() {
    let shutdown = Shutdown::new(StepLimits::default());
    let heeding = shutdown.clone();
    let heeded = tokio::spawn(async move { heeding.heed_signals().await });
    let stop = shutdown.tasks(Step::Finish).stop_token();
    shutdown.tasks(Step::Finish).spawn("lingers", async move {
        stop.cancelled().await;
        println!("asked");
        std::future::pending().await
    });
    // Both signals are caught once this task has run.
    tokio::task::yield_now().await;
    println!("ready");
    println!("ended: {:?}", shutdown.run().await);
    heeded.abort();
}

#[test]
fn the_first_signal_asks_and_the_second_aborts() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "shutdown::tests::lingers_until_signalled",
            "--ignored",
            "--nocapture",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut wait_for = |word: &str| {
        assert!(
            lines.by_ref().any(|line| line.contains(word)),
            "{word} was not printed"
        )
    };
    let signal = |name: &str| {
        let sent = Command::new("kill")
            .args([name, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    };
    wait_for("ready");
    signal("-TERM");
    wait_for("asked");
    signal("-INT");
    wait_for("ended: Aborted(1)");
    assert!(child.wait().unwrap().success());
}
