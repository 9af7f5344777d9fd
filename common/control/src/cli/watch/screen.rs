//! The forms in which a watched job is shown: bars on a terminal, lines elsewhere, JSON for programs.

use super::bars::Bars;
use super::changes;
use super::progress::{Meter, Progress, Stage};
use crate::cli::render;
use crate::cli::terminal::{Output, Terminal};
use crate::cli::units;
use model::JobStatus;
use std::io;
use std::time::{Duration, Instant};

/// How often a line tells the progress where there are no bars.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Shows statuses as they come.
pub(super) enum Screen {
    /// One JSON object a status.
    Json,
    /// A line for every change, and one for the progress now and then.
    Lines(Box<Lines>),
    /// A line for every change, and bars under them.
    Bars(Box<Bars>),
}

#[derive(Debug, Default)]
pub(super) struct Lines {
    meter: Meter,
    before: Option<JobStatus>,
    told: Option<Instant>,
}

impl Screen {
    /// The form that suits this terminal.
    pub(super) fn on(terminal: &Terminal) -> Self {
        match terminal.output {
            Output::Json => Self::Json,
            Output::Text if terminal.is_terminal => Self::Bars(Box::default()),
            Output::Text => Self::Lines(Box::default()),
        }
    }

    /// Shows a status.
    pub(super) fn show(
        &mut self,
        status: &JobStatus,
        now: Instant,
        terminal: &mut Terminal,
    ) -> io::Result<()> {
        match self {
            Self::Json => terminal.json(status),
            Self::Lines(lines) => lines.show(status, now, terminal),
            Self::Bars(bars) => bars.show(status, now),
        }
    }

    /// Lets time pass without a status.
    pub(super) fn tick(&mut self, now: Instant, terminal: &mut Terminal) -> io::Result<()> {
        match self {
            Self::Json => Ok(()),
            Self::Lines(lines) => lines.tick(now, terminal),
            Self::Bars(bars) => {
                bars.tick(now);
                Ok(())
            }
        }
    }

    /// A remark for people.
    pub(super) fn say(&mut self, text: &str, terminal: &mut Terminal) -> io::Result<()> {
        match self {
            Self::Json => Ok(()),
            Self::Lines(_) => terminal.line(text),
            Self::Bars(bars) => bars.say(text),
        }
    }

    /// Takes away what moves.
    pub(super) fn close(self) {
        if let Self::Bars(bars) = self {
            bars.close();
        }
    }
}

impl Lines {
    fn show(
        &mut self,
        status: &JobStatus,
        now: Instant,
        terminal: &mut Terminal,
    ) -> io::Result<()> {
        for line in changes::between(self.before.as_ref(), status) {
            terminal.line(&line)?;
        }
        self.before = Some(status.clone());
        self.tick(now, terminal)
    }

    fn tick(&mut self, now: Instant, terminal: &mut Terminal) -> io::Result<()> {
        let Some(status) = self
            .before
            .as_ref()
            .filter(|status| !status.phase.is_terminal())
        else {
            return Ok(());
        };
        let progress = Progress::of_job(status);
        self.meter.note(now, &progress);
        let began = *self.told.get_or_insert(now);
        if now.duration_since(began) < LINE_INTERVAL || status.collections.is_empty() {
            return Ok(());
        }
        self.told = Some(now);
        terminal.line(&describe(&progress, &self.meter))
    }
}

/// How changes are followed, in words.
fn following(progress: &Progress, meter: &Meter) -> String {
    let changes = progress.changes.unwrap_or_default();
    let mut parts = vec![
        format!("behind by {}", render::lag(&changes)),
        units::counted(progress.rows, "change", "changes"),
        format!(
            "{} to be proven",
            units::counted(changes.unproven, "row", "rows")
        ),
    ];
    if let Some(rate) = meter.rate() {
        let changes = units::count(rate.rows_per_second.round() as u64);
        parts.push(format!("{changes} changes/s"));
    }
    parts.join(", ")
}

/// Progress in words: what is counted and what is measured, and nothing else.
pub(super) fn describe(progress: &Progress, meter: &Meter) -> String {
    let verb = match progress.stage {
        Stage::Copy => "copied",
        Stage::Verify => "compared",
        Stage::Follow => return following(progress, meter),
    };
    let rows = units::count(progress.rows);
    let mut parts = vec![match progress.rows_total {
        Some(total) => format!("{verb} {rows} of {}", units::counted(total, "row", "rows")),
        None => format!("{verb} {}", units::counted(progress.rows, "row", "rows")),
    }];
    if progress.stage == Stage::Copy {
        parts.push(units::bytes(progress.bytes));
    }
    if let Some(rate) = meter.rate() {
        parts.push(format!(
            "{} rows/s",
            units::count(rate.rows_per_second.round() as u64)
        ));
        if progress.stage == Stage::Copy {
            parts.push(format!(
                "{}/s",
                units::bytes(rate.bytes_per_second.round() as u64)
            ));
        }
    }
    if let Some(remaining) = meter
        .remaining(progress)
        .filter(|remaining| !remaining.is_zero())
    {
        parts.push(format!("{} left", units::duration(remaining)));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_in_words_leaves_out_what_was_not_measured() {
        let start = Instant::now();
        let mut meter = Meter::default();
        let at = |rows, rows_total| Progress {
            stage: Stage::Copy,
            rows,
            rows_total,
            bytes: rows << 10,
            changes: None,
        };
        meter.note(start, &at(0, None));
        assert_eq!(describe(&at(0, None), &meter), "copied 0 rows, 0 B");
        meter.note(start + Duration::from_secs(2), &at(4_000, None));
        assert_eq!(
            describe(&at(4_000, None), &meter),
            "copied 4,000 rows, 3.9 MiB, 2,000 rows/s, 2.0 MiB/s"
        );
        assert_eq!(
            describe(&at(4_000, Some(200_000)), &meter),
            "copied 4,000 of 200,000 rows, 3.9 MiB, 2,000 rows/s, 2.0 MiB/s, 1m 38s left"
        );
    }

    #[test]
    fn following_is_told_by_its_lag_and_what_is_not_proven() {
        let changes = model::ChangesStatus {
            lag_ms: Some(210),
            upserts: 900,
            deletes: 100,
            unproven: 1,
            repaired: 0,
            gaps: 0,
            headroom_ms: None,
        };
        let progress = Progress {
            stage: Stage::Follow,
            rows: 1_000,
            rows_total: None,
            bytes: 0,
            changes: Some(changes),
        };
        assert_eq!(
            describe(&progress, &Meter::default()),
            "behind by 210 ms, 1,000 changes, 1 row to be proven"
        );
    }

    #[test]
    fn comparing_is_told_without_bytes() {
        let progress = Progress {
            stage: Stage::Verify,
            rows: 5,
            rows_total: Some(9),
            bytes: 100,
            changes: None,
        };
        assert_eq!(
            describe(&progress, &Meter::default()),
            "compared 5 of 9 rows"
        );
    }
}
