//! The end of a live job: when nobody writes to the source any more, the last changes are applied and proven, and the target takes the
//! source's place.
//!
//! ```text
//! conditions ─► fence ─► its tick T ─► every channel applied up to T ─► every touched row proven ─► journal ─► aliases, load state
//!      └── unmet: refused      └────────────── too late, or a change after T: undone, the job follows on
//! ```
//! Beside the proof a second tick is waited for: up to it the log holds no change that is younger than T, or the fence does not hold.
//! The journal's one write is the point of no return: before it a crash leaves a job that follows, after it one that is cut over.

use super::laps::Laps;
use super::surplus::handle_surplus;
use super::{Job, StepError, fate};
use crate::agent::Agent;
use crate::following::{Following, Proof};
use crate::records::{CollectionRecord, JobRecord};
use crate::session::Session;
use futures::FutureExt;
use model::job::{Cutover, CutoverOptions, Fence};
use model::{Class, CollectionIndex, CollectionName, CollectionPhase, Fault, JobName, Tick, codes};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// How often the source is asked for its clock.
const CLOCK_EVERY: Duration = Duration::from_millis(500);

/// A clock that was not read for so long is not known.
const CLOCK_GOOD_FOR: Duration = Duration::from_secs(5);

/// How long rows may wait to be proven, if the job is to cut over.
const FRESH: Duration = Duration::from_secs(15);

/// An operator's word that the job is to cut over.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) options: CutoverOptions,
    pub(crate) answer: oneshot::Sender<Result<(), Fault>>,
}

/// Orders to a running job.
pub(crate) type Orders = Arc<tokio::sync::Mutex<mpsc::Receiver<Order>>>;

/// What the collections of a job in one session share while they are followed.
#[derive(Debug, Default)]
pub(crate) struct Live {
    clock: Mutex<Option<(Tick, Instant)>>,
    fence: Mutex<Option<Tick>>,
    committed: watch::Sender<bool>,
    /// Where new collections go, until the job has cut over.
    pub(super) joining: tokio::sync::Mutex<Option<mpsc::Sender<CollectionRecord>>>,
    /// The collections that the job means and that can't join it, each with what keeps it from that.
    left_out: Mutex<BTreeMap<CollectionName, String>>,
}

impl Live {
    /// New collections go there.
    pub(super) fn new(joining: mpsc::Sender<CollectionRecord>) -> Self {
        Self {
            joining: tokio::sync::Mutex::new(Some(joining)),
            ..Self::default()
        }
    }

    /// The source's clock, as far as it is known.
    pub(crate) fn source_clock(&self) -> Option<Tick> {
        let (tick, read) = (*self.clock.lock().unwrap_or_else(PoisonError::into_inner))?;
        let since = read.elapsed();
        let millis = u64::try_from(since.as_millis()).ok()?;
        (since < CLOCK_GOOD_FOR).then(|| Tick::new(tick.number() + (millis << 18)))
    }

    /// The time of the source's clock since when nobody writes to it, while the job cuts over.
    pub(crate) fn fenced_at(&self) -> Option<Tick> {
        *self.fence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_fence(&self, tick: Option<Tick>) {
        *self.fence.lock().unwrap_or_else(PoisonError::into_inner) = tick;
    }

    /// These collections can't join the job, for these reasons.
    pub(super) fn set_left_out(&self, left_out: BTreeMap<CollectionName, String>) {
        *self.left_out.lock().unwrap_or_else(PoisonError::into_inner) = left_out;
    }

    fn left_out(&self) -> Vec<String> {
        let left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        let told = left_out.iter().map(|(name, why)| format!("{name} {why}"));
        told.collect()
    }

    /// Waits until the journal says that the job has cut over.
    ///
    /// # Cancel safety
    /// Waits only.
    pub(crate) async fn wait_committed(&self) {
        // The sender lives as long as this borrow: the wait can't fail.
        let _ = self.committed.subscribe().wait_for(|done| *done).await;
    }

    /// Reads the source's clock again and again, for as long as it is polled.
    pub(crate) async fn keep_clock(&self, agent: &Agent) {
        loop {
            if let Ok(Some(tick)) = agent.tick_now().await {
                let read = Some((tick, Instant::now()));
                *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = read;
            }
            tokio::time::sleep(CLOCK_EVERY).await;
        }
    }
}

/// A collection that is followed.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) source: CollectionName,
    pub(super) index: CollectionIndex,
    pub(super) following: Arc<Following>,
}

impl Job {
    /// Carries out orders to cut over, for as long as it is polled.
    pub(super) async fn keep_orders(
        &self,
        session: &Session,
        record: &JobRecord,
        live: &Live,
    ) -> Result<(), StepError> {
        let mut orders = self.orders.lock().await;
        while let Some(Order { options, answer }) = orders.recv().await {
            let outcome = self.cut_over(session, record, live, options).await;
            live.set_fence(None);
            if let Err(fault) = &outcome {
                tracing::warn!(job = %self.name, code = fault.code, error = %fault, "no cutover");
            }
            let lifted = match &outcome {
                Ok(()) => Ok(()),
                Err(_) => self.lift_fence().await,
            };
            // Who gave the order may be gone.
            let _ = answer.send(outcome);
            lifted?;
        }
        std::future::pending().await
    }

    async fn cut_over(
        &self,
        session: &Session,
        record: &JobRecord,
        live: &Live,
        options: CutoverOptions,
    ) -> Result<(), Fault> {
        // One that was made a moment ago keeps the job from cutting over, until it is followed too.
        self.take_up(session, record, live).await?;
        let cutover = record.spec.cutover.ordered(options);
        let mut collections = self.agent.collections(&self.name)?;
        let mut unmet = live.left_out();
        unmet.extend(self.describe_again(&mut collections).await?);
        let followed = self.followed(&collections, record);
        self.ensure_ready(&collections, &followed, live, cutover, unmet)?;
        if options.dry_run {
            return Ok(());
        }
        let mut laps = Laps::begin();
        let drained = async {
            if cutover.fence == Fence::DenyWrites {
                self.set_fence(&collections).await?;
                laps.end("fenced");
            }
            let drain = async {
                match self.drain(session, live, &followed, &mut laps).await {
                    // What the source took before it denied writes may have got a later time than the fence. No more comes after it.
                    Err(fault)
                        if cutover.fence == Fence::DenyWrites
                            && fault.code == codes::CUTOVER_NOT_FENCED =>
                    {
                        self.drain(session, live, &followed, &mut laps).await
                    }
                    drained => drained,
                }
            };
            let ends = tokio::try_join!(drain, self.describe_again(&mut collections));
            ends.map(|((), unmet)| unmet)
        };
        let limit = Duration::from_millis(cutover.timeout_ms);
        let unmet = match tokio::time::timeout(limit, drained).await {
            Ok(drained) => drained?,
            Err(_) => return Err(too_late(&self.name, limit)),
        };
        if !unmet.is_empty() {
            return Err(not_ready(&self.name, &unmet));
        }
        self.commit(collections).await?;
        laps.end("journaled");
        tracing::info!(job = %self.name, collections = followed.len(), %laps, "cut over");
        live.committed.send_replace(true);
        Ok(())
    }

    /// Takes the definitions as they are now, so that the source need not be asked once the job has cut over. Gives what keeps it from
    /// that.
    async fn describe_again(
        &self,
        collections: &mut [CollectionRecord],
    ) -> Result<Vec<String>, Fault> {
        let mut described = Vec::new();
        for collection in collections {
            if collection.phase == CollectionPhase::Following {
                described.push(fate::describe_again(&self.agent, collection).boxed());
            }
        }
        let unmet = futures::future::try_join_all(described).await?;
        Ok(unmet.into_iter().flatten().collect())
    }

    /// The collections that are followed.
    fn followed(&self, collections: &[CollectionRecord], record: &JobRecord) -> Vec<Followed> {
        let is_followed =
            |collection: &&CollectionRecord| collection.phase == CollectionPhase::Following;
        let found = collections
            .iter()
            .filter(is_followed)
            .filter_map(|collection| {
                let index = collection.plan.index;
                Some(Followed {
                    source: collection.plan.source.name.clone(),
                    index,
                    following: self.agent.followings.find(&record.spec.name, index)?,
                })
            });
        found.collect()
    }

    /// That nothing is unmet, and the job may cut over.
    fn ensure_ready(
        &self,
        collections: &[CollectionRecord],
        followed: &[Followed],
        live: &Live,
        cutover: Cutover,
        mut unmet: Vec<String>,
    ) -> Result<(), Fault> {
        for collection in collections {
            let (plan, phase) = (&collection.plan, collection.phase);
            let is_over = matches!(
                phase,
                CollectionPhase::Skipped | CollectionPhase::Done | CollectionPhase::Dropped
            );
            if !is_over && !followed.iter().any(|one| one.index == plan.index) {
                let name = &plan.source.name;
                unmet.push(format!("{name} is {phase}, and not followed yet"));
            }
        }
        for one in followed {
            let found = conditions(&one.following, live, cutover);
            unmet.extend(
                found
                    .into_iter()
                    .map(|text| format!("{} {text}", one.source)),
            );
        }
        if unmet.is_empty() {
            Ok(())
        } else {
            Err(not_ready(&self.name, &unmet))
        }
    }

    /// Waits until the target is what the source was at the fence, and proven, and the source was seen to rest since.
    async fn drain(
        &self,
        session: &Session,
        live: &Live,
        followed: &[Followed],
        laps: &mut Laps,
    ) -> Result<(), Fault> {
        let fence = self.source_tick().await?;
        live.set_fence(Some(fence));
        tracing::info!(job = %self.name, tick = %fence, "cutting over");
        for Followed { following, .. } in followed {
            following.wait_applied(fence).await;
        }
        laps.end("applied");
        let rested = self.source_tick().await?;
        let counted = self.prove_and_count(session, followed, fence).await?;
        laps.end("proven and counted");
        for Followed { following, .. } in followed {
            following.wait_applied(rested).await;
        }
        laps.end("rested");
        if followed
            .iter()
            .any(|one| one.following.last_change() > fence)
        {
            return Err(not_fenced(&self.name));
        }
        let mut doubts: Vec<String> = followed
            .iter()
            .flat_map(|one| doubts(&one.following, one.following.differing()))
            .collect();
        if doubts.is_empty() {
            doubts = handle_surplus(followed, &counted);
        }
        if !doubts.is_empty() {
            return Err(not_ready(&self.name, &doubts));
        }
        Ok(())
    }

    async fn source_tick(&self) -> Result<Tick, Fault> {
        self.agent.tick_now().await?.ok_or_else(no_clock)
    }

    /// The point of no return: from here on the journal has the collections cut over.
    async fn commit(&self, mut collections: Vec<CollectionRecord>) -> Result<(), Fault> {
        let mut record = self.agent.job(&self.name)?;
        // What the source denies it denies for good: the target takes over.
        record.fenced.clear();
        for collection in &mut collections {
            if collection.phase == CollectionPhase::Following {
                collection.phase = CollectionPhase::Verifying;
            }
        }
        let points = self.agent.journal.points();
        points.pass("source.cutover.commit.before");
        self.agent.put_prepared(&record, &collections).await?;
        points.pass("source.cutover.commit.after");
        Ok(())
    }
}

/// What is missing for a collection to be cut over.
fn conditions(following: &Following, live: &Live, cutover: Cutover) -> Vec<String> {
    let mut unmet = Vec::new();
    match following.status(live.source_clock()).lag_ms {
        None => unmet.push("has a lag that is not measured".to_owned()),
        Some(lag) if lag > cutover.max_lag_ms => {
            let most = cutover.max_lag_ms;
            unmet.push(format!(
                "is {lag} ms behind, and at most {most} ms are allowed"
            ));
        }
        Some(_) => {}
    }
    let waits = following.unproven_for(Instant::now());
    if let Some(waits) = waits.filter(|waits| *waits > FRESH) {
        let seconds = waits.as_secs();
        unmet.push(format!(
            "has rows that changed {seconds} s ago and are not proven yet"
        ));
    }
    let dropping = following.dropping();
    if dropping > 0 {
        unmet.push(format!(
            "has {dropping} partitions that the target is still to drop"
        ));
    }
    unmet.extend(doubts(following, following.beyond_repair()));
    unmet
}

/// Why a collection of which so many rows differ can't be called equal, apart from rows that changed lately.
fn doubts(following: &Following, differing: usize) -> Vec<String> {
    let mut doubts = Vec::new();
    match following.proof() {
        Proof::NotBegun | Proof::Passing => doubts.push("has rows that were never compared".into()),
        Proof::Passed | Proof::NotWanted => {}
    }
    if differing > 0 {
        doubts.push(format!("has {differing} rows that differ"));
    }
    doubts
}

fn not_ready(job: &JobName, unmet: &[String]) -> Fault {
    let mut message = format!("job {job} can't cut over: ");
    for (place, text) in unmet.iter().enumerate() {
        let comma = if place == 0 { "" } else { "; " };
        // Writing to a text never fails.
        let _ = write!(message, "{comma}{text}");
    }
    let hint =
        "`job watch` shows when it can; nothing was changed, and the source may be written to";
    Fault::new(codes::CUTOVER_NOT_READY, Class::Operator, message, hint)
}

fn too_late(job: &JobName, limit: Duration) -> Fault {
    let message = format!("job {job} did not cut over within {} ms", limit.as_millis());
    let hint = "the job follows on as before, and the source may be written to again; give --timeout more time, or look what \
                the target waits for";
    Fault::new(codes::CUTOVER_TIMEOUT, Class::Operator, message, hint)
}

fn not_fenced(job: &JobName) -> Fault {
    let message = format!("job {job}: the source was written to after the cutover had begun");
    let hint = "stop every writer of the source first; the job follows on as before";
    Fault::new(codes::CUTOVER_NOT_FENCED, Class::Operator, message, hint)
}

fn no_clock() -> Fault {
    let message = "the source does not tell its clock, so that no fence can be set";
    let hint = "Milvus 2.2.13 or later is needed";
    Fault::new(codes::CUTOVER_NOT_READY, Class::Permanent, message, hint)
}
