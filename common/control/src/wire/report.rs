//! What a verification found.

use super::{Malformed, Wire, all, each, required, wire_enum};
use model::report::CollectionReport;
use model::{Difference, DifferenceKind, Key};
use proto::admin;

wire_enum!(DifferenceKind, admin::DifferenceKind, "difference kind";
    MissingRow, ExtraRow, DuplicateRow, WrongPartition, Value, Schema, Partition, Index, Alias, Property, LoadState, Collection,
    Count, NotCompared);

impl Wire for Key {
    type Message = admin::Key;

    fn to_wire(&self) -> Self::Message {
        let key = match self {
            Self::Int64(value) => admin::key::Key::Int64(*value),
            Self::VarChar(text) => admin::key::Key::Varchar(text.clone()),
        };
        admin::Key { key: Some(key) }
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        match message.key.ok_or(Malformed::Missing("key"))? {
            admin::key::Key::Int64(value) => Ok(Self::Int64(value)),
            admin::key::Key::Varchar(text) => Ok(Self::VarChar(text)),
        }
    }
}

impl Wire for Difference {
    type Message = admin::Difference;

    fn to_wire(&self) -> Self::Message {
        admin::Difference {
            kind: self.kind.to_wire(),
            partition: self.partition.clone(),
            key: self.key.as_ref().map(Wire::to_wire),
            field: self.field.clone(),
            detail: self.detail.clone(),
        }
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        Ok(Self {
            kind: Wire::from_wire(message.kind)?,
            partition: message.partition,
            key: message.key.map(Wire::from_wire).transpose()?,
            field: message.field,
            detail: message.detail,
        })
    }
}

impl Wire for CollectionReport {
    type Message = admin::CollectionReport;

    fn to_wire(&self) -> Self::Message {
        admin::CollectionReport {
            source: Some(self.source.to_wire()),
            target: Some(self.target.to_wire()),
            outcome: Some(self.outcome.to_wire()),
            rows: self.rows,
            ranges: self.ranges,
            source_duplicates: self.source_duplicates,
            source_duplicate_keys: all(&self.source_duplicate_keys),
            differences: all(&self.differences),
            differences_total: self.differences_total,
        }
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        Ok(Self {
            source: required("source", message.source)?,
            target: required("target", message.target)?,
            outcome: required("outcome", message.outcome)?,
            rows: message.rows,
            ranges: message.ranges,
            source_duplicates: message.source_duplicates,
            source_duplicate_keys: each(message.source_duplicate_keys)?,
            differences: each(message.differences)?,
            differences_total: message.differences_total,
        })
    }
}
