//! Imports into a followed collection on the source: its log does not hold their rows.

use milvus::{Import, ImportId, ImportState};
use std::collections::BTreeSet;

/// Those of one collection.
#[derive(Debug, Default)]
pub(super) struct Imports {
    /// Whether they were looked at: before that, nothing is known.
    is_known: bool,
    completed: BTreeSet<ImportId>,
    under_way: usize,
    /// Whether rows came that queries may not answer yet.
    are_awaited: bool,
}

impl Imports {
    /// Takes what the source tells of them now. Whether rows have come since it last did.
    pub(super) fn handle(&mut self, told: &[Import]) -> bool {
        let (mut completed, mut under_way) = (BTreeSet::new(), 0);
        for import in told {
            match import.state {
                ImportState::Completed => {
                    completed.insert(import.id);
                }
                ImportState::Pending | ImportState::Started | ImportState::Persisted => {
                    under_way += 1;
                }
                ImportState::Failed { .. } => {}
            }
        }
        let has_new = !completed.is_subset(&self.completed);
        // What the server has forgotten it does not tell again.
        self.completed = completed;
        self.under_way = under_way;
        self.is_known = true;
        self.are_awaited |= has_new;
        has_new
    }

    /// Queries answer all rows that came.
    pub(super) fn settle(&mut self) {
        self.are_awaited = false;
    }

    /// Whether rows came that queries may not answer yet.
    pub(super) fn are_awaited(&self) -> bool {
        self.are_awaited
    }

    /// Whether comparing every row finds all that came so far.
    pub(super) fn are_settled(&self) -> bool {
        self.is_known && !self.are_awaited
    }

    /// What keeps the collection from being cut over.
    pub(super) fn doubt(&self) -> Option<&'static str> {
        match self {
            Self { under_way: 1.., .. } => Some("is being imported into on the source"),
            Self {
                are_awaited: true, ..
            } => Some("has rows that were imported on the source and not compared yet"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(id: i64, state: ImportState) -> Import {
        Import {
            id: ImportId::from(id),
            state,
            rows: 1,
            files: String::new(),
        }
    }

    #[test]
    fn every_row_is_compared_only_once_imports_were_looked_at() {
        let mut imports = Imports::default();
        assert!(!imports.are_settled());
        assert!(!imports.handle(&[]));
        assert!(imports.are_settled());
        assert_eq!(imports.doubt(), None);
    }

    #[test]
    fn rows_that_came_are_awaited_until_queries_answer_them() {
        let mut imports = Imports::default();
        assert!(imports.handle(&[import(1, ImportState::Completed)]));
        assert!(!imports.are_settled());
        assert!(imports.doubt().is_some());
        imports.settle();
        assert!(imports.are_settled());
        assert!(!imports.handle(&[import(1, ImportState::Completed)]));
        assert!(imports.are_settled());
    }

    #[test]
    fn an_import_under_way_is_a_doubt_and_brings_rows_when_it_ends() {
        let mut imports = Imports::default();
        for state in [
            ImportState::Pending,
            ImportState::Started,
            ImportState::Persisted,
        ] {
            assert!(!imports.handle(&[import(1, state)]));
            assert!(imports.are_settled());
            assert!(imports.doubt().is_some());
        }
        assert!(imports.handle(&[import(1, ImportState::Completed)]));
        assert!(imports.are_awaited());
    }

    #[test]
    fn a_failed_import_brings_nothing() {
        let mut imports = Imports::default();
        let reason = "no such file".to_owned();
        assert!(!imports.handle(&[import(1, ImportState::Failed { reason })]));
        assert!(imports.are_settled());
        assert_eq!(imports.doubt(), None);
    }
}
