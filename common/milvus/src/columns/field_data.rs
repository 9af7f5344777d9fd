//! Columns out of Milvus's `FieldData`.

use bytes::Bytes;
use model::schema::DYNAMIC_FIELD;
use model::{Column, DataType, Payload};
use proto::milvus::schema::FieldData;
use proto::milvus::schema::field_data::Field as Member;

/// The column under this name. Nothing is copied but the name.
pub(crate) fn column(data: FieldData, name: &str) -> Column {
    let payload = match data.field {
        Some(Member::Scalars(bytes)) => Payload::Scalars(bytes),
        Some(Member::Vectors(bytes)) => Payload::Vectors(bytes),
        Some(Member::StructArrays(bytes)) => Payload::Structs(bytes),
        None => Payload::Absent,
    };
    let has_nulls = data.valid_data.contains(&0);
    Column {
        name: name.to_owned(),
        field_id: data.field_id,
        data_type: DataType::new(data.r#type),
        is_dynamic: name == DYNAMIC_FIELD,
        valid: if has_nulls {
            data.valid_data
        } else {
            Bytes::new()
        },
        payload,
    }
}
