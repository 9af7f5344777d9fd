//! How far a job is, in numbers that were counted, and how fast it goes, in numbers that were measured. Pure: no clock, no terminal.

use model::{ChangesStatus, CollectionPhase, CollectionStatus, JobStatus, Phase, Verification};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What rows are being counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Rows become durable on the target.
    Copy,
    /// Rows are compared.
    Verify,
    /// Changes are applied as they come.
    Follow,
}

/// How far something is in its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) stage: Stage,
    pub(crate) rows: u64,
    /// `None` until they are counted.
    pub(crate) rows_total: Option<u64>,
    /// Bytes copied; no matter of verification.
    pub(crate) bytes: u64,
    /// How changes are followed, if they are.
    pub(crate) changes: Option<ChangesStatus>,
}

impl Progress {
    /// Of one collection.
    pub(crate) fn of_collection(collection: &CollectionStatus) -> Self {
        let verifies = collection.phase == CollectionPhase::Verifying
            || collection.verification == Verification::Running;
        let stage = match collection.phase {
            CollectionPhase::Following => Stage::Follow,
            _ if verifies => Stage::Verify,
            _ => Stage::Copy,
        };
        Self::at(stage, collection)
    }

    /// Of the whole job: the sum over its collections, those that are left out apart.
    pub(crate) fn of_job(status: &JobStatus) -> Self {
        let stage = match status.phase {
            Phase::Verifying => Stage::Verify,
            Phase::CatchingUp | Phase::Syncing | Phase::CuttingOver => Stage::Follow,
            _ => Stage::Copy,
        };
        let start = Self {
            stage,
            rows: 0,
            rows_total: Some(0),
            bytes: 0,
            changes: None,
        };
        let included = status
            .collections
            .iter()
            .filter(|c| ![CollectionPhase::Skipped, CollectionPhase::Dropped].contains(&c.phase));
        included
            .map(|collection| Self::at(stage, collection))
            .fold(start, |sum, part| Self {
                stage,
                rows: sum.rows + part.rows,
                rows_total: sum.rows_total.zip(part.rows_total).map(|(a, b)| a + b),
                bytes: sum.bytes + part.bytes,
                changes: together(sum.changes, part.changes),
            })
    }

    fn at(stage: Stage, collection: &CollectionStatus) -> Self {
        let rows = match stage {
            Stage::Copy => collection.rows_copied,
            Stage::Verify => collection.rows_verified,
            Stage::Follow => collection
                .changes
                .map_or(0, |changes| changes.upserts + changes.deletes),
        };
        Self {
            stage,
            rows,
            rows_total: collection.rows_total.filter(|_| stage != Stage::Follow),
            bytes: collection.bytes_copied,
            changes: collection.changes,
        }
    }
}

/// The changes of several collections: their sum, and the longest lag; none that is not measured for each.
fn together(sum: Option<ChangesStatus>, part: Option<ChangesStatus>) -> Option<ChangesStatus> {
    let (Some(sum), Some(part)) = (sum, part) else {
        return sum.or(part);
    };
    Some(ChangesStatus {
        lag_ms: sum.lag_ms.zip(part.lag_ms).map(|(a, b)| a.max(b)),
        upserts: sum.upserts + part.upserts,
        deletes: sum.deletes + part.deletes,
        unproven: sum.unproven + part.unproven,
        repaired: sum.repaired + part.repaired,
        gaps: sum.gaps + part.gaps,
        headroom_ms: sum.headroom_ms.into_iter().chain(part.headroom_ms).min(),
    })
}

/// A measured speed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    pub(crate) rows_per_second: f64,
    pub(crate) bytes_per_second: f64,
}

/// Measures speed over the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    stage: Option<Stage>,
    samples: VecDeque<(Instant, u64, u64)>,
}

impl Meter {
    /// Speeds of the last 15 s count: long enough to be steady, short enough to tell of a stall.
    const WINDOW: Duration = Duration::from_secs(15);
    /// Below this time nothing is called a measurement.
    const LEAST: Duration = Duration::from_secs(1);

    /// Notes how far it is now. Going back, or another stage, begins the measurement anew.
    pub(crate) fn note(&mut self, now: Instant, progress: &Progress) {
        let went_back = self
            .samples
            .back()
            .is_some_and(|(_, rows, _)| progress.rows < *rows);
        if went_back || self.stage != Some(progress.stage) {
            self.samples.clear();
            self.stage = Some(progress.stage);
        }
        self.samples.push_back((now, progress.rows, progress.bytes));
        while self
            .samples
            .get(1)
            .is_some_and(|(at, ..)| now.duration_since(*at) >= Self::WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// The speed over the window; `None` until there is a measurement.
    pub(crate) fn rate(&self) -> Option<Rate> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let time = last.0.duration_since(first.0);
        (time >= Self::LEAST).then(|| Rate {
            rows_per_second: (last.1 - first.1) as f64 / time.as_secs_f64(),
            bytes_per_second: last.2.saturating_sub(first.2) as f64 / time.as_secs_f64(),
        })
    }

    /// The time that the rest takes at the measured speed; `None` where rows are not counted, speed is not measured, or nothing
    /// moves.
    pub(crate) fn remaining(&self, progress: &Progress) -> Option<Duration> {
        let rate = self.rate()?.rows_per_second;
        let left = progress.rows_total?.checked_sub(progress.rows)?;
        if rate > 0.0 {
            Duration::try_from_secs_f64(left as f64 / rate).ok()
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn copied(rows: u64, rows_total: Option<u64>) -> Progress {
        Progress {
            stage: Stage::Copy,
            rows,
            rows_total,
            changes: None,
            bytes: rows * 100,
        }
    }

    #[test]
    fn no_rate_and_no_remaining_time_before_a_second_was_measured() {
        let start = Instant::now();
        let mut meter = Meter::default();
        meter.note(start, &copied(0, Some(100)));
        meter.note(start + Duration::from_millis(999), &copied(50, Some(100)));
        assert_eq!(meter.rate(), None);
        assert_eq!(meter.remaining(&copied(50, Some(100))), None);
    }

    #[test]
    fn no_remaining_time_without_counted_rows_or_in_a_stall() {
        let start = Instant::now();
        let mut meter = Meter::default();
        meter.note(start, &copied(10, None));
        meter.note(start + Duration::from_secs(2), &copied(30, None));
        assert_eq!(
            meter.rate(),
            Some(Rate {
                rows_per_second: 10.0,
                bytes_per_second: 1000.0
            })
        );
        assert_eq!(meter.remaining(&copied(30, None)), None);
        assert_eq!(
            meter.remaining(&copied(30, Some(80))),
            Some(Duration::from_secs(5))
        );
        for second in 3..30 {
            meter.note(start + Duration::from_secs(second), &copied(30, Some(80)));
        }
        assert_eq!(meter.remaining(&copied(30, Some(80))), None);
    }

    #[test]
    fn verification_is_measured_apart_from_copying() {
        let start = Instant::now();
        let mut meter = Meter::default();
        meter.note(start, &copied(0, Some(100)));
        meter.note(start + Duration::from_secs(5), &copied(100, Some(100)));
        meter.note(
            start + Duration::from_secs(6),
            &Progress {
                stage: Stage::Verify,
                ..copied(100, Some(100))
            },
        );
        assert_eq!(meter.rate(), None);
    }

    #[test]
    fn a_job_has_no_total_until_every_collection_is_counted() {
        let mut status = sample::status(Phase::Copying);
        assert_eq!(Progress::of_job(&status).rows_total, Some(12_000));
        status.collections[1].rows_total = None;
        assert_eq!(Progress::of_job(&status).rows_total, None);
        status.collections[1].phase = CollectionPhase::Skipped;
        assert_eq!(Progress::of_job(&status).rows_total, Some(6_000));
    }

    #[test]
    fn a_second_verification_of_a_completed_job_is_progress_of_verification() {
        let mut status = sample::status(Phase::Verifying);
        status.collections[0].rows_verified = 40;
        let progress = Progress::of_job(&status);
        assert_eq!((progress.stage, progress.rows), (Stage::Verify, 40));
    }
}
