//! Times of rows, against the target's clock.
//!
//! Rows that are imported by jobs keep the times of the source. Such a row is seen by no query until the target's clock is behind its time,
//! and until then no delete or upsert of the target would concern it. So they are not imported before.

use crate::writer::staging::Staging;
use milvus::Client;
use model::{Class, CollectionName, Fault, Tick, codes};
use protocol::Cargo;

/// Makes sure that the target's clock is behind all rows of a cargo.
pub(super) async fn ensure_behind(
    milvus: &Client,
    target: &CollectionName,
    staging: &Staging<'_>,
    cargo: Cargo,
) -> Result<(), Fault> {
    let youngest = staging.youngest(cargo.number, cargo.is_grouped).await?;
    let Some(now) = milvus.alloc_timestamp().await? else {
        return Ok(());
    };
    match ahead(youngest, Tick::new(now)) {
        None => Ok(()),
        Some(millis) => Err(behind(target, millis)),
    }
}

/// By how many milliseconds rows are ahead of a clock, if they are.
fn ahead(youngest: Tick, now: Tick) -> Option<u64> {
    (youngest >= now).then(|| youngest.millis_since(now).max(1))
}

fn behind(target: &CollectionName, millis: u64) -> Fault {
    let message = format!(
        "collection {target}: the clock of the target's Milvus is {millis} ms behind the times of rows that are to be imported"
    );
    let hint = "set the clocks of both Milvus right; the import is ordered once the target's has come so far, and `copy: rows` in a new job does without importing";
    Fault::new(codes::CLOCK_BEHIND, Class::Operator, message, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_ahead_until_the_clock_is_behind_it() {
        let at = Tick::of_millis;
        assert_eq!(ahead(at(5), at(6)), None);
        assert_eq!(ahead(at(5), at(5)), Some(1));
        assert_eq!(ahead(at(9), at(5)), Some(4));
        assert_eq!(ahead(Tick::default(), at(5)), None);
    }
}
