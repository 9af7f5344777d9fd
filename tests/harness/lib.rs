//! What the tests on real servers stand on: Milvus servers, agents, the line between them, faults, and judges.
//!
//! Invariants:
//! - every process that is started here ends with the test process, however that one ends;
//! - nothing waits without a limit, and nothing waits for time to pass: always for a condition;
//! - ports and folders are this run's own, so that two runs may go side by side;
//! - whether two servers are equal is said by the oracle, which shares no code with Passage.

pub mod agents;
pub mod canary;
pub mod certs;
pub mod churn;
pub mod clock;
pub mod denying;
pub mod disk;
pub mod fake_management;
pub mod fake_rest_import;
pub mod fake_segments;
pub mod faults;
mod front;
pub mod http_proxy;
pub mod jobs;
pub mod link;
pub mod live;
pub mod oracle;
pub mod places;
pub mod ports;
mod preload;
pub mod process;
pub mod python;
pub mod servers;
pub mod storm;
pub mod wait;
pub mod writer;
