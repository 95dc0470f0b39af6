//! A dialect file as a tree: every key and value with its place, tables in the order of the file.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{At, Problem};

/// Bytes that a dialect file may have.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) at: At,
}

/// A value of TOML. Dates are texts: JSON has none.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Array(Vec<Node>),
    Table(Table),
}

impl Value {
    /// What it is called in messages.
    pub(super) const fn noun(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A table in the order of its file.
#[derive(Debug, Clone, Default)]
pub(super) struct Table(pub(super) Vec<Entry>);

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: At,
    pub(super) node: Node,
}

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.node)
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|e| e.key == key)
    }

    /// The text under `key`, when there is one.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.value {
            Value::Text(text) => Some(text),
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) | Value::Array(_) | Value::Table(_) => None,
        }
    }
}

/// Reads `text`, which is called `file` in messages.
pub(super) fn read(file: &Arc<str>, text: &str) -> Result<Table, Vec<Problem>> {
    let whole = At { file: Arc::clone(file), line: 1 };
    if text.len() > MAX_BYTES {
        return Err(vec![whole.problem("", format!("expected at most {MAX_BYTES} bytes"))]);
    }
    let reader = Reader { file, line_starts: line_starts(text) };
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problem = |e: &toml::de::Error| {
            reader.at(e.span().map_or(0, |s| s.start)).problem("", format!("not valid TOML: {}", one_line(e.message())))
        };
        return Err(errors.iter().map(problem).collect());
    }
    let mut problems = Vec::new();
    let table = reader.table(table.get_ref(), &mut problems);
    if problems.is_empty() { Ok(table) } else { Err(problems) }
}

fn one_line(message: &str) -> String {
    message.split('\n').map(str::trim).collect::<Vec<_>>().join("; ")
}

fn line_starts(text: &str) -> Vec<usize> {
    text.match_indices('\n').map(|(at, _)| at + 1).collect()
}

struct Reader<'f> {
    file: &'f Arc<str>,
    line_starts: Vec<usize>,
}

impl Reader<'_> {
    fn at(&self, offset: usize) -> At {
        At { file: Arc::clone(self.file), line: 1 + self.line_starts.partition_point(|start| *start <= offset) }
    }

    fn table(&self, table: &DeTable<'_>, problems: &mut Vec<Problem>) -> Table {
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let key: &Spanned<std::borrow::Cow<'_, str>> = key;
            let (at, key) = (self.at(key.span().start), key.get_ref().clone().into_owned());
            Entry { node: self.node(value, &key, problems), key, at }
        };
        Table(table.iter().map(entry).collect())
    }

    fn node(&self, node: &Spanned<DeValue<'_>>, key: &str, problems: &mut Vec<Problem>) -> Node {
        let at = self.at(node.span().start);
        let value = match node.get_ref() {
            DeValue::String(text) => Value::Text(text.clone().into_owned()),
            DeValue::Integer(digits) => {
                let number = i64::from_str_radix(digits.as_str(), digits.radix());
                if number.is_err() {
                    problems.push(at.problem(key, "expected a whole number of at most 64 bits"));
                }
                Value::Integer(number.unwrap_or_default())
            }
            DeValue::Float(digits) => match digits.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Float(number),
                _ => {
                    problems.push(at.problem(key, "expected a finite number: JSON has no other"));
                    Value::Float(0.0)
                }
            },
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Datetime(date) => Value::Text(date.to_string()),
            DeValue::Array(items) => Value::Array(items.iter().map(|item| self.node(item, key, problems)).collect()),
            DeValue::Table(table) => Value::Table(self.table(table, problems)),
        };
        Node { value, at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_keeps_the_order_and_the_lines_of_its_file() {
        let table = read(&"x.toml".into(), "z = 1\n\n[b]\ny = \"{a}\"\na = [1,\n 2.5]\n[a]\n").unwrap();
        assert_eq!(
            table.0.iter().map(|e| (e.key.as_str(), e.at.line)).collect::<Vec<_>>(),
            [("z", 1), ("b", 3), ("a", 7)]
        );
        let Value::Table(b) = &table.get("b").unwrap().value else { panic!("b is a table") };
        assert_eq!(b.0.iter().map(|e| (e.key.as_str(), e.at.line)).collect::<Vec<_>>(), [("y", 4), ("a", 5)]);
        assert_eq!(b.text("y"), Some("{a}"));
        let Value::Array(items) = &b.get("a").unwrap().value else { panic!("a is a list") };
        assert_eq!(items[1].at.line, 6);
    }

    #[test]
    fn what_is_not_toml_names_its_line() {
        let problems = read(&"x.toml".into(), "a = 1\nb = = 2\na = 3\n").unwrap_err();
        assert!(problems.iter().any(|p| p.line == 2), "{problems:?}");
        assert!(problems.iter().any(|p| p.line == 3), "{problems:?}");
    }

    #[test]
    fn numbers_that_json_cannot_hold_are_refused() {
        let problems = read(&"x.toml".into(), "a = nan\nb = 99999999999999999999\n").unwrap_err();
        assert_eq!(problems.iter().map(|p| p.line).collect::<Vec<_>>(), [1, 2]);
    }
}
