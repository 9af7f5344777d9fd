//! The rules of the conversation between two agents. Pure: no I/O, no clock, no task; a plain `#[test]` drives both ends.
//!
//! Two agents are joined by a link of several lanes. Lane 0 is the control lane: [`Hello`], calls and replies, notes,
//! heartbeats. The other lanes carry batches and steps one way, and credit and confirmations the other. Frames are the same in both
//! directions, so that either agent may dial.
//!
//! Invariants:
//! - **At least once on the wire, once in effect.** A batch is named by (job, unit, batch index); what was durable when a session
//!   ended is not sent again, and what may have been applied is applied again in a way that does no harm ([`ledger`]).
//! - **Changes in order.** Of each collection one step of changes is under way at a time; the target numbers the runs in which they are
//!   followed, and applies no step of an earlier one. The positions that it has applied are where the next run begins.
//! - **Bounded.** No frame is larger than [`frame::MAX_FRAME_BYTES`], no batch larger than its head says, no sender ahead of its
//!   credit by more than one batch ([`credit`]).
//! - **Checked end to end.** Each column's checksum is taken where it was read and compared where it is written ([`parcel`]).
//! - **One owner.** Of two agents that claim one job, the one with the older epoch is refused ([`claim`]).

pub mod call;
pub mod claim;
pub mod credit;
pub mod frame;
pub mod handshake;
pub mod ledger;
pub mod parcel;
pub mod pending;

pub use call::{Answer, Call, Note};
pub use frame::{
    BatchName, Cargo, ColumnHead, Confirm, FilePiece, Frame, PartHead, Piece, Place, SegmentFile,
    StepName, Verb, Whole,
};
pub use handshake::{Agreed, Hello, Role};
