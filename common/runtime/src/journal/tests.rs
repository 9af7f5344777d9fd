mod contract;
mod crash;
mod damage;
mod disk;

use super::{Journal, JournalError, RecordKey, Span, Table, Writes};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    number: u64,
    text: String,
}

const STEPS: Table<Step> = Table::new("steps");
const LATEST: Table<Step> = Table::new("latest");

/// A step of growing size, so that trees split and pages are reused.
fn step(number: u64) -> Step {
    Step {
        number,
        text: "x".repeat(usize::try_from(number * 37 % 900).unwrap()),
    }
}

/// The writes of one step: one new record, one replaced, and one deleted, in two tables.
fn writes(number: u64) -> Writes {
    let mut writes = Writes::new();
    writes
        .put(
            STEPS,
            &RecordKey::new().text("job").number(number),
            &step(number),
        )
        .put(LATEST, &RecordKey::new(), &step(number));
    if number % 3 == 2 {
        writes.delete(STEPS, &RecordKey::new().text("job").number(number - 2));
    }
    writes
}

/// How many steps the journal holds; fails when one is there in part, or one between is missing.
fn steps_held(journal: &dyn Journal) -> Result<u64, JournalError> {
    let view = journal.view()?;
    let Some(latest) = view.find(LATEST, &RecordKey::new())? else {
        assert!(
            view.scan(STEPS, &Span::all())?.next().is_none(),
            "a part of step 0"
        );
        return Ok(0);
    };
    assert_eq!(latest, step(latest.number));
    let held = view
        .scan(STEPS, &Span::all())?
        .collect::<Result<Vec<_>, _>>()?;
    let expected: Vec<_> = (0..=latest.number)
        .filter(|number| number % 3 != 0 || number + 2 > latest.number)
        .map(|number| (RecordKey::new().text("job").number(number), step(number)))
        .collect();
    assert_eq!(held, expected);
    Ok(latest.number + 1)
}
