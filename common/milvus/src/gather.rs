//! Rows of several batches gathered into one: so that many small changes are written by one request.

use crate::columns::layout::{Elements, Kind, Layout};
use crate::cut::places;
use crate::{ColumnError, ColumnReader, wire};
use bytes::Bytes;
use model::{Batch, Column, DataType, Field, Key, Payload};

/// Some rows of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The batch.
    pub batch: &'a Batch,
    /// Which of its rows, by their places from 0.
    pub places: &'a [u32],
}

/// A batch of these rows, in this order, with the columns of the first batch. No value is decoded. Nulls have no placeholders in it.
///
/// # Errors
/// [`ColumnError`] when a column is malformed, missing from one of the batches, of unlike kinds or of one that this build can't gather,
/// or when there is no such row.
pub fn gather(parts: &[Rows<'_>]) -> Result<Batch, ColumnError> {
    let Some(first) = parts.first() else {
        return Ok(Batch::default());
    };
    let columns: Result<Vec<_>, _> = first
        .batch
        .columns
        .iter()
        .map(|column| gather_column(column, parts))
        .collect();
    let rows: usize = parts.iter().map(|part| part.places.len()).sum();
    Ok(Batch {
        rows: u32::try_from(rows).map_err(|_| ColumnError::NoRow { row: rows })?,
        columns: columns?,
    })
}

fn gather_column(first: &Column, parts: &[Rows<'_>]) -> Result<Column, ColumnError> {
    let sources: Result<Vec<_>, _> = parts
        .iter()
        .map(|part| Source::new(part, &first.name))
        .collect();
    let sources = sources?;
    let (mut values, mut flags) = (Vec::new(), Vec::new());
    for (source, part) in sources.iter().zip(parts) {
        for place in part.places {
            let value = source.value(*place as usize)?;
            flags.push(u8::from(value.is_some()));
            values.extend(value);
        }
    }
    let like = sources.iter().find_map(|source| source.layout.as_ref());
    let is_unlike = |source: &Source<'_>| {
        let kinds = source.layout.as_ref().zip(like);
        kinds.is_some_and(|(layout, like)| layout.kind != like.kind)
    };
    if sources.iter().any(is_unlike) {
        return Err(ColumnError::Malformed);
    }
    let bytes = like.map(|layout| Bytes::from(layout.compose(&values)));
    let payload = match (bytes, first.data_type.is_vector()) {
        (Some(bytes), true) => Payload::Vectors(bytes),
        (Some(bytes), false) => Payload::Scalars(bytes),
        (None, _) => Payload::Absent,
    };
    let has_nulls = flags.contains(&0);
    Ok(Column {
        valid: if has_nulls {
            flags.into()
        } else {
            Bytes::new()
        },
        payload,
        ..first.clone()
    })
}

/// A batch of nothing but keys, as deletes travel.
#[must_use]
pub fn of_keys(primary: &Field, keys: &[Key]) -> Batch {
    let values: Vec<Vec<u8>> = keys
        .iter()
        .map(|key| match key {
            Key::Int64(number) => wire::varint(number.cast_unsigned()),
            Key::VarChar(text) => text.clone().into_bytes(),
        })
        .collect();
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let kind = match primary.data_type {
        DataType::INT64 => Kind::Packed { member: 3 },
        _ => Kind::Blobs { member: 6 },
    };
    let layout = Layout {
        kind,
        elements: Elements::Apart(Vec::new()),
        element_type: None,
    };
    let column = Column {
        name: primary.name.clone(),
        field_id: primary.id,
        data_type: primary.data_type,
        is_dynamic: false,
        valid: Bytes::new(),
        payload: Payload::Scalars(layout.compose(&values).into()),
    };
    Batch {
        rows: u32::try_from(keys.len()).unwrap_or(u32::MAX),
        columns: vec![column],
    }
}

/// A column that rows are taken from.
struct Source<'a> {
    column: &'a Column,
    layout: Option<Layout<'a>>,
}

impl<'a> Source<'a> {
    fn new(part: &Rows<'a>, name: &str) -> Result<Self, ColumnError> {
        let missing = || ColumnError::NoColumn {
            name: name.to_owned(),
        };
        let column = part.batch.column(name).ok_or_else(missing)?;
        // Looks at the whole column: the places of its values are right only if it is sound.
        ColumnReader::new(column, part.batch.rows)?;
        let layout = match &column.payload {
            Payload::Scalars(bytes) => Layout::of_scalars(bytes)?,
            Payload::Vectors(bytes) => Layout::of_vectors(bytes)?,
            // The servers whose log is read have no struct arrays.
            Payload::Structs(_) => return Err(ColumnError::UnknownMember { number: 8 }),
            Payload::Absent => None,
            Payload::File(_) => return Err(ColumnError::Malformed),
        };
        Ok(Self { column, layout })
    }

    /// The bytes of a row's value; `None` for a null.
    fn value(&self, row: usize) -> Result<Option<&[u8]>, ColumnError> {
        let Self { column, layout } = self;
        let Some(layout) = layout else {
            return Ok(None);
        };
        if column.valid.get(row) == Some(&0) {
            return Ok(None);
        }
        let beyond = ColumnError::NoRow { row };
        if !column.valid.is_empty() && row >= column.valid.len() {
            return Err(beyond);
        }
        let place = places(&column.valid, &(row..row + 1), layout.elements.len()).start;
        layout.elements.at(place).map(Some).ok_or(beyond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::samples;
    use proptest::prelude::*;

    fn sample(rows: u32, nulls: u16) -> Batch {
        let mut batch = samples::batch(rows, nulls);
        batch
            .columns
            .retain(|column| !matches!(column.payload, Payload::Structs(_)));
        batch
    }

    fn cells(batch: &Batch) -> Vec<Vec<String>> {
        let readers: Vec<_> = batch
            .columns
            .iter()
            .map(|column| ColumnReader::new(column, batch.rows).unwrap())
            .collect();
        let row = |row| {
            readers
                .iter()
                .map(|reader| format!("{:?}", reader.cell(row).unwrap()))
                .collect()
        };
        (0..batch.rows as usize).map(row).collect()
    }

    proptest! {
        #[test]
        fn gathered_rows_are_those_that_were_asked_for(
            nulls in any::<[u16; 2]>(),
            picks in prop::collection::vec(prop::collection::vec(0u32..7, 0..9), 2),
        ) {
            let batches = nulls.map(|nulls| sample(7, nulls));
            let parts = [0, 1].map(|place| Rows { batch: &batches[place], places: &picks[place] });
            let gathered = gather(&parts).unwrap();
            let wanted: Vec<_> = parts.iter().flat_map(|part| {
                let all = cells(part.batch);
                part.places.iter().map(move |place| all[*place as usize].clone())
            }).collect();
            prop_assert_eq!(cells(&gathered), wanted);
        }
    }

    #[test]
    fn keys_read_back_as_they_were() {
        let schema = samples::schema();
        let primary = schema.primary().unwrap();
        let keys: Vec<Key> = [i64::MIN, -1, 0, 300, i64::MAX].map(Key::Int64).into();
        assert_eq!(
            crate::keys(&of_keys(primary, &keys), &primary.name),
            Ok(keys)
        );
        let text = Field {
            data_type: DataType::VARCHAR,
            ..primary.clone()
        };
        let keys: Vec<Key> = ["", "a", "\u{1F600}\n"]
            .map(|text| Key::VarChar(text.into()))
            .into();
        assert_eq!(crate::keys(&of_keys(&text, &keys), &text.name), Ok(keys));
    }

    #[test]
    fn a_row_or_a_column_that_is_not_there_is_refused() {
        let batch = sample(3, 0);
        let parts = [Rows {
            batch: &batch,
            places: &[3],
        }];
        assert_eq!(gather(&parts), Err(ColumnError::NoRow { row: 3 }));
        let mut lacking = batch.clone();
        let gone = lacking.columns.pop().unwrap();
        let parts = [
            Rows {
                batch: &batch,
                places: &[0],
            },
            Rows {
                batch: &lacking,
                places: &[0],
            },
        ];
        assert_eq!(
            gather(&parts),
            Err(ColumnError::NoColumn { name: gone.name })
        );
    }
}
