//! A configuration as it was written: sections of keys, each value with its place.

use std::{path::Path, sync::Arc};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use crate::problem::{Place, Problem};

/// A value and where it stands.
#[derive(Debug)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// The value.
    pub value: Value,
}

/// A value as it was written.
#[derive(Debug)]
pub enum Value {
    /// A text.
    Text(String),
    /// Out of the environment, where everything is a text: a number, a list, whatever the option takes.
    Word(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Flag(bool),
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(Vec<Entry>),
    /// What no option takes: its name.
    Other(&'static str),
}

impl Value {
    /// How it is told in a message.
    #[must_use]
    pub fn found(&self) -> String {
        match self {
            Self::Text(text) | Self::Word(text) if text.chars().count() <= 80 => format!("{text:?}"),
            Self::Text(_) | Self::Word(_) => "a long text".into(),
            Self::Integer(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(_) => "a list".into(),
            Self::Table(_) => "a table".into(),
            Self::Other(noun) => (*noun).into(),
        }
    }
}

/// A key and its value.
#[derive(Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// The value.
    pub node: Node,
}

/// The keys of `text`, a TOML file that messages call `file`.
///
/// # Errors
/// Everything that is not TOML: never an empty list.
pub fn parse(file: &Arc<Path>, text: &str) -> Result<Vec<Entry>, Vec<Problem>> {
    let starts: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    let place = |at: usize| Place::Line(file.clone(), 1 + starts.partition_point(|start| *start <= at));
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(entries(table.get_ref(), &place));
    }
    let problem = |e: &toml::de::Error| {
        let message = e.message().lines().map(str::trim).collect::<Vec<_>>().join("; ");
        let place = e.span().map_or(Place::File(file.clone()), |span| place(span.start));
        Problem { place, key: String::new(), message: format!("not valid TOML: {message}") }
    };
    Err(errors.iter().map(problem).collect())
}

/// One value written as in TOML, the whole of it at `place`; `None` when it is not.
pub(crate) fn parse_value(place: &Place, text: &str) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    Some(node(&value, &|_| place.clone()))
}

/// The place of the byte of that number.
type PlaceOf<'p> = dyn Fn(usize) -> Place + 'p;

fn entries(table: &DeTable<'_>, place: &PlaceOf<'_>) -> Vec<Entry> {
    let entry = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| Entry {
        key: key.get_ref().clone().into_owned(),
        place: place(key.span().start),
        node: node(value, place),
    };
    table.iter().map(entry).collect()
}

fn node(value: &Spanned<DeValue<'_>>, place: &PlaceOf<'_>) -> Node {
    let read = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
            .map_or(Value::Other("a number of more than 64 bits"), Value::Integer),
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(items) => Value::List(items.iter().map(|item| node(item, place)).collect()),
        DeValue::Table(table) => Value::Table(entries(table, place)),
    };
    Node { place: place(value.span().start), value: read }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(place: &Place) -> usize {
        let Place::Line(_, line) = place else { panic!("{place:?} is no line") };
        *line
    }

    #[test]
    fn every_key_and_value_knows_its_line() {
        let file: Arc<Path> = Path::new("x.toml").into();
        let read = parse(&file, "[a]\nb = 1\nc = [2,\n 3]\n\n[d]\n").unwrap();
        assert_eq!(read.iter().map(|e| (e.key.as_str(), line(&e.place))).collect::<Vec<_>>(), [("a", 1), ("d", 6)]);
        let Value::Table(a) = &read[0].node.value else { panic!("a is a table") };
        assert_eq!(a.iter().map(|e| (e.key.as_str(), line(&e.place))).collect::<Vec<_>>(), [("b", 2), ("c", 3)]);
        let Value::List(c) = &a[1].node.value else { panic!("c is a list") };
        assert_eq!(c.iter().map(|n| line(&n.place)).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn what_is_not_toml_is_told_with_its_line_all_of_it() {
        let file: Arc<Path> = Path::new("x.toml").into();
        let problems = parse(&file, "a = 1\nb = = 2\na = 3\n").unwrap_err();
        assert!(problems.iter().any(|p| line(&p.place) == 2), "{problems:?}");
        assert!(problems.iter().any(|p| line(&p.place) == 3), "{problems:?}");
        assert!(problems.iter().all(|p| p.message.starts_with("not valid TOML: ") && !p.message.contains('\n')));
    }

    #[test]
    fn a_text_too_long_to_be_read_is_not_repeated() {
        assert_eq!(Value::Text("x".repeat(81)).found(), "a long text");
        assert_eq!(Value::Text("a\nb".into()).found(), r#""a\nb""#);
    }
}
