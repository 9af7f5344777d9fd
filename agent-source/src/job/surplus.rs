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
    /// Counts the rows of the followed collections on both sides, of the source as it was at this time. Where it has more than the target,
    /// and more than the last time that this was so, every row is compared again: gives what is to be told of each.
    pub(super) async fn find_surplus(
        &self,
        session: &Session,
        followed: &[Followed],
        fence: Tick,
    ) -> Result<Vec<String>, Fault> {
        let looks = followed
            .iter()
            .filter(|one| one.following.proof() == Proof::Passed)
            .map(|one| self.surplus(session, one, fence));
        let found = futures::future::try_join_all(looks).await;
        let found = found.map_err(StepError::into_fault)?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn surplus(
        &self,
        session: &Session,
        one: &Followed,
        fence: Tick,
    ) -> Result<Option<String>, StepError> {
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
        let surplus = ours.saturating_sub(theirs);
        if !one.following.handle_surplus(surplus) {
            return Ok(None);
        }
        let name = &source.name;
        tracing::warn!(collection = %name, surplus, "the source has rows that its log did not bring: every row is compared again");
        Ok(Some(format!(
            "{name} has {surplus} rows more on the source, which did not come through its log (an import's, or several of one key): every \
             row is compared again, and those that are missing are repaired"
        )))
    }
}
