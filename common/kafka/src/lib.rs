//! Reads partitions of Kafka by their offsets, and leaves no trace there: no group, no commit, no topic that a question would make.
//!
//! Five requests are spoken, each in one version that every broker from Kafka 0.11 to 4 knows, so that none need be asked what it
//! knows. What is between them is TCP or TLS, and SASL where the cluster asks for it.
//!
//! Invariants:
//! - records come in the order of their offsets, each batch proven by its checksum;
//! - what a broker says is not believed beyond what was received: no length makes memory be taken in advance;
//! - a secret stands in no error and no log.
//!
//! Non-goals: writing, groups, transactions (records of aborted ones would be given too: Milvus has none), more than one partition at
//! a time, batches that are packed other than by zstd, Milvus's choice, or that are older than Kafka 0.11.
//!
//! ```text
//! cluster     which broker leads a partition; a partition, and what is asked of it
//!   connection  one broker: frames, TLS, time limits
//!     sasl, scram  who calls
//!   requests, answers                          (pure)
//!     records   batches of records             (pure)
//!       wire    numbers, texts, arrays         (pure)
//! ```

mod answers;
mod cluster;
mod connection;
mod error;
mod records;
mod requests;
mod sasl;
mod scram;
mod wire;

pub use answers::{Extent, Fetched};
pub use cluster::{Cluster, Partition};
pub use connection::Tls;
pub use error::Error;
pub use records::Record;
pub use sasl::{Login, Mechanism};
