//! Reads a RocksDB that another process has open and writes, as what RocksDB calls a secondary.
//!
//! RocksDB's own library is loaded while Passage runs, and spoken to through its C API, which it keeps stable: nothing of it is built
//! or linked, and a machine that has no use for it needs none. Seen to work with 6.x as Milvus ships it.
//!
//! Invariants:
//! - the folder is only read: no lock, no file, no setting of the process that writes it is touched;
//! - whatever RocksDB gave is given back, iterators before their database, and the library stays loaded to the end;
//! - unsafe code is in `raw` alone, which is why this crate has lints of its own, and nothing unsafe leaves that module.
//!
//! Non-goals: writing, column families other than the default one, async: every call blocks for as long as the disk takes.

mod error;
mod library;
#[expect(
    unsafe_code,
    reason = "a C library is called; each block says why it may"
)]
mod raw;
mod secondary;

pub use error::{Error, LoadError};
pub use library::Library;
pub use secondary::{Entry, Secondary};
