//! What the target does at the source's word. Every answer may be asked for again, and is then found rather than done.

use crate::agent::Agent;
use crate::records::{CollectionRecord, Followed, JobRecord, Step};
use crate::verifier::{self, Units};
use crate::writer::staging::Staging;
use crate::writer::{import, mapping, redefine, schema};
use channel::conversation::Caller;
use futures::FutureExt;
use model::job::{CopyBy, Mode, OnConflict};
use model::{
    Class, CollectionIndex, Fault, Incarnation, JobName, JobSpec, Key, Phase, RowHash, codes,
};
use protocol::call::{CollectionPlan, Durable};
use protocol::claim::{self, Claim};
use protocol::{Answer, Call, Note};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A session's answering side.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) agent: Arc<Agent>,
    pub(crate) caller: Caller,
    pub(crate) over: CancellationToken,
    /// The source's process.
    pub(crate) peer: Incarnation,
}

impl Session {
    /// Does what is asked.
    ///
    /// # Cancel safety
    /// What was begun is found by the next call of the same kind.
    pub(crate) async fn answer(&self, call: Call) -> Result<Answer, Fault> {
        match call {
            Call::OpenJob {
                spec,
                epoch,
                incarnation,
            } => self.open(spec, Claim { epoch, incarnation }).await,
            Call::CheckCollection(plan) => self.check(plan).await,
            Call::CreateCollection(plan) => {
                let (job, index) = (plan.job.clone(), plan.index);
                let create = self.create(plan).boxed();
                let durable = self.agent.turns.take(&job, index, create).await?;
                Ok(Answer::Created(durable))
            }
            Call::FinishCollection { job, index } => {
                let finish = self.finish(&job, index).boxed();
                self.agent.turns.take(&job, index, finish).await
            }
            Call::VerifyCollection {
                plan,
                units,
                round,
                is_followed,
            } => {
                let (job, index) = (plan.job.clone(), plan.index);
                let units = Units {
                    number: units,
                    round,
                    is_followed,
                };
                let verify = self.verify(plan, units).boxed();
                self.agent.turns.take(&job, index, verify).await
            }
            Call::FollowCollection {
                plan,
                start,
                beginning,
            } => {
                let from = Followed {
                    applied: start,
                    beginning,
                    dropping: BTreeSet::new(),
                };
                self.follow(&plan, from).await
            }
            Call::CompareKeys {
                job,
                index,
                partition,
                rows,
            } => {
                self.owned(&job)?;
                let partition = partition.as_deref();
                let differing = self.compare(&job, index, partition, &rows).await?;
                Ok(Answer::Differing(differing))
            }
            Call::ExplainKeys {
                job,
                index,
                partition,
                rows,
            } => {
                self.owned(&job)?;
                self.settled(&job, index).await?;
                let partition = partition.as_deref();
                let found = verifier::of_keys::explain(self, &job, index, partition, rows);
                found.await.map(Answer::Differences)
            }
            Call::CountRows { job, index } => {
                self.owned(&job)?;
                self.settled(&job, index).await?;
                let counted = verifier::of_keys::count(self, &job, index);
                counted.await.map(Answer::Count)
            }
            Call::DefineCollection(plan) => self.define(plan).await,
            Call::DropCollection { job, index } => self.drop(&job, index).await,
            Call::SealCollection(plan) => {
                let (job, index) = (plan.job.clone(), plan.index);
                let seal = self.seal(plan).boxed();
                self.agent.turns.take(&job, index, seal).await
            }
            Call::CloseJob { job, phase } => self.close(&job, phase).await,
            _ => Err(Fault::new(
                codes::PROTOCOL_VIOLATION,
                Class::Bug,
                "this question is not for the target",
                "report this as a defect of Passage",
            )),
        }
    }

    /// Takes note of what the source tells.
    pub(crate) async fn handle_note(&self, note: Note) {
        let Note::Status(status) = note else { return };
        let (job, phase) = (status.spec.name.clone(), status.phase);
        self.agent.board.post(*status.clone());
        if let Err(error) = self.agent.keep_status(&job, *status).await {
            tracing::warn!(%job, %error, "the job's status is not in the journal");
        }
        if phase.is_terminal() {
            self.agent.clear_staging(&job).await;
        }
    }

    async fn open(&self, spec: JobSpec, claim: Claim) -> Result<Answer, Fault> {
        let known = self.agent.job(&spec.name)?;
        if let Some(record) = known.as_ref().filter(|record| record.spec != spec) {
            return Err(another_job(&record.spec.name));
        }
        let claim = claim::decide(&spec.name, known.as_ref().map(|record| record.claim), claim)?;
        self.agent.owners.take(&spec.name, claim, &self.over);
        let status = known.and_then(|record| record.status);
        self.agent
            .put_job(&JobRecord {
                spec,
                claim,
                status,
            })
            .await?;
        Ok(Answer::Done)
    }

    /// Makes sure that the job is still this session's.
    fn owned(&self, job: &JobName) -> Result<JobSpec, Fault> {
        let record = self
            .agent
            .job(job)?
            .ok_or_else(|| control::not_found(job))?;
        let ours = Claim {
            epoch: record.claim.epoch,
            incarnation: self.peer,
        };
        claim::decide(job, Some(record.claim), ours)?;
        Ok(record.spec)
    }

    /// Makes sure that no partition is left of those that the log says are gone.
    async fn settled(&self, job: &JobName, index: CollectionIndex) -> Result<(), Fault> {
        self.agent.settle_drops(job, index, None).await
    }

    async fn check(&self, plan: CollectionPlan) -> Result<Answer, Fault> {
        let spec = self.owned(&plan.job)?;
        self.agent.scope.admit(&plan.target)?;
        let ours = self.agent.collection(&plan.job, plan.index)?.is_some();
        let (findings, skip) = schema::check(&self.agent.milvus, &spec, &plan, ours).await?;
        // Asked for by a source that reads files only.
        let no_import = match spec.copy {
            CopyBy::Rows => None,
            CopyBy::Auto | CopyBy::Segments => {
                let is_appended = spec.on_conflict == OnConflict::Append;
                import::obstacle(&self.agent, &spec, &plan, is_appended).await
            }
        };
        Ok(Answer::Checked {
            findings,
            skip,
            no_import,
            imports: import::imports(&self.agent),
        })
    }

    async fn create(&self, plan: CollectionPlan) -> Result<Durable, Fault> {
        let spec = self.owned(&plan.job)?;
        self.agent.scope.admit(&plan.target)?;
        let mut record = match self.agent.collection(&plan.job, plan.index)? {
            Some(record) => record,
            None => {
                let record = schema::begin(&self.agent.milvus, &spec, plan).await?;
                self.pass("target.collection.begin.before");
                self.agent.put_collection(&record).await?;
                self.pass("target.collection.begin.after");
                record
            }
        };
        if record.step == Step::Begun {
            {
                let _one_at_a_time = self.agent.creating_database.lock().await;
                schema::create_database(&self.agent.milvus, &record).await?;
            }
            schema::create(&self.agent.milvus, &record).await?;
            self.step(&mut record, Step::Created).await?;
        }
        Ok(self
            .agent
            .ledgers
            .durable(&record.plan.job, record.plan.index)?)
    }

    async fn finish(&self, job: &JobName, index: CollectionIndex) -> Result<Answer, Fault> {
        self.owned(job)?;
        let mut record = self.agent.begun_collection(job, index)?;
        if record.step == Step::Created {
            schema::finish(&self.agent.milvus, &record).await?;
            self.step(&mut record, Step::Finished).await?;
        }
        if let Some(storage) = &self.agent.storage {
            // What is left of its files is imported, if there were any. Where it can't be removed, the job's end tries again.
            let removed = Staging::new(storage, &record).remove().await;
            if let Err(error) = removed {
                tracing::warn!(%job, %error, "files that were imported are left for now");
            }
        }
        Ok(Answer::Done)
    }

    async fn follow(&self, plan: &CollectionPlan, from: Followed) -> Result<Answer, Fault> {
        self.owned(&plan.job)?;
        let record = self.agent.begun_collection(&plan.job, plan.index)?;
        let followings = &self.agent.followings;
        let begun = followings.begin(&plan.job, plan.index, from).await?;
        // What an earlier session has left.
        self.settled(&plan.job, plan.index).await?;
        if begun.has_gap {
            // What the lost changes made of the rows is repaired row by row.
            let partitions = &plan.source.partitions;
            schema::keep_partitions(&self.agent.milvus, &record, partitions).await?;
        }
        let (run, applied) = (begun.run, begun.applied);
        Ok(Answer::Following { run, applied })
    }

    async fn verify(&self, plan: CollectionPlan, units: Units) -> Result<Answer, Fault> {
        let spec = self.owned(&plan.job)?;
        self.settled(&plan.job, plan.index).await?;
        let record = self.agent.begun_collection(&plan.job, plan.index)?;
        let report = verifier::verify(self, &spec, record, plan, units).await?;
        Ok(Answer::Report(report))
    }

    /// Those of the rows that are not the same here. Partitions that are still to be dropped are waited for only where they may have some of
    /// them: to drop one takes long, and rows are compared all the time.
    async fn compare(
        &self,
        job: &JobName,
        index: CollectionIndex,
        partition: Option<&str>,
        rows: &[(Key, Option<RowHash>)],
    ) -> Result<Vec<Key>, Fault> {
        if partition.is_some() {
            self.agent.settle_drops(job, index, partition).await?;
            return verifier::of_keys::compare(self, job, index, partition, rows).await;
        }
        let drops = self.agent.followings.drops(job, index);
        let was_settled = drops.due().is_empty();
        let differing = verifier::of_keys::compare(self, job, index, partition, rows).await?;
        if differing.is_empty() || (was_settled && drops.due().is_empty()) {
            return Ok(differing);
        }
        self.settled(job, index).await?;
        verifier::of_keys::compare(self, job, index, partition, rows).await
    }

    async fn define(&self, plan: CollectionPlan) -> Result<Answer, Fault> {
        let spec = self.owned(&plan.job)?;
        self.settled(&plan.job, plan.index).await?;
        let mut record = self.agent.begun_collection(&plan.job, plan.index)?;
        record.expected = mapping::map(self.agent.milvus.capabilities(), &spec, &plan).expected;
        record.plan = plan;
        self.agent.put_collection(&record).await?;
        self.redefine(&record).await?;
        Ok(Answer::Done)
    }

    /// Gives a collection the indexes and properties that it is to have.
    async fn redefine(&self, record: &CollectionRecord) -> Result<(), Fault> {
        let milvus = &self.agent.milvus;
        match verifier::definitions(&self.agent, record).await? {
            Some((wanted, actual)) => redefine::redefine(milvus, record, &wanted, &actual).await,
            None => Ok(()),
        }
    }

    async fn drop(&self, job: &JobName, index: CollectionIndex) -> Result<Answer, Fault> {
        self.owned(job)?;
        // One that was never begun is not there.
        if let Some(mut record) = self.agent.collection(job, index)?
            && record.step < Step::Dropped
            && !record.appended
        {
            let name = &record.plan.target;
            let milvus = self.agent.milvus.in_database(&name.database);
            tracing::warn!(%job, collection = %name, "it was dropped on the source, and is dropped here");
            milvus.drop_collection(&name.collection).await?;
            self.step(&mut record, Step::Dropped).await?;
        }
        Ok(Answer::Done)
    }

    async fn seal(&self, plan: CollectionPlan) -> Result<Answer, Fault> {
        let spec = self.owned(&plan.job)?;
        self.settled(&plan.job, plan.index).await?;
        let mut record = self.agent.begun_collection(&plan.job, plan.index)?;
        record.expected = mapping::map(self.agent.milvus.capabilities(), &spec, &plan).expected;
        record.plan = plan;
        if record.step < Step::Sealed && verifier::may_seal(&record) {
            if spec.mode == Mode::Live {
                // The log does not tell of partitions that no row was ever in.
                schema::create_partitions(&self.agent.milvus, &record.expected).await?;
                let partitions = &record.expected.partitions;
                schema::keep_partitions(&self.agent.milvus, &record, partitions).await?;
                self.redefine(&record).await?;
                // Loaded to be compared while it was followed.
                verifier::release_loaded(&self.agent, &mut record).await?;
            }
            schema::seal(&self.agent.milvus, &record).await?;
            self.step(&mut record, Step::Sealed).await?;
        }
        let report = verifier::compare_definitions(self, &mut record).await?;
        Ok(Answer::Report(report))
    }

    async fn close(&self, job: &JobName, phase: Phase) -> Result<Answer, Fault> {
        self.owned(job)?;
        for record in self.agent.collections(job)? {
            let index = record.plan.index;
            let release = verifier::release(&self.agent, job, index).boxed();
            self.agent.turns.take(job, index, release).await?;
        }
        self.agent.clear_staging(job).await;
        tracing::info!(%job, %phase, "job has ended");
        Ok(Answer::Done)
    }

    async fn step(&self, record: &mut CollectionRecord, step: Step) -> Result<(), Fault> {
        record.step = step;
        self.pass("target.collection.step.before");
        self.agent.put_collection(record).await?;
        self.pass("target.collection.step.after");
        Ok(())
    }

    fn pass(&self, point: &str) {
        self.agent.journal.points().pass(point);
    }
}

fn another_job(job: &JobName) -> Fault {
    let message =
        format!("the target's agent knows another job called {job}, with another content");
    let hint = "give the job another name; a job file can't be changed once its job is created";
    Fault::new(codes::JOB_DIFFERS, Class::Permanent, message, hint)
}
