//! A query's answer turned into a batch.

use super::RangeRead;
use crate::MilvusError;
use crate::call::Call;
use crate::columns::field_data::column;
use crate::columns::layout::Layout;
use crate::error::classify;
use model::Batch;
use model::schema::DYNAMIC_FIELD;
use proto::milvus::schema::FieldData;
use proto::milvus::schema::field_data::Field as Member;
use proto::milvus::service::QueryResults;

/// Matches the columns of an answer, which come in any order and may be more than were asked for, to the names asked for.
pub(super) fn batch(
    call: Call<'_>,
    read: &RangeRead<'_>,
    answer: QueryResults,
) -> Result<Batch, MilvusError> {
    let mut found: Vec<Option<FieldData>> = answer.fields_data.into_iter().map(Some).collect();
    if found.is_empty() {
        return Ok(Batch::default());
    }
    let mut take = |name: &str| {
        found
            .iter_mut()
            .find(|slot| slot.as_ref().is_some_and(|data| is_named(data, name)))?
            .take()
    };
    let primary = take(&read.primary.name)
        .ok_or_else(|| classify::answer(call, "the primary key is missing from the answer"))?;
    let rows = rows_of(call, &primary)?;
    if rows == 0 {
        return Ok(Batch::default());
    }
    let mut columns = Vec::with_capacity(read.fields.len() + 1);
    let mut primary = Some(primary);
    for name in read.fields {
        let data = if *name == read.primary.name {
            primary.take()
        } else {
            take(name)
        };
        let missing =
            || classify::answer(call, format!("field {name:?} is missing from the answer"));
        columns.push(column(data.ok_or_else(missing)?, name));
    }
    if let Some(primary) = primary {
        columns.push(column(primary, &read.primary.name));
    }
    Ok(Batch { rows, columns })
}

/// The number in an answer to `count(*)`.
pub(super) fn count(call: Call<'_>, answer: QueryResults) -> Result<u64, MilvusError> {
    let counted = || {
        let column = column(answer.fields_data.into_iter().next()?, "count(*)");
        let reader = crate::ColumnReader::new(&column, 1).ok()?;
        match reader.cell(0).ok()? {
            model::Cell::Int(rows) => u64::try_from(rows).ok(),
            _ => None,
        }
    };
    counted().ok_or_else(|| classify::answer(call, "the answer holds no count"))
}

fn is_named(data: &FieldData, name: &str) -> bool {
    if name == DYNAMIC_FIELD {
        data.is_dynamic || data.field_name == DYNAMIC_FIELD
    } else {
        data.field_name == name && !data.is_dynamic
    }
}

/// The number of rows is that of the primary keys, which are never null.
fn rows_of(call: Call<'_>, primary: &FieldData) -> Result<u32, MilvusError> {
    let Some(Member::Scalars(bytes)) = &primary.field else {
        return Ok(0);
    };
    let layout =
        Layout::of_scalars(bytes).map_err(|error| classify::answer(call, error.to_string()))?;
    let rows = layout.map_or(0, |layout| layout.elements.len());
    u32::try_from(rows).map_err(|_| classify::answer(call, "more rows than can be counted"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::samples;
    use model::{Column, Field, KeyRange, Payload, Schema};

    fn field_data(column: &Column) -> FieldData {
        let Payload::Scalars(bytes) = column.payload.clone() else {
            panic!("a scalar column")
        };
        FieldData {
            r#type: column.data_type.number(),
            field_name: column.name.clone(),
            field: Some(Member::Scalars(bytes)),
            field_id: column.field_id,
            is_dynamic: column.is_dynamic,
            valid_data: column.valid.clone(),
        }
    }

    fn read_of(
        schema: &Schema,
        fields: &[String],
        data: Vec<FieldData>,
    ) -> Result<Batch, MilvusError> {
        let primary: &Field = schema.primary().unwrap();
        let range = KeyRange::all();
        let read = RangeRead {
            collection: "docs",
            partition: None,
            primary,
            fields,
            range: &range,
            seen: super::super::ReadPoint::Any,
        };
        let answer = QueryResults {
            fields_data: data,
            ..QueryResults::default()
        };
        batch(super::super::query_call(&read), &read, answer)
    }

    #[test]
    fn columns_come_in_the_order_asked_for_and_others_are_dropped() {
        let schema = samples::schema();
        let (keys, texts) = (
            samples::ints("pk", &[1, 2]),
            samples::texts(&["a", "b"], &[]),
        );
        let extra = samples::ints("unasked", &[3, 4]);
        let data = [&extra, &texts, &keys].map(field_data).to_vec();
        let names = ["pk".to_owned(), "text".to_owned()];
        let batch = read_of(&schema, &names, data).unwrap();
        assert_eq!(
            batch,
            Batch {
                rows: 2,
                columns: vec![keys, texts]
            }
        );
    }

    #[test]
    fn a_missing_field_is_named() {
        let schema = samples::schema();
        let data = vec![field_data(&samples::ints("pk", &[1]))];
        let error = read_of(&schema, &["text".to_owned()], data).unwrap_err();
        assert!(error.to_string().contains("\"text\""), "{error}");
        assert_eq!(error.kind(), crate::Kind::Answer);
    }

    #[test]
    fn an_answer_without_rows_is_an_empty_batch() {
        let schema = samples::schema();
        let data = vec![field_data(&samples::ints("pk", &[]))];
        assert_eq!(
            read_of(&schema, &["pk".to_owned()], data).unwrap(),
            Batch::default()
        );
        assert_eq!(
            read_of(&schema, &["pk".to_owned()], vec![]).unwrap(),
            Batch::default()
        );
    }
}
