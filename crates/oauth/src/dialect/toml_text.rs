//! A tree written as TOML again: what `ficha dialect show` prints. Reading it gives the same dialect.

use std::fmt::Write;

use super::{
    merge::{TEMPLATES, holds_errors, join},
    tree::{Entry, Node, Table, Value},
};

/// The tables of `table` as sections, templates and lists in one line where they stand.
pub(super) fn write(table: &Table) -> String {
    let mut out = String::new();
    section(&mut out, "", table);
    out
}

fn section(out: &mut String, path: &str, table: &Table) {
    let (below, here): (Vec<&Entry>, Vec<&Entry>) = table.0.iter().partition(|e| is_section(path, e));
    if !here.is_empty() || below.is_empty() {
        if !path.is_empty() {
            let gap = if out.is_empty() { "" } else { "\n" };
            let _ = writeln!(out, "{gap}[{path}]");
        }
        for entry in here {
            write_key(out, &entry.key);
            out.push_str(" = ");
            inline(out, &entry.node);
            out.push('\n');
        }
    }
    for entry in below {
        if let Value::Table(table) = &entry.node.value {
            let mut key = String::new();
            write_key(&mut key, &entry.key);
            section(out, &join(path, &key), table);
        }
    }
}

/// Whether the table of `entry` gets a heading of its own.
fn is_section(path: &str, entry: &Entry) -> bool {
    let inside_template = TEMPLATES.contains(&path);
    let is_error = path.rsplit_once('.').is_some_and(|(above, _)| holds_errors(above));
    matches!(entry.node.value, Value::Table(_)) && !inside_template && !is_error
}

fn inline(out: &mut String, node: &Node) {
    match &node.value {
        Value::Text(text) => quoted(out, text),
        Value::Integer(number) => {
            let _ = write!(out, "{number}");
        }
        // `{:?}` keeps the point that makes it a float.
        Value::Float(number) => {
            let _ = write!(out, "{number:?}");
        }
        Value::Bool(truth) => {
            let _ = write!(out, "{truth}");
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                inline(out, item);
            }
            out.push(']');
        }
        Value::Table(table) if table.0.is_empty() => out.push_str("{}"),
        Value::Table(table) => {
            for (i, entry) in table.0.iter().enumerate() {
                out.push_str(if i == 0 { "{ " } else { ", " });
                write_key(out, &entry.key);
                out.push_str(" = ");
                inline(out, &entry.node);
            }
            out.push_str(" }");
        }
    }
}

fn write_key(out: &mut String, key: &str) {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare {
        out.push_str(key);
    } else {
        quoted(out, key);
    }
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tree, *};

    #[test]
    fn nested_templates_stay_where_they_stand() {
        let text =
            "[token.answer]\ndata = { \"a b\" = \"{access_token}\", n = [1, 2.0, true] }\nlast = \"\\u0001\\\\\"\n";
        let table = tree::read(&"x.toml".into(), text).unwrap();
        assert_eq!(write(&table), text);
    }

    fn any_node() -> impl Strategy<Value = Value> {
        let at = || super::super::problem::At { file: "x".into(), line: 1 };
        let leaf = prop_oneof![
            any::<String>().prop_map(Value::Text),
            any::<i64>().prop_map(Value::Integer),
            (-1e9..1e9).prop_map(Value::Float),
            any::<bool>().prop_map(Value::Bool),
        ];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(move |items| Value::Array(
                    items.into_iter().map(|value| Node { value, at: at() }).collect()
                )),
                prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(move |map| {
                    let entry = |(key, value)| Entry { key, at: at(), node: Node { value, at: at() } };
                    Value::Table(Table(map.into_iter().map(entry).collect()))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in any_node()) {
            let at = super::super::problem::At { file: "x".into(), line: 1 };
            let node = Node { value, at: at.clone() };
            let table = Table(vec![Entry { key: "token".into(), at, node }]);
            let text = write(&table);
            let again = tree::read(&"x".into(), &text).unwrap();
            prop_assert_eq!(write(&again), text);
        }
    }
}
