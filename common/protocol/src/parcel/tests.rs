use super::*;
use crate::frame::{BatchName, Whole};
use model::{BatchIndex, CollectionIndex, DataType, UnitId};

fn place() -> Place {
    let unit = UnitId {
        collection: CollectionIndex::new(1),
        number: 2,
    };
    let name = BatchName {
        job: "j".parse().unwrap(),
        unit,
        index: BatchIndex::new(3).unwrap(),
    };
    Place {
        whole: Whole::Batch {
            name,
            unit_batches: 9,
            is_again: false,
        },
        partition: Some("p".into()),
        part: 0,
        is_last_part: true,
    }
}

fn batch(sizes: &[usize]) -> Batch {
    let column = |(number, size): (usize, &usize)| Column {
        name: format!("c{number}"),
        field_id: 100 + number as i64,
        data_type: DataType::JSON,
        is_dynamic: false,
        valid: Bytes::from_static(&[1, 0]),
        payload: Payload::Scalars(Bytes::from(vec![number as u8; *size])),
    };
    Batch {
        rows: 2,
        columns: sizes.iter().enumerate().map(column).collect(),
    }
}

fn plain(column: &Column) -> (Codec, Bytes) {
    (Codec::Plain, column.payload.bytes())
}

fn arrive(frames: Vec<Frame>) -> Result<(Place, Batch), ParcelError> {
    let mut frames = frames.into_iter();
    let Some(Frame::PartStart(head)) = frames.next() else {
        panic!("no head")
    };
    let mut assembly = Assembly::begin(head, u64::MAX)?;
    for frame in frames {
        let Frame::Piece(piece) = frame else {
            panic!("no piece")
        };
        assert!(piece.size_bytes() <= MAX_PIECE_BYTES);
        assembly.handle_piece(piece)?;
    }
    assert!(assembly.is_complete());
    assembly.into_batch(|_, written, _| Ok(written))
}

#[test]
fn a_batch_arrives_as_it_was_sent_whatever_its_columns_sizes() {
    for sizes in [
        vec![],
        vec![0],
        vec![5, 0, 7],
        vec![MAX_PIECE_BYTES, 1],
        vec![MAX_PIECE_BYTES - 1, 3 * MAX_PIECE_BYTES + 5, 0, 9],
    ] {
        let sent = batch(&sizes);
        assert_eq!(
            arrive(pack(place(), sent.clone(), plain)),
            Ok((place(), sent)),
            "{sizes:?}"
        );
    }
}

#[test]
fn one_flipped_bit_is_found_and_its_column_named() {
    let mut frames = pack(place(), batch(&[10, 20]), plain);
    let Some(Frame::Piece(piece)) = frames.get_mut(1) else {
        panic!("no piece")
    };
    let mut bytes = piece.parts[1].to_vec();
    bytes[7] ^= 0x10;
    piece.parts[1] = bytes.into();
    assert_eq!(
        arrive(frames),
        Err(ParcelError::Checksum {
            column: "c1".into()
        })
    );
}

#[test]
fn a_flipped_null_is_found() {
    let mut frames = pack(place(), batch(&[10]), plain);
    let Some(Frame::PartStart(head)) = frames.get_mut(0) else {
        panic!("no head")
    };
    head.columns[0].valid = Bytes::from_static(&[1, 1]);
    assert_eq!(
        arrive(frames),
        Err(ParcelError::Checksum {
            column: "c0".into()
        })
    );
}

#[test]
fn a_batch_beyond_what_is_allowed_is_refused_at_its_head() {
    let mut frames = pack(place(), batch(&[10]), plain);
    let Frame::PartStart(mut head) = frames.remove(0) else {
        panic!("no head")
    };
    head.columns[0].raw_bytes = u64::MAX;
    assert!(matches!(
        Assembly::begin(head, 1000),
        Err(ParcelError::TooLarge { .. })
    ));
}

#[test]
fn bytes_that_were_not_announced_are_refused() {
    let mut frames = pack(place(), batch(&[10]), plain);
    let Frame::PartStart(head) = frames.remove(0) else {
        panic!("no head")
    };
    let mut assembly = Assembly::begin(head, 1000).unwrap();
    let piece = Piece {
        parts: vec![Bytes::from(vec![0; 11])],
    };
    assert_eq!(assembly.handle_piece(piece), Err(ParcelError::Overrun));
}
