//! A fake of an agent's jobs, for tests: it keeps statuses and does no work. A test moves a job by changing its board.

use crate::{Board, Jobs, Listener, not_found, sample, serve_admin};
use model::job::CutoverOptions;
use model::{Class, Fault, JobName, JobSpec, JobStatus, Phase, Verification, codes};
use runtime::config::AdminSection;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
pub(crate) struct FakeJobs {
    board: Board,
    /// Counts the watches.
    watched: watch::Sender<usize>,
}

impl Jobs for FakeJobs {
    async fn create(&self, spec: JobSpec) -> Result<JobStatus, Fault> {
        if self.board.find(&spec.name).is_some() {
            let message = format!("there is already a job {}", spec.name);
            return Err(Fault::new(
                codes::JOB_EXISTS,
                Class::Permanent,
                message,
                "choose another name",
            ));
        }
        let status = JobStatus {
            spec,
            ended_ms: None,
            ..sample::status(Phase::Pending)
        };
        self.board.post(status.clone());
        Ok(status)
    }

    fn list(&self) -> Vec<JobStatus> {
        self.board.list()
    }

    fn watch(&self, name: &JobName) -> Result<watch::Receiver<JobStatus>, Fault> {
        self.watched.send_modify(|watches| *watches += 1);
        self.board.watch(name)
    }

    async fn cancel(&self, name: &JobName) -> Result<JobStatus, Fault> {
        self.board
            .change(name, |status| status.phase = Phase::Cancelled);
        self.board.find(name).ok_or_else(|| not_found(name))
    }

    async fn set_paused(&self, name: &JobName, paused: bool) -> Result<JobStatus, Fault> {
        self.board.change(name, |status| {
            status.cause = paused.then(|| crate::paused(name));
        });
        self.board.find(name).ok_or_else(|| not_found(name))
    }

    async fn cut_over(&self, name: &JobName, _: CutoverOptions) -> Result<JobStatus, Fault> {
        self.board
            .change(name, |status| status.phase = Phase::Completed);
        self.board.find(name).ok_or_else(|| not_found(name))
    }

    async fn verify(&self, name: &JobName) -> Result<JobStatus, Fault> {
        self.board.change(name, |status| {
            status.phase = Phase::Verifying;
            for collection in &mut status.collections {
                collection.verification = Verification::Running;
            }
        });
        self.board.find(name).ok_or_else(|| not_found(name))
    }
}

/// An agent with fake jobs, served at a socket in a directory of its own.
pub(crate) struct FakeAgent {
    pub(crate) board: Board,
    pub(crate) socket: PathBuf,
    watches: watch::Receiver<usize>,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), Fault>>,
    directory: Arc<tempfile::TempDir>,
}

impl FakeAgent {
    pub(crate) async fn start() -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), Board::default()).await
    }

    async fn start_in(directory: Arc<tempfile::TempDir>, board: Board) -> Self {
        let socket = directory.path().join("run/admin.sock");
        let (watched, watches) = watch::channel(0);
        let jobs = Arc::new(FakeJobs {
            board: board.clone(),
            watched,
        });
        let shutdown = CancellationToken::new();
        let listener = Listener::bind(&AdminSection::Unix(socket.clone()))
            .await
            .unwrap();
        let serving = tokio::spawn(serve_admin(listener, jobs, shutdown.clone()));
        Self {
            board,
            socket,
            watches,
            shutdown,
            serving,
            directory,
        }
    }

    pub(crate) fn address(&self) -> crate::Address {
        crate::Address::Unix(self.socket.clone())
    }

    /// Waits until somebody watches a job.
    pub(crate) async fn watched(&self) {
        self.watches
            .clone()
            .wait_for(|watches| *watches > 0)
            .await
            .unwrap();
    }

    /// Stops as an agent does.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.serving.await.unwrap().unwrap();
        assert!(!self.socket.exists(), "the socket's file is left");
    }

    /// Stops, and starts again with the same jobs.
    pub(crate) async fn restart(self) -> Self {
        let (directory, board) = (Arc::clone(&self.directory), self.board.clone());
        self.stop().await;
        Self::start_in(directory, board).await
    }
}
