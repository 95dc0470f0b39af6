//! What a command says: JSON, or tables and lines for a person.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use anyhow::Result;
use ficha_types::UnixSeconds;
use serde::Serialize;

/// Says `value` in JSON, or what `text` makes of it.
pub(crate) fn say<T: Serialize>(json: bool, value: &T, text: impl FnOnce(&T) -> String) -> Result<()> {
    let said = if json { serde_json::to_string_pretty(value)? } else { text(value) };
    print(&said)
}

/// Prints lines. Whoever reads them may stop reading: that is no failure.
pub(crate) fn print(text: &str) -> Result<()> {
    let text = text.trim_end();
    if text.is_empty() {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

/// Tells a person something that is not the answer itself.
pub(crate) fn note(text: &str) {
    // Where there is nobody to tell, nobody is told.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Columns under their names, as wide as they need to be.
pub(crate) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(columns: [&'static str; N]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; an empty cell is written `-`.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into_iter().map(|cell| if cell.is_empty() { "-".into() } else { cell }).collect());
    }

    /// The table, or `nothing` when it has no row.
    pub(crate) fn or(self, nothing: &str) -> String {
        if self.rows.is_empty() {
            return nothing.to_owned();
        }
        let header: Vec<String> = self.columns.iter().map(|name| name.to_uppercase()).collect();
        let lines = || std::iter::once(&header).chain(&self.rows);
        let width = |n: usize| lines().filter_map(|row| row.get(n)).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut out = String::new();
        for row in lines() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(line, "{cell:width$}  ");
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// `name   value` lines, the names as wide as the widest.
pub(crate) fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    facts.iter().filter(|(_, value)| !value.is_empty()).fold(String::new(), |mut out, (name, value)| {
        let _ = writeln!(out, "{name:width$}  {value}");
        out
    })
}

/// An instant as RFC 3339 writes it, in UTC.
pub(crate) fn moment(at: UnixSeconds) -> String {
    jiff::Timestamp::from_second(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

/// An instant that may be none.
pub(crate) fn maybe(at: Option<UnixSeconds>, none: &str) -> String {
    at.map_or_else(|| none.to_owned(), moment)
}

/// The word that serde writes for a plain enum.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_wide_as_it_needs_to_be() {
        let mut table = Table::new(["id", "status"]);
        table.row(["app".into(), "enabled".into()]);
        table.row(["año-nuevo".into(), String::new()]);
        assert_eq!(table.or("none"), "ID         STATUS\napp        enabled\naño-nuevo  -\n");
        assert_eq!(Table::new(["id"]).or("there is none"), "there is none");
    }

    #[test]
    fn a_moment_reads_as_a_date_and_a_time() {
        assert_eq!(moment(UnixSeconds(0)), "1970-01-01T00:00:00Z");
        assert_eq!(moment(UnixSeconds(i64::MAX)), i64::MAX.to_string());
    }
}
