//! A batch cut into parts, so that little of it is in the target's memory at a time.
//!
//! What is good to read is not good to write: a query costs the source a walk over whole segments, so that it should answer much;
//! an insert costs by its rows, whatever their number, so that small ones do as well.

use milvus::{ColumnError, slice};
use model::Batch;
use std::ops::Range;

/// Bytes of values that a part has, roughly: rows are counted, not weighed.
const PART_BYTES: usize = 1 << 20;

/// The rows of one batch, and where they are cut.
#[derive(Debug)]
pub(super) struct Parts {
    answers: Vec<Batch>,
    cuts: Vec<(usize, Range<u32>)>,
}

impl Parts {
    /// Decides where to cut. Every batch has a part, even if it has no row.
    pub(super) fn new(answers: Vec<Batch>) -> Self {
        let cuts = answers
            .iter()
            .enumerate()
            .flat_map(|(number, answer)| cuts(answer).map(move |rows| (number, rows)))
            .collect();
        Self { answers, cuts }
    }

    /// How many parts there are.
    pub(super) fn len(&self) -> usize {
        self.cuts.len()
    }

    /// One part after the other, each cut when it is asked for.
    pub(super) fn iter(&self) -> impl Iterator<Item = Result<Batch, ColumnError>> {
        self.cuts
            .iter()
            .map(|(number, rows)| part(&self.answers[*number], rows))
    }
}

fn part(answer: &Batch, rows: &Range<u32>) -> Result<Batch, ColumnError> {
    if *rows == (0..answer.rows) {
        return Ok(answer.clone());
    }
    slice(answer, rows.clone())
}

/// Even pieces of an answer; all of it in one where it has a column that this build can't cut.
fn cuts(answer: &Batch) -> impl Iterator<Item = Range<u32>> + use<> {
    let rows = answer.rows;
    let parts = u32::try_from(answer.size_bytes().div_ceil(PART_BYTES)).unwrap_or(u32::MAX);
    let can_cut = parts > 1 && slice(answer, 0..0).is_ok();
    let step = if can_cut { rows.div_ceil(parts) } else { rows }.max(1);
    (0..rows.max(1))
        .step_by(step as usize)
        .map(move |begin| begin..begin.saturating_add(step).min(rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use model::{Column, DataType, Payload};

    /// Texts of one byte each, as Milvus encodes them.
    fn texts(rows: u32) -> Payload {
        let field: Vec<u8> = (0..rows).flat_map(|_| [0x0a, 1, b'x']).collect();
        let mut bytes = vec![0x32];
        let mut length = field.len();
        while length >= 0x80 {
            bytes.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(field);
        Payload::Scalars(bytes.into())
    }

    fn answer(rows: u32, payload: Payload) -> Batch {
        let column = Column {
            name: "text".into(),
            field_id: 100,
            data_type: DataType::VARCHAR,
            is_dynamic: false,
            valid: Bytes::new(),
            payload,
        };
        Batch {
            rows,
            columns: vec![column],
        }
    }

    #[test]
    fn parts_are_of_bounded_size_and_hold_every_row_once() {
        let rows = 2_000_000;
        let parts = Parts::new(vec![answer(rows, texts(rows)), answer(3, texts(3))]);
        let cut: Vec<Batch> = parts.iter().map(Result::unwrap).collect();
        assert_eq!(cut.len(), parts.len());
        assert_eq!(cut.iter().map(|part| part.rows).sum::<u32>(), rows + 3);
        assert!(cut.iter().all(|part| part.size_bytes() <= PART_BYTES + 16));
        assert_eq!(cut.last().unwrap().columns[0].payload, texts(3));
    }

    #[test]
    fn a_batch_without_rows_is_one_part() {
        assert_eq!(Parts::new(vec![Batch::default()]).len(), 1);
    }

    #[test]
    fn what_can_not_be_cut_goes_as_a_whole() {
        let unknown = [
            [0xfa, 0x07].as_slice(),
            &[0x80, 0x80, 0x80, 0x01],
            &vec![0; 2 << 20],
        ]
        .concat();
        let whole = answer(5, Payload::Scalars(unknown.into()));
        let parts = Parts::new(vec![whole.clone()]);
        assert_eq!(parts.iter().collect::<Vec<_>>(), [Ok(whole)]);
    }
}
