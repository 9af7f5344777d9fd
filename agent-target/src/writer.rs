//! Writing the target: definitions, rows, and what a definition becomes where the target can do less.
//!
//! The writer knows nothing of the link; batches reach it through [`crate::pipeline`].

mod changes;
pub(crate) mod import;
pub(crate) mod mapping;
pub(crate) mod pace;
pub(crate) mod redefine;
pub(crate) mod rows;
pub(crate) mod schema;
pub(crate) mod staging;
