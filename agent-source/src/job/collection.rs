//! One collection of a job, from its journaled phase to its end.

use super::follow::End;
use super::{Live, PATIENCE, StepError};
use crate::agent::Agent;
use crate::reader::segments::keep_files;
use crate::records::{CollectionRecord, JobRecord};
use crate::session::Session;
use futures::FutureExt;
use model::job::{Mode, Unloaded, Verify};
use model::report::CollectionReport;
use model::{Class, CollectionPhase, Fault, JobName, LoadState, codes};
use protocol::call::Durable;
use protocol::{Answer, Call};
use runtime::backoff::Backoff;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long loading a source collection for the job may take.
const LOAD_LIMIT: Duration = Duration::from_secs(3600);

/// A collection under way in a session.
#[derive(Debug)]
pub(super) struct CollectionRun<'a> {
    pub(super) agent: &'a Agent,
    pub(super) session: &'a Session,
    pub(super) job: &'a JobRecord,
    pub(super) record: CollectionRecord,
    /// Places for collections that are under way, never closed; one that is followed needs none.
    pub(super) under_way: &'a Semaphore,
    /// Places for those of them that are copied or compared, never closed.
    pub(super) busy: &'a Semaphore,
    /// What those that are followed share.
    pub(super) live: &'a Live,
}

impl CollectionRun<'_> {
    /// Takes every step that is left. What an operator or time must mend is tried again here, so that it holds up no other collection.
    #[tracing::instrument(name = "collection", skip_all, fields(job = %self.job.spec.name, collection = %self.record.plan.source.name))]
    pub(super) async fn run(&mut self) -> Result<(), StepError> {
        let mut backoff = Backoff::new(PATIENCE.0, PATIENCE.1);
        loop {
            let fault = match self.take_steps().await {
                Err(StepError::Fault(fault)) => fault,
                outcome => return outcome,
            };
            let fault = match self.unless_gone(fault).await {
                Ok(Some(fault)) | Err(StepError::Fault(fault)) => fault,
                Ok(None) => return Ok(()),
                Err(StepError::Disconnected) => return Err(StepError::Disconnected),
            };
            if !fault.may_pass() {
                return Err(fault.into());
            }
            tracing::warn!(code = fault.code, error = %fault, "collection waits");
            let (job, index) = (&self.job.spec.name, self.record.plan.index);
            self.agent.show_cause(job, Some(fault));
            tokio::select! {
                () = backoff.wait() => {}
                () = self.show_lag() => {}
            }
            self.agent.show_cause(job, None);
            self.record = self.agent.collection(job, index)?;
        }
    }

    /// Shows how far a collection falls behind while it waits, for as long as it is polled.
    async fn show_lag(&self) {
        let plan = &self.record.plan;
        match self.agent.followings.find(&plan.job, plan.index) {
            Some(following) => self.show_following(&following, self.live).await,
            None => std::future::pending().await,
        }
    }

    async fn take_steps(&mut self) -> Result<(), StepError> {
        let place = self.under_way.acquire().await;
        if matches!(
            self.record.phase,
            CollectionPhase::Waiting | CollectionPhase::Copying
        ) {
            let _place = self.busy.acquire().await;
            if self.is_live() {
                self.note_start().await?;
            }
            let durable = self.create().await?;
            self.load_source().await?;
            self.wait_for_segments().await?;
            if self.record.phase == CollectionPhase::Waiting {
                self.enter(CollectionPhase::Copying).await?;
            }
            self.copy(durable).await?;
            self.enter(CollectionPhase::Finishing).await?;
        }
        if self.record.phase == CollectionPhase::Finishing {
            let plan = &self.record.plan;
            self.session
                .ask(Call::FinishCollection {
                    job: plan.job.clone(),
                    index: plan.index,
                })
                .await?;
            self.enter(if self.is_live() {
                CollectionPhase::Following
            } else {
                CollectionPhase::Verifying
            })
            .await?;
        }
        if self.record.phase == CollectionPhase::Following {
            drop(place);
            // An agent that starts again may find it released.
            self.load_source().await?;
            if let End::Dropped = self.follow(self.live).await? {
                return self.follow_drop().await;
            }
            let (job, index) = (&self.job.spec.name, self.record.plan.index);
            self.record = self.agent.collection(job, index)?;
        }
        if self.record.phase == CollectionPhase::Verifying {
            let _place = self.busy.acquire().await;
            // A verification that is asked for later finds it released again.
            self.load_source().await?;
            if self.is_live() && !self.job.verifying_again {
                self.seal().await?;
            } else {
                self.verify().await?;
            }
            self.enter(CollectionPhase::Done).await?;
        }
        self.release_source().await
    }

    pub(super) fn is_live(&self) -> bool {
        self.job.spec.mode == Mode::Live
    }

    /// Journals and shows the next phase.
    pub(super) async fn enter(&mut self, phase: CollectionPhase) -> Result<(), StepError> {
        self.agent
            .journal
            .points()
            .pass("source.collection.phase.before");
        self.record.phase = phase;
        self.agent.put_collection(&self.record).await?;
        self.agent
            .journal
            .points()
            .pass("source.collection.phase.after");
        tracing::info!(%phase, "collection");
        Ok(())
    }

    async fn create(&mut self) -> Result<Durable, StepError> {
        match self
            .session
            .ask(Call::CreateCollection(self.record.plan.clone()))
            .await?
        {
            Answer::Created(durable) => Ok(durable),
            other => Err(unexpected(&other)),
        }
    }

    /// Loads a collection that is not loaded, where the operator allows it; the journal knows of it first, so that it is released
    /// again whatever happens.
    async fn load_source(&mut self) -> Result<(), StepError> {
        let source = &self.record.plan.source;
        if self.is_asked_for_nothing()
            || source.load != LoadState::NotLoaded
            || self.job.spec.unloaded != Unloaded::Load
        {
            return Ok(());
        }
        let name = source.name.clone();
        if !self.record.loaded_for_job {
            self.record.loaded_for_job = true;
            self.agent.put_collection(&self.record).await?;
        }
        let milvus = self.agent.milvus.in_database(&name.database);
        milvus
            .load(&name.collection, 1)
            .await
            .map_err(Fault::from)?;
        milvus
            .wait_for_load(&name.collection, LOAD_LIMIT, |_| ())
            .await
            .map_err(Fault::from)?;
        Ok(())
    }

    /// Whether no query is asked of the collection: it has no row, or they are read from files.
    pub(super) fn is_asked_for_nothing(&self) -> bool {
        self.record.is_empty || (self.record.from_segments && !self.is_live())
    }

    async fn release_source(&mut self) -> Result<(), StepError> {
        if self.record.loaded_for_job {
            let name = &self.record.plan.source.name;
            self.agent
                .milvus
                .in_database(&name.database)
                .release(&name.collection)
                .await
                .map_err(Fault::from)?;
            self.record.loaded_for_job = false;
            self.agent.put_collection(&self.record).await?;
        }
        Ok(())
    }

    /// Has the target set the aliases of a collection that was proven while it was followed, and compare the definitions: those that
    /// the cutover has noted.
    async fn seal(&mut self) -> Result<(), StepError> {
        let call = Call::SealCollection(self.record.plan.clone());
        self.record.report = Some(report_of(self.session.ask(call)).await?);
        Ok(())
    }

    /// Has the target compare every row, set the aliases if all are equal, and compare the definitions, against the source as it is
    /// now.
    async fn verify(&mut self) -> Result<(), StepError> {
        self.describe_again().await?;
        let is_by_segments = self.record.from_segments && !self.is_live();
        if is_by_segments && self.job.spec.verify != Verify::None {
            let (agent, source) = (self.agent, self.record.plan.source.clone());
            let verified = async {
                self.read_proof().await?;
                self.verify_rows().await
            };
            return keep_files(agent, &source, verified.boxed()).await;
        }
        self.verify_rows().await
    }

    async fn verify_rows(&mut self) -> Result<(), StepError> {
        let plan = self.record.plan.clone();
        let units = self.agent.units_of(&plan.job, plan.index)?;
        let call = Call::VerifyCollection {
            plan: plan.clone(),
            units,
            round: self.job.round,
            is_followed: false,
        };
        let rows_and_definitions = async {
            report_of(self.session.ask(call)).await?;
            report_of(self.session.ask(Call::SealCollection(plan.clone()))).await
        };
        let report = self
            .agent
            .showing_verification(&plan, rows_and_definitions)
            .await;
        self.agent.proofs.forget(&plan.job, plan.index);
        self.record.report = Some(report?);
        Ok(())
    }

    /// Takes the source's definition as it is now, and makes sure that it is still the collection that was copied.
    pub(super) async fn describe_again(&mut self) -> Result<(), StepError> {
        let copied = &self.record.plan.source;
        let mut now = self
            .agent
            .milvus
            .in_database(&copied.name.database)
            .describe_collection(&copied.name.collection)
            .await
            .map_err(Fault::from)?;
        if now.id != copied.id {
            let message = format!(
                "collection {} was dropped and created again while job {} ran",
                copied.name, self.job.spec.name
            );
            let hint = "create a new job for it, with on_conflict: replace";
            return Err(
                Fault::new(codes::COLLECTION_REPLACED, Class::Permanent, message, hint).into(),
            );
        }
        // A load for the job's own reading is not the state that is to be carried.
        now.load = copied.load;
        self.record.plan.source = now;
        Ok(())
    }
}

pub(super) async fn report_of(
    call: impl Future<Output = Result<Answer, channel::conversation::CallError>>,
) -> Result<CollectionReport, StepError> {
    match call.await? {
        Answer::Report(report) => Ok(report),
        other => Err(unexpected(&other)),
    }
}

/// Releases what was loaded for a job that ends before its time. What can't be released is logged: the job's end does not wait for it.
pub(super) async fn release_loaded(agent: &Agent, job: &JobName) {
    let loaded = agent
        .collections(job)
        .unwrap_or_default()
        .into_iter()
        .filter(|collection| collection.loaded_for_job);
    for mut collection in loaded {
        let name = collection.plan.source.name.clone();
        match agent
            .milvus
            .in_database(&name.database)
            .release(&name.collection)
            .await
        {
            Ok(()) => {
                collection.loaded_for_job = false;
                if let Err(error) = agent.put_collection(&collection).await {
                    tracing::warn!(collection = %name, %error, "a released collection is not noted as such");
                }
            }
            Err(error) => {
                tracing::warn!(collection = %name, %error, "a collection that was loaded for the job is still loaded")
            }
        }
    }
}

/// The target answered something else than was asked.
pub(super) fn unexpected(answer: &Answer) -> StepError {
    let told = format!("{answer:?}");
    let kind = told.split(['(', ' ', '{']).next().unwrap_or_default();
    let message = format!("the target gave the answer {kind} to another question");
    Fault::new(
        codes::PROTOCOL_VIOLATION,
        Class::Permanent,
        message,
        "install the same release of Passage on both sides",
    )
    .into()
}
