//! Rows that came to the source without its log, as an import brings them: while nobody writes, they are counted.

use super::collection::unexpected;
use super::cutover::Followed;
use super::{Job, StepError};
use crate::following::Proof;
use crate::reader::rows::MilvusRows;
use crate::session::Session;
use model::{Fault, KeyRange, Tick};
use protocol::{Answer, Call};

impl Job {
    /// Waits until every row of the followed collections that changed is proven, and beside that counts their rows on both sides, of the
    /// source as it was at this time. Gives how many rows more the source has, where the job asks for a
    /// comparison and both could count.
    pub(super) async fn prove_and_count(
        &self,
        session: &Session,
        followed: &[Followed],
        fence: Tick,
    ) -> Result<Vec<Option<u64>>, Fault> {
        let repaired = || {
            let repaired = followed.iter().map(|one| one.following.repaired());
            repaired.sum::<u64>()
        };
        let is_settled = followed.iter().all(|one| one.following.differing() == 0);
        let before = repaired();
        let proven = async {
            for Followed { following, .. } in followed {
                following.doubt_repairs();
                following.wait_proven().await;
            }
            Ok(())
        };
        let ((), counted) = tokio::try_join!(proven, self.count(session, followed, fence))?;
        if is_settled && repaired() == before {
            return Ok(counted);
        }
        // A row that was repaired meanwhile may be in the one count and not in the other.
        self.count(session, followed, fence).await
    }

    async fn count(
        &self,
        session: &Session,
        followed: &[Followed],
        fence: Tick,
    ) -> Result<Vec<Option<u64>>, Fault> {
        let counts = followed.iter().map(|one| self.surplus(session, one, fence));
        let counted = futures::future::try_join_all(counts).await;
        counted.map_err(StepError::into_fault)
    }

    async fn surplus(
        &self,
        session: &Session,
        one: &Followed,
        fence: Tick,
    ) -> Result<Option<u64>, StepError> {
        if one.following.proof() == Proof::NotWanted {
            return Ok(None);
        }
        let record = self.agent.collection(&self.name, one.index)?;
        let source = &record.plan.source;
        let ours = async {
            let rows = MilvusRows::new(&self.agent, source, record.is_empty).await?;
            Ok::<_, StepError>(rows.seen_at(fence).count(None, &KeyRange::all()).await?)
        };
        let call = Call::CountRows {
            job: self.name.clone(),
            index: one.index,
        };
        let theirs = async {
            match session.ask(call).await? {
                Answer::Count(rows) => Ok(rows),
                other => Err(unexpected(&other)),
            }
        };
        let (Some(ours), Some(theirs)) = tokio::try_join!(ours, theirs)? else {
            return Ok(None);
        };
        Ok(Some(ours.saturating_sub(theirs)))
    }
}

/// Where the source has more rows than the target, and more than the last time that this was so, has every row compared again: gives what
/// is to be told of each such collection.
pub(super) fn handle_surplus(followed: &[Followed], counted: &[Option<u64>]) -> Vec<String> {
    let more = followed.iter().zip(counted).filter_map(|(one, surplus)| {
        let surplus = (*surplus)?;
        one.following
            .handle_surplus(surplus)
            .then_some((&one.source, surplus))
    });
    let told = more.map(|(name, surplus)| {
        tracing::warn!(collection = %name, surplus, "the source has rows that its log did not bring: every row is compared again");
        format!(
            "{name} has {surplus} rows more on the source, which did not come through its log (an import's, or several of one key): every \
             row is compared again, and those that are missing are repaired"
        )
    });
    told.collect()
}
