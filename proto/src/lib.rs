//! The written language: messages between agents, the operator's API, and the subsets of Milvus's API and of Pulsar's protocol that
//! Passage uses.
//!
//! Generated code, and how it is written to the wire; the `.proto` files beside it are the documentation. These types live and die
//! inside the rooms that speak the language: they stand in no other room's public signature.

pub mod codec;

/// The subset of Milvus's API that Passage uses, wire-compatible with Milvus. Columns of values stay bytes.
pub mod milvus {
    /// Messages that every other package of Milvus's uses.
    #[allow(
        missing_docs,
        clippy::all,
        reason = "generated code: the .proto files are its documentation"
    )]
    pub mod common {
        include!(concat!(env!("OUT_DIR"), "/milvus.proto.common.rs"));
    }

    /// Schemas and columns.
    #[allow(
        missing_docs,
        clippy::all,
        reason = "generated code: the .proto files are its documentation"
    )]
    pub mod schema {
        include!(concat!(env!("OUT_DIR"), "/milvus.proto.schema.rs"));
    }

    /// The messages of the log.
    #[allow(
        missing_docs,
        clippy::all,
        reason = "generated code: the .proto files are its documentation"
    )]
    pub mod msg {
        include!(concat!(env!("OUT_DIR"), "/milvus.proto.msg.rs"));
    }

    /// The calls, and their requests and answers.
    #[allow(
        missing_docs,
        clippy::all,
        reason = "generated code: the .proto files are its documentation"
    )]
    pub mod service {
        include!(concat!(env!("OUT_DIR"), "/milvus.proto.milvus.rs"));
    }
}

/// The part of Pulsar's binary protocol that a reader of Milvus's log speaks, wire-compatible with Pulsar.
#[allow(
    missing_docs,
    clippy::all,
    reason = "generated code: the .proto files are its documentation"
)]
pub mod pulsar {
    include!(concat!(env!("OUT_DIR"), "/pulsar.proto.rs"));
}

/// What agents say to each other.
#[allow(
    missing_docs,
    clippy::all,
    reason = "generated code: the .proto files are its documentation"
)]
pub mod agent {
    include!(concat!(env!("OUT_DIR"), "/passage.agent.v1.rs"));
}

/// What an operator, or a program on an operator's behalf, asks of an agent.
#[allow(
    missing_docs,
    clippy::all,
    reason = "generated code: the .proto files are its documentation"
)]
pub mod admin {
    include!(concat!(env!("OUT_DIR"), "/passage.admin.v1.rs"));

    /// The descriptors of this API, for gRPC's server reflection.
    pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/admin.bin"));
}
