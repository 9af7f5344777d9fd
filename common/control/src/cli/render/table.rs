//! Columns that stand under each other.

/// A table of texts; the first row is its head.
pub(crate) struct Table {
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these heads; those of columns that hold numbers begin with `>`, and are set to the right.
    pub(crate) fn new(heads: &[&str]) -> Self {
        let right = heads.iter().map(|head| head.starts_with('>')).collect();
        let head = heads
            .iter()
            .map(|head| head.trim_start_matches('>').to_owned())
            .collect();
        Self {
            right,
            rows: vec![head],
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table's lines, each behind `indent` spaces.
    pub(crate) fn lines(&self, indent: usize) -> Vec<String> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.right.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let mut text = " ".repeat(indent);
            for (column, cell) in row.iter().enumerate() {
                let padding = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
                let cell = if self.right[column] {
                    padding + cell
                } else {
                    cell.clone() + &padding
                };
                text.push_str(&cell);
                text.push_str("  ");
            }
            text.trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_lines_have_no_tail() {
        let mut table = Table::new(&["NAME", ">ROWS", "STATE"]);
        table.row(vec!["docs".into(), "7".into(), "done".into()]);
        table.row(vec!["é".into(), "1,000".into(), String::new()]);
        assert_eq!(
            table.lines(1),
            [" NAME   ROWS  STATE", " docs      7  done", " é     1,000"]
        );
    }
}
