//! Tables in Markdown.

use crate::printable::printable;

/// A table of this head, whose cells are Markdown, as the following rows are: a line each.
pub fn table(head: &[String], rows: impl IntoIterator<Item = Vec<String>>) -> Vec<String> {
    let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
    let rule = format!("|{}", "---|".repeat(head.len()));
    [line(head), rule].into_iter().chain(rows.into_iter().map(|row| line(&row))).collect()
}

/// Text that may hold anything, a line's end too, within a cell.
pub fn escaped(text: &str) -> String {
    printable(&text.replace('\\', "\\\\").replace('|', "\\|")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cell_holds_does_not_end_it() {
        let cells = |texts: [&str; 2]| texts.map(escaped).to_vec();
        let table = table(&cells(["run", "a|b"]), [cells([r"c\", r"\|"]), cells(["", "ä\nb"])]);
        assert_eq!(table, ["| run | a\\|b |", "|---|---|", r"| c\\ | \\\| |", "|  | ä\\nb |"]);
    }
}
