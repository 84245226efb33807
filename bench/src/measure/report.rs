//! What a run tells: progress while it goes on, a table, one JSON line.

use serde_json::Value;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Shows how far a run is: one line that is written over on a terminal; elsewhere nothing, for logs keep all lines.
pub(crate) fn progress(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
    }
}

/// Clears what [`progress`] wrote last.
pub(crate) fn progress_done() {
    progress("");
}

/// Appends `line` to the file, or prints it where there is none.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn json_line(file: Option<&Path>, line: &Value) -> io::Result<()> {
    match file {
        Some(path) => writeln!(OpenOptions::new().create(true).append(true).open(path)?, "{line}"),
        None => writeln!(io::stdout(), "{line}"),
    }
}

/// A table as text: the first column to the left, the others to the right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let cell = if index == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            text += &cell;
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["name".to_owned(), "us".to_owned()], vec!["a".to_owned(), "1234".to_owned()]];
        assert_eq!(table(&rows), "name    us\na     1234\n");
    }
}
