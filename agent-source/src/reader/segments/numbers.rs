//! Rows by the numbers that Milvus gave them: a row keeps its number when compaction puts it into another segment.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Numbers of rows, in little room: a server numbers the rows of a request one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct RowNumbers {
    /// Runs, in rising order: how far each begins behind the end of the one before, and how long it is.
    runs: Vec<(u64, u64)>,
}

/// What the target has of a segment that was shipped.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct ShippedRows {
    /// Rows that its import makes.
    pub(crate) imported: RowNumbers,
    /// Rows that are sent as such.
    pub(crate) sent: RowNumbers,
}

impl RowNumbers {
    /// These, in any order.
    pub(crate) fn of(numbers: impl IntoIterator<Item = i64>) -> Self {
        let mut numbers: Vec<u64> = numbers.into_iter().map(i64::cast_unsigned).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut runs: Vec<(u64, u64)> = Vec::new();
        let mut end = 0;
        for number in numbers {
            match runs.last_mut() {
                Some((_, long)) if number == end => *long += 1,
                _ => runs.push((number.wrapping_sub(end), 1)),
            }
            end = number.wrapping_add(1);
        }
        Self { runs }
    }

    /// The runs, in rising order.
    pub(crate) fn runs(&self) -> impl Iterator<Item = Range<u64>> {
        let mut end = 0u64;
        self.runs.iter().map(move |(behind, long)| {
            let begin = end.wrapping_add(*behind);
            end = begin.wrapping_add(*long);
            begin..end
        })
    }
}

/// Rows of a segment, to be found by their numbers.
#[derive(Debug)]
pub(super) struct Numbered {
    /// Each with its number, by those.
    rows: Vec<(u64, u32)>,
}

impl Numbered {
    /// These rows, by their places.
    pub(super) fn of(numbers: &[i64]) -> Self {
        let numbers = numbers.iter().map(|number| number.cast_unsigned());
        let mut rows: Vec<(u64, u32)> = numbers.zip(0..).collect();
        rows.sort_unstable();
        Self { rows }
    }

    /// The places of those that are among these.
    pub(super) fn among(&self, numbers: &RowNumbers) -> Vec<usize> {
        let mut found = Vec::new();
        for run in numbers.runs() {
            let first = self.rows.partition_point(|(number, _)| *number < run.start);
            let rows = self.rows[first..].iter();
            found.extend(
                rows.take_while(|(number, _)| *number < run.end)
                    .map(|(_, row)| *row as usize),
            );
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_as_runs_and_come_back() {
        let numbers = [7, 5, 6, 100, 101, 3, i64::MAX, 5];
        let kept = RowNumbers::of(numbers);
        let max = i64::MAX.cast_unsigned();
        let runs: Vec<_> = kept.runs().collect();
        assert_eq!(runs, [3..4, 5..8, 100..102, max..max + 1]);
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<RowNumbers>(&text).unwrap(), kept);
        assert_eq!(RowNumbers::of([]).runs().count(), 0);
    }

    #[test]
    fn numbers_of_a_server_that_numbers_in_runs_take_little_room() {
        // Two channels share the rows of each request.
        let half = (0..1_000_000)
            .filter(|number| number % 3 != 0)
            .map(|number| 1 << 50 | number);
        let text = serde_json::to_string(&RowNumbers::of(half)).unwrap();
        assert!(text.len() < 3 << 20, "{}", text.len());
        let whole = serde_json::to_string(&RowNumbers::of(5..1_000_000)).unwrap();
        assert!(whole.len() < 40, "{whole}");
    }

    #[test]
    fn rows_are_found_by_their_numbers_wherever_they_lie() {
        let rows = Numbered::of(&[50, 10, 40, 11, 30, 12]);
        let of = |numbers: &[i64]| {
            let mut places = rows.among(&RowNumbers::of(numbers.iter().copied()));
            places.sort_unstable();
            places
        };
        assert_eq!(of(&[10, 11, 12, 13]), [1, 3, 5]);
        assert_eq!(of(&[9, 13, 30, 50, 51]), [0, 4]);
        assert_eq!(of(&[1, 2]), [0usize; 0]);
    }
}
