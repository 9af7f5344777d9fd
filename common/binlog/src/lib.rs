//! The files in which Milvus keeps the rows and deletes of a segment.
//!
//! ```text
//! insert_log/<collection>/<partition>/<segment>/<field>/<log>     the values of one field of some rows
//! insert_log/<collection>/<partition>/<segment>/<group>/<log>     those of several fields, since 2.6
//! delta_log/<collection>/<partition>/<segment>/<log>              keys that were deleted, each with its time
//! ```
//! Invariants:
//! - what is read comes from a disk that others write to: whatever its bytes, the answer is an error, never a panic;
//! - nothing is guessed: an event, an encoding or a type that this build does not know is an error that names it;
//! - a file has a bound on what it unpacks to and on what is made of it, whatever it announces: beside its own bytes, reading takes less
//!   than 768 MiB;
//! - no I/O: bytes in, values out; and for deletes, which are imported with the rows that they are of, values in and bytes out.
//!
//! Not here yet: what a manifest lists, as 3.0 may have it.
//!
//! Read are the files that Milvus writes up to 2.5 (and for older segments later), an envelope of events around Parquet, and those of several
//! fields that it writes since 2.6 (`grouped`). Deletes are read in each of their three forms. The formats are known from files of Milvus
//! 2.2.16 and 2.3.5, and for later forms from its source (`internal/storage/event_data.go`, and what `grouped` names).

mod blobs;
mod deletes;
mod envelope;
mod error;
mod footer;
mod grouped;
mod pages;
mod parquet;
mod room;
mod shapes;
#[cfg(test)]
mod tests;
mod thrift;
mod values;
mod write;

pub use blobs::Blobs;
pub use deletes::{Delete, read_deletes};
pub use envelope::{Descriptor, read_descriptor};
pub use error::BinlogError;
pub use grouped::GroupedFile;
pub use values::{FieldLog, FieldValues, Values, read_field};
pub use write::{Owner, write_deletes};
