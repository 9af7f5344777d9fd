//! Columns as an insert wants them.
//!
//! A query answers scalars in full, an insert holds only the values that are not null (Milvus 2.5 and later). So a column with
//! nulls is taken apart and put together again; every other one goes as it came.

use crate::ColumnError;
use crate::columns::layout::{Kind, Layout};
use bytes::Bytes;
use model::{Column, DataType, Payload};

/// The member of the scalar message under which an insert wants geometries, which are texts (WKT).
const GEOMETRY_WKT: u32 = 12;

/// The column as an insert wants it.
pub(crate) fn for_insert(column: &Column, rows: u32) -> Result<Column, ColumnError> {
    let Payload::Scalars(bytes) = &column.payload else {
        return Ok(column.clone());
    };
    let has_nulls = column.valid.contains(&0);
    if !has_nulls && column.data_type != DataType::GEOMETRY {
        return Ok(column.clone());
    }
    let Some(layout) = Layout::of_scalars(bytes)? else {
        return Ok(column.clone());
    };
    let count = layout.elements.len();
    let is_text = matches!(layout.kind, Kind::Blobs { member } if member != GEOMETRY_WKT);
    let payload = if has_nulls && count == rows as usize {
        let places = (0..count).filter(|row| column.valid.get(*row) != Some(&0));
        layout.pick(places)
    } else if column.data_type == DataType::GEOMETRY && is_text {
        layout.pick_all_as(GEOMETRY_WKT)
    } else {
        return Ok(column.clone());
    };
    let packed = Column {
        payload: Payload::Scalars(Bytes::from(payload)),
        ..column.clone()
    };
    // A geometry with nulls needs both; the second time there is nothing left to pack.
    if has_nulls && is_text && column.data_type == DataType::GEOMETRY {
        for_insert(&packed, rows)
    } else {
        Ok(packed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{ColumnReader, samples};
    use model::Cell;

    #[test]
    fn nulls_lose_their_placeholders_and_stay_null() {
        let full = samples::texts(&["a", "", "c"], &[1, 0, 1]);
        let packed = for_insert(&full, 3).unwrap();
        assert!(packed.payload.len() < full.payload.len());
        let reader = ColumnReader::new(&packed, 3).unwrap();
        let cells: Vec<_> = (0..3).map(|row| reader.cell(row).unwrap()).collect();
        assert_eq!(cells, [Cell::Text("a"), Cell::Null, Cell::Text("c")]);
    }

    #[test]
    fn a_column_of_nulls_alone_keeps_an_empty_payload() {
        let packed = for_insert(&samples::texts(&["", ""], &[0, 0]), 2).unwrap();
        let reader = ColumnReader::new(&packed, 2).unwrap();
        assert_eq!(reader.cell(1), Ok(Cell::Null));
    }

    #[test]
    fn a_column_without_nulls_goes_as_it_came() {
        let column = samples::texts(&["a", "b"], &[]);
        assert_eq!(for_insert(&column, 2).unwrap(), column);
    }

    #[test]
    fn geometries_move_to_the_member_that_an_insert_wants() {
        let mut column = samples::texts(&["POINT (1 2)", ""], &[1, 0]);
        column.data_type = DataType::GEOMETRY;
        let packed = for_insert(&column, 2).unwrap();
        assert_eq!(packed.payload.bytes()[0] >> 3, 12);
        let reader = ColumnReader::new(&packed, 2).unwrap();
        assert_eq!(reader.cell(0), Ok(Cell::Text("POINT (1 2)")));
        assert_eq!(reader.cell(1), Ok(Cell::Null));
    }
}
