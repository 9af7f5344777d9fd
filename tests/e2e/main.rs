//! End to end, on real servers: each test is a claim about a pair of agents.

mod bad_files;
mod churn;
mod clock;
mod compacted;
mod copy;
mod crashes;
mod faults;
mod fence;
mod fleet;
mod from_segments;
mod house;
mod live;
mod log;
mod memory;
mod milvus_client;
mod options;
mod queues;
mod quic;
mod redefined;
mod refusals;
mod repair;
mod secrets;
mod segments;
mod trust;
mod verify;
