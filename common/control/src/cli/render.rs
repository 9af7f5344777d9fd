//! Statuses and reports as text for people.

mod report;
mod status;
mod table;

pub(crate) use report::report;
pub(crate) use status::{finding, job, jobs, lag, outcome};
pub(crate) use table::Table;
