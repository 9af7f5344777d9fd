//! Progress bars: one for each collection that moves, and one for the whole job.

use super::changes;
use super::progress::{Meter, Progress};
use super::screen::describe;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::{CollectionPhase, CollectionStatus, JobStatus, Verification};
use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

/// The most collections with a bar at a time: what fits on a small terminal.
const MAX_BARS: usize = 12;

/// Bars under the lines that tell of changes.
pub(super) struct Bars {
    all: MultiProgress,
    total: (ProgressBar, Meter),
    collections: BTreeMap<usize, (ProgressBar, Meter)>,
    before: Option<JobStatus>,
}

impl Default for Bars {
    fn default() -> Self {
        Self::on(ProgressDrawTarget::stdout())
    }
}

impl Bars {
    fn on(target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let total = all.add(bar("total"));
        Self {
            all,
            total: (total, Meter::default()),
            collections: BTreeMap::new(),
            before: None,
        }
    }

    /// Shows a status.
    pub(super) fn show(&mut self, status: &JobStatus, now: Instant) -> io::Result<()> {
        for line in changes::between(self.before.as_ref(), status) {
            self.say(&line)?;
        }
        let ended: Vec<usize> = self
            .collections
            .keys()
            .copied()
            .filter(|place| !status.collections.get(*place).is_some_and(moves))
            .collect();
        for place in ended {
            if let Some((bar, _)) = self.collections.remove(&place) {
                bar.finish_and_clear();
                self.all.remove(&bar);
            }
        }
        for (place, collection) in status
            .collections
            .iter()
            .enumerate()
            .filter(|(_, collection)| moves(collection))
        {
            if self.collections.len() < MAX_BARS && !self.collections.contains_key(&place) {
                let bar = self
                    .all
                    .insert_before(&self.total.0, bar(&collection.target.to_string()));
                self.collections.insert(place, (bar, Meter::default()));
            }
        }
        self.before = Some(status.clone());
        self.tick(now);
        Ok(())
    }

    /// Measures anew, and draws.
    pub(super) fn tick(&mut self, now: Instant) {
        let Some(status) = &self.before else { return };
        draw(&mut self.total, &Progress::of_job(status), now);
        for (place, bar) in &mut self.collections {
            draw(
                bar,
                &Progress::of_collection(&status.collections[*place]),
                now,
            );
        }
    }

    /// A line above the bars.
    pub(super) fn say(&self, text: &str) -> io::Result<()> {
        self.all.println(super::super::terminal::printable(text))
    }

    /// Takes the bars away.
    pub(super) fn close(&self) {
        for (bar, _) in self.collections.values() {
            bar.finish_and_clear();
        }
        self.total.0.finish_and_clear();
    }
}

fn draw((bar, meter): &mut (ProgressBar, Meter), progress: &Progress, now: Instant) {
    meter.note(now, progress);
    match progress.rows_total {
        Some(total) => bar.set_length(total.max(progress.rows)),
        None => bar.unset_length(),
    }
    bar.set_position(progress.rows);
    bar.set_message(describe(progress, meter));
    bar.tick();
}

/// A bar that never asks indicatif for a rate or a remaining time: those are measured here.
fn bar(name: &str) -> ProgressBar {
    let template = "{prefix:24!} {bar:24} {wide_msg}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let name = super::super::terminal::printable(name);
    ProgressBar::no_length().with_style(style).with_prefix(name)
}

/// Whether rows of this collection are on their way, or are being compared.
fn moves(collection: &CollectionStatus) -> bool {
    use CollectionPhase::{Copying, Finishing, Following, Verifying};
    matches!(
        collection.phase,
        Copying | Finishing | Following | Verifying
    ) || collection.verification == Verification::Running
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use model::Phase;

    #[test]
    fn a_collection_has_a_bar_while_it_moves_and_at_most_twelve_have_one() {
        let mut bars = Bars::on(ProgressDrawTarget::hidden());
        let mut status = sample::status(Phase::Copying);
        status.collections = vec![sample::collection("docs", CollectionPhase::Copying); 20];
        bars.show(&status, Instant::now()).unwrap();
        assert_eq!(
            bars.collections.keys().copied().collect::<Vec<_>>(),
            (0..12).collect::<Vec<_>>()
        );
        for collection in &mut status.collections[..10] {
            collection.phase = CollectionPhase::Done;
        }
        bars.show(&status, Instant::now()).unwrap();
        assert_eq!(
            bars.collections.keys().copied().collect::<Vec<_>>(),
            (10..20).collect::<Vec<_>>()
        );
        assert_eq!(
            bars.total.0.message(),
            "copied 30,000 of 120,000 rows, 60 MiB"
        );
    }
}
