//! What a verification found, as text: every difference by key and field.

use super::Table;
use super::status::verification;
use crate::cli::units::{count, counted};
use model::report::CollectionReport;
use model::{Difference, Key, Verification, VerifyReport};

/// The report: a table of the collections, then the differences of each, then the verdict.
pub(crate) fn report(report: &VerifyReport) -> Vec<String> {
    let mut table = Table::new(&["SOURCE", "TARGET", "OUTCOME", ">ROWS COMPARED", ">RANGES"]);
    for collection in &report.collections {
        table.row(vec![
            collection.source.to_string(),
            collection.target.to_string(),
            verification(&collection.outcome),
            count(collection.rows),
            count(collection.ranges),
        ]);
    }
    let mut lines = table.lines(0);
    for collection in &report.collections {
        lines.extend(duplicates(collection));
        lines.extend(differences(collection));
    }
    lines.push(String::new());
    lines.push(verdict(report));
    lines
}

fn duplicates(collection: &CollectionReport) -> Vec<String> {
    if collection.source_duplicates == 0 {
        return vec![];
    }
    let rows = counted(collection.source_duplicates, "row", "rows");
    let keys: Vec<_> = collection
        .source_duplicate_keys
        .iter()
        .map(Key::to_string)
        .collect();
    vec![
        String::new(),
        format!(
            "{}: {rows} on the source share their primary key with another: {}",
            collection.source,
            keys.join(", ")
        ),
    ]
}

fn differences(collection: &CollectionReport) -> Vec<String> {
    if collection.differences.is_empty() {
        return vec![];
    }
    let total = counted(collection.differences_total, "difference", "differences");
    let mut lines = vec![String::new(), format!("{}: {total}", collection.target)];
    let mut table = Table::new(&["KIND", "PARTITION", "KEY", "FIELD", "DETAIL"]);
    for difference in &collection.differences {
        table.row(cells(difference));
    }
    lines.extend(table.lines(2));
    let unnamed = collection
        .differences_total
        .saturating_sub(collection.differences.len() as u64);
    if unnamed > 0 {
        lines.push(format!(
            "  … and {} more, counted but not named",
            count(unnamed)
        ));
    }
    lines
}

fn cells(difference: &Difference) -> Vec<String> {
    let text = |given: &Option<String>| given.clone().unwrap_or_else(|| "-".to_owned());
    vec![
        difference.kind.to_string(),
        text(&difference.partition),
        difference
            .key
            .as_ref()
            .map_or_else(|| "-".to_owned(), ToString::to_string),
        text(&difference.field),
        difference.detail.clone(),
    ]
}

fn verdict(report: &VerifyReport) -> String {
    let total: u64 = report
        .collections
        .iter()
        .map(|collection| collection.differences_total)
        .sum();
    let unproven = report.collections.iter().filter(|collection| {
        !matches!(
            collection.outcome,
            Verification::Clean | Verification::Mismatched { .. }
        )
    });
    let rows = counted(
        report
            .collections
            .iter()
            .map(|collection| collection.rows)
            .sum(),
        "row",
        "rows",
    );
    match (total, unproven.count()) {
        (0, 0) => format!("equal: {rows} compared, no difference"),
        (0, unproven) => {
            let unproven = counted(unproven as u64, "collection was", "collections were");
            format!("not proven: {unproven} not compared to the end")
        }
        (total, _) => {
            format!(
                "not equal: {} in {rows}",
                counted(total, "difference", "differences")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn every_difference_is_named_by_key_and_field_and_the_unnamed_are_counted() {
        assert_eq!(
            report(&sample::report()),
            [
                "SOURCE        TARGET        OUTCOME            ROWS COMPARED  RANGES",
                "default.docs  default.docs  equal                      6,000       2",
                "sales.orders  acme.orders   1,200 differences          6,000       2",
                "",
                "sales.orders: 3 rows on the source share their primary key with another: 7",
                "",
                "acme.orders: 1,200 differences",
                "  KIND         PARTITION  KEY           FIELD      DETAIL",
                "  missing row  2025       7             -",
                "  value        2025       \"a\\n\\u{1b}b\"  embedding  bits differ",
                "  alias        -          -             current    missing on the target",
                "  … and 1,197 more, counted but not named",
                "",
                "not equal: 1,200 differences in 12,000 rows",
            ]
        );
    }

    #[test]
    fn nothing_is_called_equal_that_was_not_compared() {
        let mut given = sample::report();
        given.collections.truncate(1);
        assert_eq!(
            report(&given).last().unwrap(),
            "equal: 6,000 rows compared, no difference"
        );
        given.collections[0].outcome = Verification::Blocked {
            reason: "not loaded".into(),
        };
        assert_eq!(
            report(&given).last().unwrap(),
            "not proven: 1 collection was not compared to the end"
        );
    }
}
