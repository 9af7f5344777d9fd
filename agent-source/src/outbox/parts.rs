//! A large answer cut into parts, so that little of it is in the target's memory at a time.

use milvus::{ColumnError, Cutter};
use model::Batch;

/// The bytes of values that a part has at most, roughly: rows are counted, not weighed. Every insert costs the target, whatever its
/// size, so that a part should not be small; a batch that is as large as it was meant to be, by the default memory, is not cut.
const PART_BYTES: usize = 3 << 20;

/// The parts of a source's answer, each cut when it is asked for. There is one at least, even if there is no row.
pub(super) fn parts(answer: &Batch) -> impl ExactSizeIterator<Item = Result<Batch, ColumnError>> {
    let parts = answer.size_bytes().div_ceil(PART_BYTES);
    // A column of a kind that this build does not know can't be cut: all goes in one.
    let cutter = if parts > 1 {
        Cutter::new(answer).ok()
    } else {
        None
    };
    let step = match &cutter {
        Some(_) => (answer.rows as usize).div_ceil(parts),
        None => answer.rows as usize,
    };
    let step = step.max(1);
    (0..answer.rows.max(1))
        .step_by(step)
        .map(move |begin| match &cutter {
            Some(cutter) => cutter.rows(begin..answer.rows.min(begin + step as u32)),
            None => Ok(answer.clone()),
        })
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
        let rows = 5_000_000;
        let answer = answer(rows, texts(rows));
        let parts: Vec<Batch> = parts(&answer).map(Result::unwrap).collect();
        assert_eq!(parts.iter().map(|part| part.rows).sum::<u32>(), rows);
        assert!(
            parts
                .iter()
                .all(|part| part.size_bytes() <= PART_BYTES + 16)
        );
        assert!(
            parts
                .iter()
                .all(|part| part.columns[0].payload == texts(part.rows))
        );
    }

    #[test]
    fn an_answer_without_rows_is_one_part() {
        assert_eq!(parts(&Batch::default()).len(), 1);
    }

    #[test]
    fn what_can_not_be_cut_goes_as_a_whole() {
        let unknown = [
            [0xfa, 0x07].as_slice(),
            &[0x80, 0x80, 0x80, 0x02],
            &vec![0; 4 << 20],
        ]
        .concat();
        let whole = answer(5, Payload::Scalars(unknown.into()));
        assert_eq!(parts(&whole).collect::<Vec<_>>(), [Ok(whole.clone())]);
    }
}
