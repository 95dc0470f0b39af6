//! Reading a table of a dialect file: what was asked for is known, everything else is an unknown key.

use std::{cell::RefCell, str::FromStr};

use ficha_types::{BadWord, Seconds};

use super::{
    merge::join,
    problem::{At, Problems},
    tree::{Entry, Node, Table, Value},
};

/// Something was not as expected, and a problem says so.
pub(super) struct Noted;

/// A table that is being read.
pub(super) struct Section<'t> {
    pub(super) table: &'t Table,
    path: String,
    at: At,
    problems: &'t Problems,
    known: RefCell<Vec<&'static str>>,
}

impl<'t> Section<'t> {
    /// The whole file.
    pub(super) fn root(table: &'t Table, at: At, problems: &'t Problems) -> Self {
        Self { table, path: String::new(), at, problems, known: RefCell::default() }
    }

    /// What stands under `key`, which is known from now on.
    pub(super) fn entry(&self, key: &'static str) -> Option<&'t Entry> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.table.entry(key)
    }

    /// The table under `key`, none when there is none.
    pub(super) fn section(&self, key: &'static str) -> Option<Section<'t>> {
        self.entry(key).and_then(|entry| self.below(entry))
    }

    /// The table of an entry of this one.
    pub(super) fn below(&self, entry: &'t Entry) -> Option<Section<'t>> {
        let path = join(&self.path, &entry.key);
        if let Value::Table(table) = &entry.node.value {
            return Some(Section {
                table,
                path,
                at: entry.at.clone(),
                problems: self.problems,
                known: RefCell::default(),
            });
        }
        self.problems.add(&entry.at, path, format!("expected a table, found {}", entry.node.value.noun()));
        None
    }

    /// The table under `key`; a problem when there is none.
    pub(super) fn need_section(&self, key: &'static str, expected: &str) -> Option<Section<'t>> {
        self.need(key, expected).and_then(|entry| self.below(entry))
    }

    /// What stands under `key`; a problem when nothing does.
    pub(super) fn need(&self, key: &'static str, expected: &str) -> Option<&'t Entry> {
        let entry = self.entry(key);
        if entry.is_none() {
            self.problems.add(&self.at, join(&self.path, key), format!("missing: expected {expected}"));
        }
        entry
    }

    /// A problem with the value of `entry`.
    pub(super) fn wrong(&self, entry: &Entry, message: impl Into<String>) {
        self.problems.add(&entry.node.at, join(&self.path, &entry.key), message);
    }

    /// A problem with the table itself.
    pub(super) fn wrong_here(&self, message: impl Into<String>) {
        self.problems.add(&self.at, self.path.clone(), message);
    }

    /// A problem with a value somewhere below `key` of this table.
    pub(super) fn wrong_at(&self, at: &At, key: &str, message: impl Into<String>) {
        self.problems.add(at, join(&self.path, key), message);
    }

    /// The text of `entry`.
    pub(super) fn text(&self, entry: &'t Entry) -> Option<&'t str> {
        self.node_text(entry, &entry.node)
    }

    fn node_text(&self, entry: &Entry, node: &'t Node) -> Option<&'t str> {
        if let Value::Text(text) = &node.value {
            return Some(text);
        }
        let message = format!("expected a text, found {}", node.value.noun());
        self.problems.add(&node.at, join(&self.path, &entry.key), message);
        None
    }

    /// One text, or a list of them; at least one.
    pub(super) fn texts(&self, entry: &'t Entry) -> Option<Vec<(&'t str, &'t At)>> {
        let items: Vec<&Node> = match &entry.node.value {
            Value::Array(items) => items.iter().collect(),
            Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Bool(_) | Value::Table(_) => {
                vec![&entry.node]
            }
        };
        if items.is_empty() {
            self.wrong(entry, "expected at least one");
            return None;
        }
        let texts: Vec<_> = items.iter().filter_map(|n| Some((self.node_text(entry, n)?, &n.at))).collect();
        (texts.len() == items.len()).then_some(texts)
    }

    /// One word of `names`.
    pub(super) fn word<T: FromStr<Err = BadWord>>(&self, entry: &'t Entry, names: &[&str]) -> Option<T> {
        let text = self.text(entry)?;
        self.parsed(entry, (text, &entry.node.at), names)
    }

    /// A list of words of `names`, each once; it may be empty.
    pub(super) fn words<T: FromStr<Err = BadWord> + PartialEq>(
        &self,
        entry: &'t Entry,
        names: &[&str],
    ) -> Option<Vec<T>> {
        if matches!(&entry.node.value, Value::Array(items) if items.is_empty()) {
            return Some(Vec::new());
        }
        let texts = self.texts(entry)?;
        let words: Vec<T> = texts.iter().filter_map(|text| self.parsed(entry, *text, names)).collect();
        if words.len() < texts.len() {
            return None;
        }
        if words.iter().enumerate().any(|(i, w)| words.iter().skip(i + 1).any(|other| w == other)) {
            self.wrong(entry, "expected each only once");
            return None;
        }
        Some(words)
    }

    fn parsed<T: FromStr<Err = BadWord>>(&self, entry: &Entry, (text, at): (&str, &At), names: &[&str]) -> Option<T> {
        if let Ok(word) = text.parse() {
            return Some(word);
        }
        let message = format!(
            "expected {}, found {text:?}{}",
            or(names),
            ficha_config::did_you_mean(text, names.iter().copied())
        );
        self.problems.add(at, join(&self.path, &entry.key), message);
        None
    }

    /// A span: `"60s"`, `"90m"`, `"24h"`, `"7d"`.
    pub(super) fn span(&self, entry: &'t Entry) -> Option<Seconds> {
        let text = self.text(entry)?;
        let span = span(text);
        if span.is_none() {
            self.wrong(entry, format!("expected a span like \"60s\", \"90m\", \"24h\" or \"7d\", found {text:?}"));
        }
        span
    }

    /// Complains of every key that nobody asked for.
    pub(super) fn finish(self) {
        let known = self.known.borrow();
        for entry in self.table.0.iter().filter(|e| !known.contains(&e.key.as_str())) {
            let near = ficha_config::did_you_mean(&entry.key, known.iter().copied());
            let message = format!("unknown key{near} (there are {})", known.join(", "));
            self.problems.add(&entry.at, join(&self.path, &entry.key), message);
        }
    }
}

/// `a, b or c`.
pub(super) fn or(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// Reads digits and a unit; at most ten years.
fn span(text: &str) -> Option<Seconds> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1).filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))?;
    let seconds = digits.parse::<i64>().ok()?.checked_mul(unit)?;
    (seconds <= 10 * 366 * 86_400).then_some(Seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_digits_and_a_unit() {
        assert_eq!(span("60s"), Some(Seconds(60)));
        assert_eq!(span("90m"), Some(Seconds(5400)));
        assert_eq!(span("24h"), Some(Seconds(86_400)));
        assert_eq!(span("7d"), Some(Seconds(604_800)));
        assert_eq!(span("0s"), Some(Seconds(0)));
        for bad in ["", "s", "60", "-1s", "1.5h", "1 h", "7D", "99999999999999999999s", "4000d", "1é"] {
            assert_eq!(span(bad), None, "{bad}");
        }
    }
}
