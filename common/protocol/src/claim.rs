//! Who owns a job: of two agents that claim it, the later one.

use model::{Class, Epoch, Fault, Incarnation, JobName, codes};
use serde::{Deserialize, Serialize};

/// A claim on a job, as the target's journal holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The claim's number.
    pub epoch: Epoch,
    /// The process that made it.
    pub incarnation: Incarnation,
}

/// Decides on a claim, given the one that holds (if any): the claim that holds from now on.
///
/// # Errors
/// When the newcomer's epoch is older, or the same epoch was claimed by another process.
pub fn decide(job: &JobName, holding: Option<Claim>, newcomer: Claim) -> Result<Claim, Fault> {
    match holding {
        Some(held)
            if newcomer.epoch < held.epoch
                || (newcomer.epoch == held.epoch && newcomer.incarnation != held.incarnation) =>
        {
            Err(Fault::new(
                codes::EPOCH_SUPERSEDED,
                Class::Permanent,
                format!(
                    "job {job} is carried out under epoch {} by another agent; epoch {} is refused",
                    held.epoch, newcomer.epoch
                ),
                "stop one of the two source agents; a state directory must not be copied or restored while its agent runs",
            ))
        }
        _ => Ok(newcomer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(epoch: u64, incarnation: u128) -> Claim {
        Claim {
            epoch: Epoch::new(epoch),
            incarnation: Incarnation::new(incarnation),
        }
    }

    #[test]
    fn the_later_claim_wins_and_the_earlier_is_refused() {
        let job: JobName = "j".parse().unwrap();
        let first = decide(&job, None, claim(1, 10)).unwrap();
        let second = decide(&job, Some(first), claim(2, 20)).unwrap();
        assert_eq!(
            decide(&job, Some(second), claim(1, 10)).unwrap_err().code,
            codes::EPOCH_SUPERSEDED
        );
        assert_eq!(
            decide(&job, Some(second), claim(2, 20)).unwrap(),
            second,
            "a repeated claim of the same process holds"
        );
    }

    #[test]
    fn a_copy_that_claims_the_same_epoch_is_refused() {
        let job: JobName = "j".parse().unwrap();
        assert!(decide(&job, Some(claim(2, 20)), claim(2, 30)).is_err());
    }
}
