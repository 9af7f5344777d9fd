//! Points at which a test may have the process die, as if it was killed right there.
//!
//! A point is passed by its name. When it is the armed one, and this is the passage that was asked for, the process aborts: no
//! destructor runs, nothing is flushed. Unarmed, a passage costs one comparison.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable that arms a point: `<point>` or `<point>:<passage>`, the first passage being 1.
pub const VARIABLE: &str = "PASSAGE_CRASH_AT";

/// Passed by the journal on disk when steps are about to be written.
pub const BEFORE_COMMIT: &str = "journal.commit.before";
/// Passed by the journal on disk when steps are durable, and nobody has been told.
pub const AFTER_COMMIT: &str = "journal.commit.after";

/// The point, if any, at which this process is to die.
#[derive(Debug, Clone, Default)]
pub struct CrashPoints {
    armed: Option<Arc<Armed>>,
}

#[derive(Debug)]
struct Armed {
    point: String,
    passages_left: AtomicU64,
}

/// Why a text arms no point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{VARIABLE} must be <point> or <point>:<passage> with a passage of at least 1, and is {given:?}"
)]
pub struct InvalidPoint {
    given: String,
}

impl CrashPoints {
    /// No point is armed.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Arms a point, given as in [`VARIABLE`]; an empty text arms none.
    ///
    /// # Errors
    /// When the passage is no number or 0: the operator's.
    pub fn parse(text: &str) -> Result<Self, InvalidPoint> {
        let refusal = || InvalidPoint {
            given: text.to_owned(),
        };
        let (point, passage) = match text.rsplit_once(':') {
            None => (text, 1),
            Some((point, passage)) => (point, passage.parse::<u64>().map_err(|_| refusal())?),
        };
        match (point, passage) {
            ("", _) if text.is_empty() => Ok(Self::none()),
            ("", _) | (_, 0) => Err(refusal()),
            _ => Ok(Self {
                armed: Some(Arc::new(Armed {
                    point: point.to_owned(),
                    passages_left: AtomicU64::new(passage),
                })),
            }),
        }
    }

    /// Arms the point that the environment names, if it names one.
    ///
    /// # Errors
    /// As [`CrashPoints::parse`].
    pub fn from_environment() -> Result<Self, InvalidPoint> {
        Self::parse(&std::env::var(VARIABLE).unwrap_or_default())
    }

    /// Passes a point. Does not return when the process is to die here.
    pub fn pass(&self, point: &str) {
        if let Some(armed) = &self.armed
            && armed.is_reached(point)
        {
            std::process::abort();
        }
    }
}

impl Armed {
    fn is_reached(&self, point: &str) -> bool {
        self.point == point && self.passages_left.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_passage_is_reached() {
        let points = CrashPoints::parse("target.unit.started:2").unwrap();
        let armed = points.armed.unwrap();
        assert!(!armed.is_reached("target.unit.ended"));
        assert!(!armed.is_reached("target.unit.started"));
        assert!(armed.is_reached("target.unit.started"));
        assert!(!armed.is_reached("target.unit.started"));
    }

    #[test]
    fn nothing_is_armed_unless_asked_for() {
        CrashPoints::none().pass("anything");
        assert!(CrashPoints::parse("").unwrap().armed.is_none());
    }

    #[test]
    fn a_passage_that_is_no_number_is_refused() {
        for text in ["a:b", "a:0", ":1", "a:-1"] {
            assert!(CrashPoints::parse(text).is_err(), "{text}");
        }
    }

    /// The body of the process that [`the_process_dies_at_the_armed_point`] starts.
    #[test]
    #[ignore = "dies; run by the_process_dies_at_the_armed_point"]
    fn passes_three_times() {
        let points = CrashPoints::from_environment().unwrap();
        for passage in 1..=3 {
            println!("before passage {passage}");
            points.pass("here");
        }
        println!("alive");
    }

    #[test]
    fn the_process_dies_at_the_armed_point() {
        use std::os::unix::process::ExitStatusExt;
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "journal::points::tests::passes_three_times",
                "--ignored",
                "--nocapture",
            ])
            .env(VARIABLE, "here:2")
            .output()
            .unwrap();
        let printed = String::from_utf8(child.stdout).unwrap();
        assert!(child.status.signal().is_some(), "{:?}", child.status);
        assert!(
            printed.contains("before passage 2") && !printed.contains("before passage 3"),
            "{printed}"
        );
    }
}
