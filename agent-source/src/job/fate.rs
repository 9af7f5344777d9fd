//! What became of a collection on the source while it is followed: it may be dropped, renamed, or defined anew.
//!
//! Only the log's word has the target drop anything. A source that has merely lost its collections, such as one that was set up anew
//! at the same address, makes the job wait.

use super::StepError;
use super::collection::{CollectionRun, unexpected};
use crate::agent::Agent;
use crate::reader::changes::channels::Channels;
use crate::records::CollectionRecord;
use milvus::Kind;
use model::job::OnConflict;
use model::{ChangeKind, Class, CollectionName, CollectionPhase, CollectionSpec, Fault, codes};
use protocol::{Answer, Call};
use std::time::Duration;

/// How often it is looked. Nothing in the log tells of names, indexes and properties.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often a collection may be missed before that is told. The log tells of a drop sooner.
const MISSED_MOST: u32 = 3;

/// What became of it.
#[derive(Debug)]
enum Fate {
    /// It is there, and this is how.
    There(Box<CollectionSpec>),
    /// It has another name.
    Renamed(CollectionName),
    /// It is dropped.
    Gone,
}

impl CollectionRun<'_> {
    /// Waits until the collection is defined otherwise than when it was last looked at: how.
    ///
    /// # Errors
    /// `collection_renamed`; `collection_dropped` when it is missed and the log does not tell why.
    pub(super) async fn redefinition(&self) -> Result<Box<CollectionSpec>, StepError> {
        let known = &self.record.plan.source;
        let mut missed = 0;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match fate(self.agent, known).await {
                Ok(Fate::There(now)) if is_redefined(known, &now) => return Ok(now),
                Ok(Fate::There(_)) => missed = 0,
                Ok(Fate::Renamed(name)) => return Err(renamed(&known.name, &name).into()),
                Ok(Fate::Gone) if missed < MISSED_MOST => missed += 1,
                Ok(Fate::Gone) => return Err(missing(&known.name).into()),
                Err(fault) => tracing::debug!(error = %fault, "the source is not looked at"),
            }
        }
    }

    /// Has the target take over indexes and properties.
    pub(super) async fn redefine(&mut self, now: Box<CollectionSpec>) -> Result<(), StepError> {
        tracing::info!(collection = %now.name, "indexes or properties have changed on the source");
        let mut plan = self.record.plan.clone();
        plan.source.indexes = now.indexes;
        plan.source.properties = now.properties;
        match self
            .session
            .ask(Call::DefineCollection(plan.clone()))
            .await?
        {
            Answer::Done => {}
            other => return Err(unexpected(&other)),
        }
        self.record.plan = plan;
        Ok(self.agent.put_collection(&self.record).await?)
    }

    /// What is to be done about a fault of a collection in a live job: one that was not found because it was dropped before it could be
    /// followed is dropped on the target, and nothing is left to be done then. Another one that has its name by now may refuse what was
    /// asked of it for any reason, such as keys of another type.
    ///
    /// # Errors
    /// `collection_renamed`; those of [`Self::follow_drop`].
    pub(super) async fn unless_gone(&mut self, fault: Fault) -> Result<Option<Fault>, StepError> {
        let codes = [codes::COLLECTION_NOT_FOUND, codes::COLLECTION_REPLACED];
        let is_missing = codes.contains(&fault.code.as_str());
        let may_be_another = is_missing || !fault.may_pass();
        if !may_be_another || !self.is_live() || self.record.phase >= CollectionPhase::Verifying {
            return Ok(Some(fault));
        }
        let source = &self.record.plan.source;
        match fate(self.agent, source).await? {
            // It had another name for a while, or the target has lost it: an operator can mend that.
            Fate::There(_) if is_missing => {
                let class = Class::Operator;
                Ok(Some(Fault { class, ..fault }))
            }
            Fate::There(_) => Ok(Some(fault)),
            Fate::Renamed(name) => Err(renamed(&source.name, &name).into()),
            Fate::Gone if self.is_untouched() => {
                tracing::warn!(collection = %source.name, "it was gone from the source before anything of it was copied");
                self.enter(CollectionPhase::Dropped).await?;
                Ok(None)
            }
            Fate::Gone if self.log_tells_drop().await? => {
                self.follow_drop().await?;
                Ok(None)
            }
            Fate::Gone => Ok(Some(missing(&source.name))),
        }
    }

    /// Whether the target was not told of the collection yet, and so has nothing of it: not even where its log begins is noted.
    fn is_untouched(&self) -> bool {
        self.record.phase == CollectionPhase::Waiting && self.record.start.is_empty()
    }

    /// Whether the log tells that the collection was dropped while it was copied. Of one that is followed, whoever follows it finds out.
    async fn log_tells_drop(&self) -> Result<bool, StepError> {
        let is_copied = self.record.phase < CollectionPhase::Following;
        let (Some(log), true) = (&self.agent.log, is_copied && !self.record.start.is_empty())
        else {
            return Ok(false);
        };
        let Some(now) = self.agent.tick_now().await? else {
            return Ok(false);
        };
        let mut channels = Channels::new(log, self.record.plan.source.id, &self.record.start);
        loop {
            let advance = channels.next().await?;
            let mut kinds = advance.changes.iter().map(|change| &change.kind);
            if kinds.any(|kind| *kind == ChangeKind::DropCollection) {
                return Ok(true);
            }
            if advance.tick >= now {
                return Ok(false);
            }
        }
    }

    /// Has the target drop what was dropped on the source.
    ///
    /// # Errors
    /// `collection_dropped` where the target had the collection before the job.
    pub(super) async fn follow_drop(&mut self) -> Result<(), StepError> {
        let plan = &self.record.plan;
        if self.job.spec.on_conflict == OnConflict::Append {
            return Err(dropped(&plan.source.name).into());
        }
        tracing::warn!(collection = %plan.source.name, target = %plan.target, "it was dropped on the source, and is on the target");
        if self.record.phase == CollectionPhase::Following {
            // A step that is under way ends, and none comes any more.
            self.begin_run().await?;
        }
        let plan = &self.record.plan;
        let call = Call::DropCollection {
            job: plan.job.clone(),
            index: plan.index,
        };
        match self.session.ask(call).await? {
            Answer::Done => {}
            other => return Err(unexpected(&other)),
        }
        if let Some(spool) = self.agent.spool() {
            spool.forget(&plan.job, Some(plan.index));
        }
        // Nothing is left that could be released.
        self.record.loaded_for_job = false;
        self.enter(CollectionPhase::Dropped).await
    }
}

/// Takes a followed collection's definition as it is now. Gives what is to be waited for, if it is not as the target has it.
pub(super) async fn describe_again(
    agent: &Agent,
    collection: &mut CollectionRecord,
) -> Result<Option<String>, Fault> {
    let known = &mut collection.plan.source;
    let what = match fate(agent, known).await? {
        Fate::There(now) if is_redefined(known, &now) => {
            "has indexes or properties that the target is still to get".to_owned()
        }
        Fate::There(now) => {
            let load = known.load;
            *known = CollectionSpec { load, ..*now };
            return Ok(None);
        }
        Fate::Renamed(to) => format!("was renamed to {to} on the source"),
        Fate::Gone => "was dropped on the source, and is still to be on the target".to_owned(),
    };
    Ok(Some(format!("{} {what}", known.name)))
}

async fn fate(agent: &Agent, known: &CollectionSpec) -> Result<Fate, Fault> {
    let (database, name) = (&known.name.database, &known.name.collection);
    let described = agent
        .milvus
        .in_database(database)
        .describe_collection(name)
        .await;
    match described {
        Ok(now) if now.id == known.id => return Ok(Fate::There(Box::new(now))),
        Ok(_) => {}
        Err(error) if error.kind() == Kind::CollectionNotFound => {}
        Err(error) => return Err(error.into()),
    }
    for database in agent.milvus.databases().await? {
        let milvus = agent.milvus.in_database(&database.name);
        for name in milvus.list_collections().await? {
            match milvus.describe_collection(&name).await {
                Ok(other) if other.id == known.id => return Ok(Fate::Renamed(other.name)),
                // Dropped since it was listed.
                Err(error) if error.kind() == Kind::CollectionNotFound => {}
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(Fate::Gone)
}

/// Whether what can be altered was.
fn is_redefined(known: &CollectionSpec, now: &CollectionSpec) -> bool {
    let indexes = |spec: &CollectionSpec| {
        let mut indexes = spec.indexes.clone();
        indexes.sort_by(|a, b| a.name.cmp(&b.name));
        indexes
    };
    known.properties != now.properties || indexes(known) != indexes(now)
}

fn renamed(name: &CollectionName, to: &CollectionName) -> Fault {
    let hint = "give it its former name again, and the job goes on; or cancel the job, and create a new one";
    let message = format!("collection {name} was renamed to {to} on the source");
    Fault::new(codes::COLLECTION_RENAMED, Class::Operator, message, hint)
}

fn missing(name: &CollectionName) -> Fault {
    let hint = "see that the source is the Milvus that the job began with; or cancel the job: the target keeps what it has";
    let message = format!(
        "collection {name} is not on the source any more, and the log does not tell that it was dropped"
    );
    Fault::new(codes::COLLECTION_DROPPED, Class::Operator, message, hint)
}

fn dropped(name: &CollectionName) -> Fault {
    let hint = "the target had the collection before this job, which does not drop it: cancel the job, and drop it there yourself";
    let message = format!("collection {name} was dropped on the source");
    Fault::new(codes::COLLECTION_DROPPED, Class::Operator, message, hint)
}
