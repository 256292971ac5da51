//! Columns for people.

use wire::visible;

use crate::output::out;

/// Prints rows under a head, every column as wide as its widest cell.
pub(crate) fn print(head: &[&str], rows: &[Vec<String>]) {
    for line in lines(head, rows) {
        out!("{line}");
    }
}

fn lines(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let shown = |row: &Vec<String>| row.iter().map(|cell| visible(cell).to_string()).collect();
    let all: Vec<Vec<String>> = std::iter::once(&head).chain(rows).map(shown).collect();
    let width = |column: usize| {
        all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["kitchen".into(), "1".into()], vec!["à".into(), "12".into()]];
        assert_eq!(lines(&["ZONE", "NO"], &rows), ["ZONE     NO", "kitchen  1", "à        12"]);
        let forged = [vec!["a\nb".into(), "\u{1b}[2J".into()]];
        assert_eq!(lines(&["ZONE", "NO"], &forged), ["ZONE  NO", "a\\nb  \\u{1b}[2J"]);
    }
}
