//! Reading a table of a declaration: what was asked for is known, everything else is an unknown key.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
};

use ficha_config::nearest;
use ficha_core::operator::{At, Problem};
use ficha_types::BadWord;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A value with its place.
pub(super) type Value<'t> = &'t Spanned<DeValue<'t>>;

/// A file, and what is wrong with it so far.
pub(super) struct File {
    name: String,
    /// Where each line but the first begins.
    starts: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
}

impl File {
    pub(super) fn new(name: &str, text: &str) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { name: name.to_owned(), starts, problems: RefCell::default() }
    }

    pub(super) fn problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// The line of a byte, 1 first.
    pub(super) fn line(&self, offset: usize) -> usize {
        1 + self.starts.partition_point(|start| *start <= offset)
    }

    pub(super) fn wrong(&self, line: usize, key: impl Into<String>, message: impl Into<String>) {
        let (file, key, message) = (self.name.clone(), key.into(), message.into());
        self.problems.borrow_mut().push(Problem { file, line, key, message });
    }

    /// `path` as it is meant in this file.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        Path::new(&self.name).parent().unwrap_or(Path::new("")).join(path)
    }
}

/// A table that is being read.
pub(super) struct Section<'t> {
    pub(super) file: &'t File,
    table: &'t DeTable<'t>,
    path: String,
    line: usize,
    known: RefCell<Vec<&'static str>>,
}

impl<'t> Section<'t> {
    /// The table at `line`, which is called `path` in messages.
    pub(super) fn new(file: &'t File, table: &'t DeTable<'t>, path: String, line: usize) -> Self {
        Self { file, table, path, line, known: RefCell::default() }
    }

    /// Where it stands, with the lines of its keys and of those in its inner tables.
    pub(super) fn at(&self) -> At {
        let mut keys = BTreeMap::new();
        for (key, value) in self.table {
            keys.insert(key.get_ref().clone().into_owned(), self.file.line(key.span().start));
            if let DeValue::Table(inner) = value.get_ref() {
                let line = |(inner, _): (&Spanned<std::borrow::Cow<'_, str>>, _)| {
                    (format!("{}.{}", key.get_ref(), inner.get_ref()), self.file.line(inner.span().start))
                };
                keys.extend(inner.iter().map(line));
            }
        }
        At { file: self.file.name.clone(), table: self.path.clone(), line: self.line, keys }
    }

    /// What stands under `key`, which is known from now on.
    pub(super) fn value(&self, key: &'static str) -> Option<Value<'t>> {
        self.known.borrow_mut().push(key);
        self.table.get(key)
    }

    /// A problem with `value`, which stands under `key`.
    pub(super) fn wrong(&self, value: Value<'_>, key: &str, message: impl Into<String>) {
        self.file.wrong(self.file.line(value.span().start), self.called(key), message);
    }

    /// What `key` of this table is called in messages.
    pub(super) fn called(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// What stands under `key`; a problem when nothing does.
    pub(super) fn need(&self, key: &'static str, expected: &str) -> Option<Value<'t>> {
        let value = self.value(key);
        if value.is_none() {
            self.file.wrong(self.line, self.called(key), format!("missing: expected {expected}"));
        }
        value
    }

    /// The text of `value`.
    pub(super) fn text(&self, value: Value<'t>, key: &str) -> Option<&'t str> {
        if let DeValue::String(text) = value.get_ref() {
            return Some(text);
        }
        self.wrong(value, key, format!("expected a text, found {}", noun(value)));
        None
    }

    /// The word of `value`.
    pub(super) fn word<T: FromStr<Err = BadWord>>(&self, value: Value<'t>, key: &str) -> Option<T> {
        let text = self.text(value, key)?;
        self.parsed(value, key, text)
    }

    fn parsed<T: FromStr<Err = BadWord>>(&self, value: Value<'_>, key: &str, text: &str) -> Option<T> {
        match text.parse() {
            Ok(word) => Some(word),
            Err(bad) => {
                self.wrong(value, key, format!("expected {}, found {text:?}", bad.expected));
                None
            }
        }
    }

    /// The word under `key`, which has to be there.
    pub(super) fn need_word<T: FromStr<Err = BadWord>>(&self, key: &'static str, expected: &str) -> Option<T> {
        self.need(key, expected).and_then(|value| self.word(value, key))
    }

    /// The word under `key`, if there is one.
    pub(super) fn maybe_word<T: FromStr<Err = BadWord>>(&self, key: &'static str) -> Option<T> {
        self.value(key).and_then(|value| self.word(value, key))
    }

    /// A word out of few: with the nearest one when it is none of them.
    pub(super) fn choice<T: FromStr<Err = BadWord>>(&self, value: Value<'t>, key: &str, names: &[&str]) -> Option<T> {
        let text = self.text(value, key)?;
        if let Ok(word) = text.parse() {
            return Some(word);
        }
        let near = did_you_mean(text, names);
        self.wrong(value, key, format!("expected {}, found {text:?}{near}", names.join(", ")));
        None
    }

    /// The items of a list.
    pub(super) fn list(&self, value: Value<'t>, key: &str) -> Vec<Value<'t>> {
        if let DeValue::Array(items) = value.get_ref() {
            return items.iter().collect();
        }
        self.wrong(value, key, format!("expected a list, found {}", noun(value)));
        Vec::new()
    }

    /// The words of the list under `key`; none when it is absent.
    pub(super) fn words<T: FromStr<Err = BadWord>>(&self, key: &'static str) -> Vec<T> {
        let items = self.value(key).map(|value| self.list(value, key)).unwrap_or_default();
        items.into_iter().filter_map(|item| self.word(item, key)).collect()
    }

    /// The choices of a list.
    pub(super) fn choices<T: FromStr<Err = BadWord>>(&self, value: Value<'t>, key: &str, names: &[&str]) -> Vec<T> {
        self.list(value, key).into_iter().filter_map(|item| self.choice(item, key, names)).collect()
    }

    /// `true` or `false`; `false` when it is absent.
    pub(super) fn flag(&self, key: &'static str) -> bool {
        match self.value(key).map(|value| (value, value.get_ref())) {
            None => false,
            Some((_, DeValue::Boolean(flag))) => *flag,
            Some((value, _)) => {
                self.wrong(value, key, format!("expected true or false, found {}", noun(value)));
                false
            }
        }
    }

    /// A whole number that is not negative.
    pub(super) fn number(&self, key: &'static str) -> Option<u32> {
        let value = self.value(key)?;
        if let DeValue::Integer(digits) = value.get_ref()
            && let Ok(number) = u32::from_str_radix(digits.as_str(), digits.radix())
        {
            return Some(number);
        }
        let found = match value.get_ref() {
            DeValue::Integer(digits) if digits.as_str().starts_with('-') => "one below 0",
            DeValue::Integer(_) => "a larger one",
            DeValue::String(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => noun(value),
        };
        self.wrong(value, key, format!("expected a whole number from 0 to {}, found {found}", u32::MAX));
        None
    }

    /// Milliseconds of a span: `"300ms"`, `"60s"`, `"5m"`, `"24h"`, `"7d"`.
    pub(super) fn span_ms(&self, key: &'static str) -> Option<i64> {
        let value = self.value(key)?;
        let text = self.text(value, key)?;
        let span = span_ms(text);
        if span.is_none() {
            let expected = "a span like \"300ms\", \"60s\", \"5m\", \"24h\" or \"7d\"";
            self.wrong(value, key, format!("expected {expected}, found {text:?}"));
        }
        span
    }

    /// A span of whole seconds.
    pub(super) fn span_s(&self, key: &'static str) -> Option<i64> {
        let ms = self.span_ms(key)?;
        if ms % 1000 == 0 {
            return Some(ms / 1000);
        }
        if let Some(value) = self.table.get(key) {
            self.wrong(value, key, "expected whole seconds");
        }
        None
    }

    /// The keys and values of the table under `key`.
    pub(super) fn map(&self, key: &'static str) -> Vec<(&'t str, Value<'t>)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        if let DeValue::Table(table) = value.get_ref() {
            return table.iter().map(|(key, value)| (&**key.get_ref(), value)).collect();
        }
        self.wrong(value, key, format!("expected a table, found {}", noun(value)));
        Vec::new()
    }

    /// The texts of the table under `key`.
    pub(super) fn texts(&self, key: &'static str) -> BTreeMap<String, String> {
        let text = |(name, value)| Some((name, self.text(value, &format!("{key}.{name}"))?));
        let texts = self.map(key).into_iter().filter_map(text);
        texts.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    }

    /// The tables of the list under `key` (`[[issuer.client]]`).
    pub(super) fn tables(&self, key: &'static str) -> Vec<Section<'t>> {
        let items = self.value(key).map(|value| self.list(value, key)).unwrap_or_default();
        items.into_iter().filter_map(|item| self.below(item, key)).collect()
    }

    /// The table that `value` is.
    pub(super) fn below(&self, value: Value<'t>, key: &str) -> Option<Section<'t>> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(Section::new(self.file, table, self.called(key), self.file.line(value.span().start)));
        }
        self.wrong(value, key, format!("expected a table, found {}", noun(value)));
        None
    }

    /// Complains of every key that nobody asked for.
    pub(super) fn finish(self) {
        let known = self.known.borrow();
        for (key, _) in self.table.iter().filter(|(key, _)| !known.contains(&&**key.get_ref())) {
            let near = did_you_mean(key.get_ref(), &known);
            let message = format!("unknown key{near} (there are {})", known.join(", "));
            self.file.wrong(self.file.line(key.span().start), self.called(key.get_ref()), message);
        }
    }
}

fn did_you_mean(word: &str, known: &[&str]) -> String {
    nearest(word, known.iter().copied()).map_or_else(String::new, |name| format!(", did you mean {name}?"))
}

/// What `value` is called in messages. Never the value itself: it may be a secret.
pub(super) fn noun(value: Value<'_>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn span_ms(text: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, each) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    number.parse::<i64>().ok()?.checked_mul(each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_digits_and_a_unit() {
        let spans =
            [("300ms", 300), ("60s", 60_000), ("5m", 300_000), ("24h", 86_400_000), ("7d", 604_800_000), ("0s", 0)];
        for (text, ms) in spans {
            assert_eq!(span_ms(text), Some(ms), "{text}");
        }
        for bad in ["", "s", "60", "-1s", "1.5h", "1 h", "7D", "99999999999999999999s", "1é", "9223372036854775807d"] {
            assert_eq!(span_ms(bad), None, "{bad}");
        }
    }
}
