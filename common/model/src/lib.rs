//! The nouns of a migration. Pure: no tokio, no prost, no clock, no I/O.
//!
//! Everything that two rooms of this house speak about is defined here once: what a collection is ([`CollectionSpec`]), what a
//! job asks for ([`JobSpec`]) and how far it got ([`Phase`], [`JobStatus`]), how rows travel ([`Unit`], [`Batch`]) and how they
//! change afterwards ([`Change`]), how they are compared ([`Digest`], [`Difference`]), and how a failure is named ([`Fault`]).

pub mod batch;
pub mod cell;
pub mod change;
pub mod codes;
pub mod collection;
pub mod digest;
pub mod fault;
pub mod finding;
pub mod ids;
pub mod job;
pub mod key;
pub mod name;
pub mod offset;
pub mod phase;
pub mod report;
pub mod schema;
pub mod scope;
pub mod selection;
pub mod status;
pub mod unit;

pub use batch::{Batch, Column, Payload};
pub use cell::Cell;
pub use change::{Change, ChangeKind, Position, Tick};
pub use collection::{Alias, CollectionSpec, DatabaseSpec, IndexSpec, LoadState};
pub use digest::{Digest, RowHash};
pub use fault::{Class, Fault};
pub use finding::{Finding, Severity};
pub use ids::{AgentName, CollectionIndex, Epoch, Incarnation, JobName};
pub use job::JobSpec;
pub use key::{Key, KeyRange};
pub use name::CollectionName;
pub use offset::Offset;
pub use phase::{CollectionPhase, Phase, Verification};
pub use report::{Difference, DifferenceKind, VerifyReport};
pub use schema::{DataType, Field, Schema};
pub use scope::Scope;
pub use selection::Selection;
pub use status::{ChangesStatus, CollectionStatus, JobStatus};
pub use unit::{BatchIndex, Unit, UnitId, UnitProgress};
