//! Which session carries out a job. The one before it is ended when another takes over.

use model::JobName;
use protocol::claim::Claim;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// The sessions that own jobs.
#[derive(Debug, Default)]
pub(crate) struct Owners(Mutex<HashMap<JobName, (Claim, CancellationToken)>>);

impl Owners {
    /// A session takes a job over, by a claim that was found to hold; `over` is what ends that session.
    pub(crate) fn take(&self, job: &JobName, claim: Claim, over: &CancellationToken) {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((former, session)) = owners.insert(job.clone(), (claim, over.clone()))
            && former.incarnation != claim.incarnation
        {
            session.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Epoch, Incarnation};

    #[test]
    fn the_session_of_the_older_claim_is_ended() {
        let owners = Owners::default();
        let (old, new) = (CancellationToken::new(), CancellationToken::new());
        let claim = |epoch, incarnation| Claim {
            epoch: Epoch::new(epoch),
            incarnation: Incarnation::new(incarnation),
        };
        owners.take(&"j".parse().unwrap(), claim(1, 1), &old);
        owners.take(&"j".parse().unwrap(), claim(2, 2), &new);
        assert!(old.is_cancelled() && !new.is_cancelled());
    }
}
