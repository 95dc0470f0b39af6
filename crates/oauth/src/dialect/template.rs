//! Templates: what a dialect writes, with variables where the facts go.
//!
//! A text with one variable and nothing else is a whole value: a number stays a number, a text gets its quotes, and a variable
//! that has no value takes its member with it. `{name:text}` makes a text of a number, `{name:list}` a list of the words of a
//! text. `{{` and `}}` are braces.

use std::fmt::{Debug, Write};

use super::tree::{Node, Table, Value};

/// A variable of one kind of template.
pub(super) trait Variable: Clone + PartialEq + Debug {
    /// The names that there are, for messages.
    const NAMES: &'static [&'static str];
    /// The variable of that name.
    fn of_name(name: &str) -> Option<Self>;
    /// Whether its value is a number.
    fn is_number(&self) -> bool;
    /// Whether it may have no value.
    fn may_be_absent(&self) -> bool;
}

/// The value of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datum<'d> {
    Text(&'d str),
    /// A token of ours: base64url and dots, of which nothing needs escaping.
    Token(&'d str),
    Number(i64),
}

/// How a variable is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    AsItIs,
    Text,
    List,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
enum Piece<V> {
    Literal(String),
    Variable(V, Form),
}

/// A step of writing JSON.
#[derive(Debug, Clone, PartialEq)]
enum Op<V> {
    /// Written as it is.
    Literal(String),
    /// A value without quotes: a number, or a text within quotes that are literals.
    Value(V),
    /// A list of the words of a text.
    List(V),
    /// A comma, unless an object or a list was just opened.
    Comma,
    /// Only when all these variables have a value.
    Optional(Vec<V>, Vec<Op<V>>),
}

/// A JSON value with variables, compiled into what to write one after the other.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template<V>(Vec<Op<V>>);

/// A text with variables, as in a header.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TextTemplate<V>(Vec<Piece<V>>);

/// Takes what is wrong with a template: where, below which key, what was expected.
pub(super) type Complain<'c> = dyn FnMut(&Node, &str, String) + 'c;

impl<V: Variable> Template<V> {
    /// Compiles an object. Complains of each text in it that is no template, and writes those as nothing.
    pub(super) fn object(table: &Table, complain: &mut Complain<'_>) -> Self {
        let mut compiler = Compiler { ops: Vec::new(), complain };
        compiler.object(table, "");
        Self(compiler.ops)
    }

    /// Writes the JSON to `out`.
    pub(super) fn write<'d>(&self, out: &mut String, get: &impl Fn(&V) -> Option<Datum<'d>>) {
        write_ops(&self.0, out, get);
    }

    /// Whether `variable` stands in it anywhere.
    pub(super) fn uses(&self, variable: &V) -> bool {
        fn uses<V: Variable>(ops: &[Op<V>], variable: &V) -> bool {
            ops.iter().any(|op| match op {
                Op::Literal(_) | Op::Comma => false,
                Op::Value(v) | Op::List(v) => v == variable,
                Op::Optional(_, ops) => uses(ops, variable),
            })
        }
        uses(&self.0, variable)
    }
}

impl<V: Variable> TextTemplate<V> {
    /// Compiles a text; else what was expected.
    pub(super) fn text(text: &str) -> Result<Self, String> {
        let pieces = pieces(text)?;
        if pieces.iter().any(|p| matches!(p, Piece::Variable(_, Form::List))) {
            return Err("a list can't stand in a text".into());
        }
        Ok(Self(pieces))
    }

    /// The text; `None` when a variable has no value.
    pub(super) fn render<'d>(&self, get: &impl Fn(&V) -> Option<Datum<'d>>) -> Option<String> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Variable(variable, _) => match get(variable)? {
                    Datum::Text(text) | Datum::Token(text) => out.push_str(text),
                    Datum::Number(number) => {
                        let _ = write!(out, "{number}");
                    }
                },
            }
        }
        Some(out)
    }

    /// Whether `variable` stands in it.
    pub(super) fn uses(&self, variable: &V) -> bool {
        self.0.iter().any(|p| matches!(p, Piece::Variable(v, _) if v == variable))
    }

    /// Its literal parts.
    pub(super) fn literals(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|p| match p {
            Piece::Literal(text) => Some(text.as_str()),
            Piece::Variable(..) => None,
        })
    }
}

/// Takes a text apart at its braces.
fn pieces<V: Variable>(text: &str) -> Result<Vec<Piece<V>>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from_brace) = rest.split_at(at);
        literal.push_str(before);
        if let Some(after) = from_brace.strip_prefix("{{").or_else(|| from_brace.strip_prefix("}}")) {
            literal.push_str(from_brace.get(..1).unwrap_or_default());
            rest = after;
            continue;
        }
        let Some((name, after)) = from_brace.strip_prefix('{').and_then(|inner| inner.split_once('}')) else {
            return Err("expected {variable}; a brace itself is written twice".into());
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(variable(name)?);
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

fn variable<V: Variable>(written: &str) -> Result<Piece<V>, String> {
    let (name, form) = written.split_once(':').map_or((written, None), |(name, form)| (name, Some(form)));
    let Some(variable) = V::of_name(name) else {
        let near = ficha_config::did_you_mean(name, V::NAMES.iter().copied());
        let all = if V::NAMES.is_empty() { String::new() } else { format!(" (there are {})", V::NAMES.join(", ")) };
        return Err(format!("there is no variable {{{name}}} here{near}{all}"));
    };
    let form = match form {
        None => Form::AsItIs,
        Some("text") => Form::Text,
        Some("list") if !variable.is_number() => Form::List,
        Some(_) => return Err(format!("expected {{{name}}}, {{{name}:text}} or, for words, {{{name}:list}}")),
    };
    Ok(Piece::Variable(variable, form))
}

/// Whether a member stands at the beginning of what holds it.
#[derive(Clone, Copy, PartialEq)]
enum First {
    Yes,
    No,
    Depends,
}

struct Compiler<'c, 'd, V> {
    ops: Vec<Op<V>>,
    complain: &'c mut Complain<'d>,
}

impl<V: Variable> Compiler<'_, '_, V> {
    fn literal(&mut self, text: &str) {
        if let Some(Op::Literal(last)) = self.ops.last_mut() {
            last.push_str(text);
        } else {
            self.ops.push(Op::Literal(text.to_owned()));
        }
    }

    fn object(&mut self, table: &Table, path: &str) {
        self.literal("{");
        let mut first = First::Yes;
        for entry in &table.0 {
            let mut name = String::new();
            write_quoted(&mut name, &entry.key);
            name.push(':');
            self.member(&mut first, &name, (&entry.node, &super::merge::join(path, &entry.key)));
        }
        self.literal("}");
    }

    fn member(&mut self, first: &mut First, name: &str, (node, path): (&Node, &str)) {
        let outer = std::mem::take(&mut self.ops);
        let needs = self.value(node, path);
        let value = std::mem::replace(&mut self.ops, outer);
        if needs.is_empty() {
            self.comma(*first);
            *first = First::No;
            self.literal(name);
            self.append(value);
        } else {
            let outer = std::mem::take(&mut self.ops);
            // What is written when it is written: at the very beginning without a comma.
            self.comma(*first);
            self.literal(name);
            self.append(value);
            let inner = std::mem::replace(&mut self.ops, outer);
            self.ops.push(Op::Optional(needs, inner));
            if *first == First::Yes {
                *first = First::Depends;
            }
        }
    }

    fn comma(&mut self, first: First) {
        match first {
            First::Yes => {}
            First::No => self.literal(","),
            First::Depends => self.ops.push(Op::Comma),
        }
    }

    fn append(&mut self, ops: Vec<Op<V>>) {
        for op in ops {
            match op {
                Op::Literal(text) => self.literal(&text),
                op @ (Op::Value(_) | Op::List(_) | Op::Comma | Op::Optional(..)) => self.ops.push(op),
            }
        }
    }

    /// Compiles a value; answers the variables without which it is left out.
    fn value(&mut self, node: &Node, path: &str) -> Vec<V> {
        match &node.value {
            Value::Text(text) => match self.text(text) {
                Ok(needs) => return needs,
                Err(message) => (self.complain)(node, path, message),
            },
            Value::Integer(number) => self.literal(&number.to_string()),
            Value::Float(number) => self.literal(&format!("{number:?}")),
            Value::Bool(truth) => self.literal(if *truth { "true" } else { "false" }),
            Value::Array(items) => {
                self.literal("[");
                let mut first = First::Yes;
                for item in items {
                    self.member(&mut first, "", (item, path));
                }
                self.literal("]");
            }
            Value::Table(table) => self.object(table, path),
        }
        Vec::new()
    }

    fn text(&mut self, text: &str) -> Result<Vec<V>, String> {
        let pieces = pieces::<V>(text)?;
        let needs = pieces.iter().filter_map(|p| match p {
            Piece::Variable(v, _) if v.may_be_absent() => Some(v.clone()),
            Piece::Variable(..) | Piece::Literal(_) => None,
        });
        let needs = needs.collect();
        match pieces.as_slice() {
            [Piece::Variable(v, Form::List)] => self.ops.push(Op::List(v.clone())),
            [Piece::Variable(v, Form::AsItIs)] if v.is_number() => self.ops.push(Op::Value(v.clone())),
            pieces => {
                self.literal("\"");
                for piece in pieces {
                    match piece {
                        Piece::Literal(text) => {
                            let mut escaped = String::new();
                            write_escaped(&mut escaped, text);
                            self.literal(&escaped);
                        }
                        Piece::Variable(_, Form::List) => {
                            return Err("a list stands alone: nothing before or after it".into());
                        }
                        Piece::Variable(v, Form::AsItIs | Form::Text) => self.ops.push(Op::Value(v.clone())),
                    }
                }
                self.literal("\"");
            }
        }
        Ok(needs)
    }
}

fn write_ops<'d, V: Variable>(ops: &[Op<V>], out: &mut String, get: &impl Fn(&V) -> Option<Datum<'d>>) {
    for op in ops {
        match op {
            Op::Literal(text) => out.push_str(text),
            Op::Value(variable) => match get(variable) {
                Some(Datum::Text(text)) => write_escaped(out, text),
                Some(Datum::Token(text)) => out.push_str(text),
                Some(Datum::Number(number)) => {
                    let _ = write!(out, "{number}");
                }
                None => {}
            },
            Op::List(variable) => {
                out.push('[');
                if let Some(Datum::Text(text) | Datum::Token(text)) = get(variable) {
                    for (i, word) in text.split(' ').filter(|w| !w.is_empty()).enumerate() {
                        out.push_str(if i == 0 { "" } else { "," });
                        write_quoted(out, word);
                    }
                }
                out.push(']');
            }
            // A text before it would end with its quote, so a bracket here is one that was just opened.
            Op::Comma if out.ends_with(['{', '[']) => {}
            Op::Comma => out.push(','),
            Op::Optional(needs, ops) => {
                if needs.iter().all(|v| get(v).is_some()) {
                    write_ops(ops, out, get);
                }
            }
        }
    }
}

fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    write_escaped(out, text);
    out.push('"');
}

/// Writes `text` as it stands within the quotes of a JSON text (RFC 8259 §7).
fn write_escaped(out: &mut String, text: &str) {
    // Without a branch per byte, so that the compiler looks at many at once.
    let escaped = |b: u8| u8::from(b < 0x20) | u8::from(b == b'"') | u8::from(b == b'\\');
    if text.bytes().fold(0, |any, b| any | escaped(b)) == 0 {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tree, *};

    #[derive(Debug, Clone, PartialEq)]
    enum Var {
        Name,
        Number,
        Maybe,
    }

    impl Variable for Var {
        const NAMES: &'static [&'static str] = &["name", "number", "maybe"];
        fn of_name(name: &str) -> Option<Self> {
            match name {
                "name" => Some(Self::Name),
                "number" => Some(Self::Number),
                "maybe" => Some(Self::Maybe),
                _ => None,
            }
        }
        fn is_number(&self) -> bool {
            *self == Self::Number
        }
        fn may_be_absent(&self) -> bool {
            *self == Self::Maybe
        }
    }

    fn compile(text: &str) -> (Template<Var>, Vec<String>) {
        let mut complaints = Vec::new();
        let mut complain = |_: &Node, key: &str, message: String| complaints.push(format!("{key}: {message}"));
        let template = Template::object(&tree::read(&"x.toml".into(), text).unwrap(), &mut complain);
        (template, complaints)
    }

    fn write(text: &str, name: &str, maybe: Option<&str>) -> String {
        let (template, complaints) = compile(text);
        assert_eq!(complaints, [""; 0]);
        let mut out = String::new();
        template.write(&mut out, &|v: &Var| match v {
            Var::Name => Some(Datum::Text(name)),
            Var::Number => Some(Datum::Number(-7)),
            Var::Maybe => maybe.map(Datum::Text),
        });
        out
    }

    #[test]
    fn a_whole_variable_keeps_its_type() {
        assert_eq!(
            write("a = '{name}'\nb = '{number}'\nc = '{number:text}'\nd = '{name:list}'\ne = '{number}s'", "x y", None),
            r#"{"a":"x y","b":-7,"c":"-7","d":["x","y"],"e":"-7s"}"#
        );
    }

    #[test]
    fn constants_of_any_type_stay_what_they_are() {
        assert_eq!(
            write("a = 'x{{}}'\nb = 1\nc = 1.0\nd = true\ne = [1, 'a', {f = {}}]\ng = 1979-05-27", "", None),
            r#"{"a":"x{}","b":1,"c":1.0,"d":true,"e":[1,"a",{"f":{}}],"g":"1979-05-27"}"#
        );
    }

    #[test]
    fn an_absent_variable_takes_its_member_with_it_wherever_it_stands() {
        for (text, with, without) in [
            ("a = '{maybe}'", r#"{"a":"m"}"#, "{}"),
            ("a = '{maybe}'\nb = 1", r#"{"a":"m","b":1}"#, r#"{"b":1}"#),
            ("b = 1\na = 'x{maybe}'", r#"{"b":1,"a":"xm"}"#, r#"{"b":1}"#),
            ("a = '{maybe}'\nb = '{maybe}'", r#"{"a":"m","b":"m"}"#, "{}"),
            ("a = '{maybe}'\nb = '{maybe}'\nc = 1", r#"{"a":"m","b":"m","c":1}"#, r#"{"c":1}"#),
            ("a = ['{maybe}', 2]", r#"{"a":["m",2]}"#, r#"{"a":[2]}"#),
            ("a = {b = '{maybe}'}\nc = 1", r#"{"a":{"b":"m"},"c":1}"#, r#"{"a":{},"c":1}"#),
        ] {
            assert_eq!(write(text, "", Some("m")), with, "{text}");
            assert_eq!(write(text, "", None), without, "{text}");
        }
    }

    #[test]
    fn what_is_no_template_is_named_with_what_there_is() {
        let (_, complaints) = compile("a = {b = '{nmae}'}\nc = '{name'\nd = 'x{name:list}'\ne = '{number:list}'");
        assert_eq!(
            complaints,
            [
                "a.b: there is no variable {nmae} here, did you mean name? (there are name, number, maybe)",
                "c: expected {variable}; a brace itself is written twice",
                "d: a list stands alone: nothing before or after it",
                "e: expected {number}, {number:text} or, for words, {number:list}",
            ]
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_json_that_says_the_same(name: String, maybe: Option<String>, key in "[^{}]{1,12}") {
            let quoted = toml::Value::String(key.clone()).to_string();
            let quoted = if quoted.starts_with("\"\"\"") || quoted.starts_with("'''") { "k".into() } else { quoted };
            let text = write(&format!("m = '{{maybe}}'\n[t]\n{quoted} = '{{name}}!'\n"), &name, maybe.as_deref());
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(json.get("m").and_then(|m| m.as_str()), maybe.as_deref());
            let first = json["t"].as_object().unwrap().values().next().unwrap();
            prop_assert_eq!(first.as_str().unwrap(), format!("{name}!"));
        }

        #[test]
        fn no_text_makes_the_reader_of_templates_panic(text: String) {
            let _ = TextTemplate::<Var>::text(&text);
            let _ = TextTemplate::<Var>::text(&format!("{{{text}}}"));
        }
    }
}
