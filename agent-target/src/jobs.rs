//! Operators' words on the target's side: the source carries jobs out, so what is asked for here is asked of it.

use crate::agent::Agent;
use channel::conversation::Caller;
use control::Jobs;
use model::job::CutoverOptions;
use model::{Class, Fault, JobName, JobSpec, JobStatus, codes};
use protocol::{Answer, Call};
use runtime::journal::JournalError;
use std::sync::Arc;
use tokio::sync::watch;

/// The jobs as the admin API drives them.
#[derive(Debug, Clone)]
pub(crate) struct Operator(pub(crate) Arc<Agent>);

impl Agent {
    /// Puts up every job that the journal has, as it was when it was last told of.
    ///
    /// # Errors
    /// The journal's.
    pub(crate) fn post_all(&self) -> Result<(), JournalError> {
        for status in self.jobs()?.into_iter().filter_map(|record| record.status) {
            self.board.post(status);
        }
        Ok(())
    }

    fn source(&self) -> Result<Caller, Fault> {
        self.caller.borrow().clone().ok_or_else(|| {
            let message = "there is no link to the source's agent, which carries jobs out";
            let hint = "wait until both agents are connected (see their logs), or give the command to the source's agent";
            Fault::new(codes::PEER_UNREACHABLE, Class::Transient, message, hint)
        })
    }
}

impl Operator {
    /// Asks the source, and shows the job here as it says.
    async fn ask(&self, call: Call) -> Result<JobStatus, Fault> {
        let source = self.0.source()?;
        match source
            .call(
                &call,
                runtime::telemetry::current_traceparent().unwrap_or_default(),
            )
            .await?
        {
            Answer::Job(mut status) => {
                let known = self.0.board.find(&status.spec.name);
                status.report = known.and_then(|known| known.report);
                self.0.board.post(*status.clone());
                Ok(*status)
            }
            _ => Err(Fault::new(
                codes::PROTOCOL_VIOLATION,
                Class::Permanent,
                "the source answered another question",
                "install the same release of Passage on both sides",
            )),
        }
    }
}

impl Jobs for Operator {
    async fn create(&self, spec: JobSpec) -> Result<JobStatus, Fault> {
        self.ask(Call::RequestJob(spec)).await
    }

    fn list(&self) -> Vec<JobStatus> {
        self.0.board.list()
    }

    fn watch(&self, name: &JobName) -> Result<watch::Receiver<JobStatus>, Fault> {
        self.0.board.watch(name)
    }

    async fn cancel(&self, name: &JobName) -> Result<JobStatus, Fault> {
        self.watch(name)?;
        self.ask(Call::RequestCancel(name.clone())).await
    }

    async fn set_paused(&self, name: &JobName, paused: bool) -> Result<JobStatus, Fault> {
        self.watch(name)?;
        let job = name.clone();
        self.ask(Call::RequestPause { job, paused }).await
    }

    async fn cut_over(&self, name: &JobName, options: CutoverOptions) -> Result<JobStatus, Fault> {
        self.watch(name)?;
        let job = name.clone();
        self.ask(Call::RequestCutover { job, options }).await
    }

    async fn verify(&self, name: &JobName) -> Result<JobStatus, Fault> {
        self.watch(name)?;
        self.ask(Call::RequestVerify(name.clone())).await
    }
}
