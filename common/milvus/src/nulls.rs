//! Columns as an insert wants them, where that is not how a query answered them.
//!
//! - A query answers scalars in full, an insert holds only the values that are not null (Milvus 2.5 and later).
//! - A query answers an empty array as an empty message. An insert of such a message stops Milvus 2.3.5 (the whole server, not
//!   only the call): it wants to be told the type of the elements that are not there.
//! - A geometry is a text under a member of its own.
//!
//! Every other column goes as it came.

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
    let is_plain = !matches!(column.data_type, DataType::ARRAY | DataType::GEOMETRY);
    if is_plain && !has_nulls {
        return Ok(column.clone());
    }
    let Some(mut layout) = Layout::of_scalars(bytes)? else {
        return Ok(column.clone());
    };
    let count = layout.elements.len();
    let has_placeholders = has_nulls && count == rows as usize;
    let is_renamed = match layout.kind {
        Kind::Blobs { member } if column.data_type == DataType::GEOMETRY => member != GEOMETRY_WKT,
        _ => false,
    };
    if is_renamed {
        layout.kind = Kind::Blobs {
            member: GEOMETRY_WKT,
        };
    }
    if !layout.name_empty_arrays() && !has_placeholders && !is_renamed {
        return Ok(column.clone());
    }
    let is_wanted = |place: &usize| !has_placeholders || column.valid.get(*place) != Some(&0);
    let payload = layout.pick((0..count).filter(is_wanted));
    Ok(Column {
        payload: Payload::Scalars(Bytes::from(payload)),
        ..column.clone()
    })
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

    #[test]
    fn an_empty_array_is_told_its_type() {
        let rows = [samples::varints(3, &[7]), Bytes::new(), Bytes::new()];
        let mut body: Vec<u8> = rows
            .iter()
            .flat_map(|row| samples::inside(1, row))
            .collect();
        crate::wire::put_varint(&mut body, 2, 5);
        let payload = Payload::Scalars(samples::inside(8, &body).into());
        let column = samples::column("list", DataType::ARRAY, payload, &[1, 1, 0]);
        let packed = for_insert(&column, 3).unwrap();
        let bytes = packed.payload.bytes();
        let layout = Layout::of_scalars(&bytes).unwrap().unwrap();
        assert_eq!(layout.elements.len(), 2);
        assert_eq!(layout.elements.at(1), Some(&[0x1a, 0][..]));
        assert_eq!(layout.element_type, Some(5));
        let reader = ColumnReader::new(&packed, 3).unwrap();
        assert_eq!(reader.cell(1), Ok(Cell::Array(vec![])));
        assert_eq!(reader.cell(2), Ok(Cell::Null));
    }
}
