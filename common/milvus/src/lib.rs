//! A client of Milvus that leaves columns as bytes.
//!
//! Invariants:
//! - a column goes from a query's answer into an insert as the bytes it came in; it is decoded only where something asks for its
//!   values ([`ColumnReader`]), where its nulls must be packed, or where a batch must be cut ([`Cutter`]);
//! - no generated type stands in a public signature;
//! - every call has a limit in time;
//! - a mutation is sent once. Whether it may be sent again is the caller's decision, and [`MilvusError::is_outcome_unknown`] is
//!   what it is decided by;
//! - one file, `error/classify.rs`, turns what a server says into a [`Kind`]; nothing else looks at a server's numbers and texts.
//!
//! Not here: searching, users and rights, and any memory of what was done before.

mod call;
pub mod capabilities;
mod client;
pub mod columns;
mod configured;
pub mod create;
mod cut;
pub mod describe;
mod endpoint;
pub mod error;
pub mod expression;
mod fence;
pub mod gather;
mod import;
mod load;
pub mod log;
mod management;
pub mod mutate;
mod nulls;
mod parts;
pub mod proof;
pub mod query;
mod rest;
pub mod retry;
pub mod schema;
mod segments;
mod version;
mod wire;

pub use call::Deadlines;
pub use capabilities::Capabilities;
pub use client::{Client, ConnectError};
pub use columns::{ColumnError, ColumnReader, keys};
pub use configured::{connect_patiently, endpoint};
pub use create::NewCollection;
pub use cut::Cutter;
pub use endpoint::{Credentials, Endpoint, Secret, Tls};
pub use error::{Kind, MilvusError};
pub use import::{Import, ImportId, ImportOrder, ImportState, ImportWay};
pub use load::Progress;
pub use management::{MAX_PAUSE, PauseTicket};
pub use mutate::{Applied, Rows};
pub use query::{RangeRead, ReadPoint};
pub use retry::Patience;
pub use schema::{SchemaChanges, SchemaError};
pub use segments::{Segment, SegmentFiles, SegmentState};
pub use version::{Product, ServerVersion};
