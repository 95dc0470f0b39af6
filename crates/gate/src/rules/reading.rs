//! Values out of a rules file; what is wrong is noted with its place.

use std::path::PathBuf;

use ficha_config::{Entry, Node, Place, Problem, Value, did_you_mean};

/// One table of the file while it is read.
pub(crate) struct Table<'a> {
    /// How messages call it: `[[api]]`.
    pub(crate) name: &'static str,
    pub(crate) place: &'a Place,
    pub(crate) entries: &'a [Entry],
}

impl<'a> Table<'a> {
    /// The value of `key`, when it is there.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// Notes every key that is none of `known`.
    pub(crate) fn unknown(&self, known: &[&str], problems: &mut Vec<Problem>) {
        for entry in self.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let near = did_you_mean(&entry.key, known.iter().copied());
            let message = format!("unknown key{near} (there are {})", known.join(", "));
            problems.push(Problem { place: entry.place.clone(), key: self.key(&entry.key), message });
        }
    }

    /// A text.
    pub(crate) fn text(&self, key: &str, problems: &mut Vec<Problem>) -> Option<&'a str> {
        let node = self.get(key)?;
        self.text_of(key, node, problems)
    }

    /// A list of texts; one alone may stand without brackets.
    pub(crate) fn texts(&self, key: &str, problems: &mut Vec<Problem>) -> Option<Vec<(&'a str, &'a Place)>> {
        let node = self.get(key)?;
        let Value::List(items) = &node.value else {
            return Some(vec![(self.text_of(key, node, problems)?, &node.place)]);
        };
        items.iter().map(|item| Some((self.text_of(key, item, problems)?, &item.place))).collect()
    }

    /// The paths of files, which begin at the folder of the rules.
    pub(crate) fn files(&self, key: &str, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
        let texts = self.texts(key, problems).unwrap_or_default();
        texts.into_iter().map(|(text, place)| place.resolve(text)).collect()
    }

    /// `true` or `false`; `false` when it is not there.
    pub(crate) fn flag(&self, key: &str, problems: &mut Vec<Problem>) -> bool {
        match self.get(key).map(|node| (&node.value, node)) {
            None => false,
            Some((Value::Flag(flag), _)) => *flag,
            Some((_, node)) => {
                self.expected(key, "true or false", node, problems);
                false
            }
        }
    }

    /// Notes that something else was expected.
    pub(crate) fn expected(&self, key: &str, what: &str, node: &Node, problems: &mut Vec<Problem>) {
        self.wrong((key, &node.place), format!("expected {what}; found {}", node.value.found()), problems);
    }

    /// Notes `message` about `key`, or about the whole table where that is empty.
    pub(crate) fn wrong(&self, (key, place): (&str, &Place), message: impl Into<String>, problems: &mut Vec<Problem>) {
        problems.push(Problem { place: place.clone(), key: self.key(key), message: message.into() });
    }

    fn text_of(&self, key: &str, node: &'a Node, problems: &mut Vec<Problem>) -> Option<&'a str> {
        match &node.value {
            Value::Text(text) => Some(text),
            Value::Word(_)
            | Value::Integer(_)
            | Value::Flag(_)
            | Value::List(_)
            | Value::Table(_)
            | Value::Other(_) => {
                self.expected(key, "a text", node, problems);
                None
            }
        }
    }

    fn key(&self, key: &str) -> String {
        if key.is_empty() || self.name.is_empty() {
            format!("{}{key}", self.name)
        } else {
            format!("{} {key}", self.name)
        }
    }
}
