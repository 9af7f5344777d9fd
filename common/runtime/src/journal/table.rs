//! A named table and the type of its records.

use std::marker::PhantomData;

/// A table of records of the type `T`. Declare each once, as a constant, beside the type of its records:
///
/// ```
/// # use passage_runtime::journal::Table;
/// # #[derive(serde::Serialize, serde::Deserialize)] struct JobRecord;
/// const JOBS: Table<JobRecord> = Table::new("jobs");
/// ```
pub struct Table<T> {
    name: &'static str,
    record: PhantomData<fn() -> T>,
}

impl<T> Table<T> {
    /// The table of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            record: PhantomData,
        }
    }

    /// The table's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Table<T> {}

impl<T> std::fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "table {}", self.name)
    }
}
