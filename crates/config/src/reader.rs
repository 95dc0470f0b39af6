//! Reads options out of what was written, and keeps what is wrong.

use std::collections::HashMap;

use crate::{
    document::{Entry, Node, Value, parse_value},
    environment::Variable,
    kinds::Kind,
    nearest::did_you_mean,
    problem::{Place, Problem},
};

/// Section and key.
pub(crate) type Name = (&'static str, &'static str);

/// What the reference tells of a section.
pub(crate) struct SectionInfo {
    pub(crate) name: &'static str,
    /// Its doc comment, line by line.
    pub(crate) about: &'static [&'static str],
    pub(crate) options: Vec<OptionInfo>,
}

/// What the reference tells of an option.
pub(crate) struct OptionInfo {
    pub(crate) key: &'static str,
    /// Its doc comment, line by line.
    pub(crate) about: &'static [&'static str],
    /// What its value may be, in brief.
    pub(crate) takes: String,
    /// Its default as written in TOML; empty when it has none.
    pub(crate) default: &'static str,
    /// Whether it must be given.
    pub(crate) required: bool,
    /// Whether it is a secret, which only the environment may hold.
    pub(crate) secret: bool,
}

impl OptionInfo {
    /// Of an option of that kind.
    pub(crate) fn new<T>(
        key: &'static str,
        about: &'static [&'static str],
        kind: &impl Kind<Value = T>,
        default: &'static str,
    ) -> Self {
        let required = default.is_empty() && kind.absent().is_none();
        Self { key, about, takes: kind.brief(), default, required, secret: false }
    }
}

impl SectionInfo {
    /// The variable of the environment for an option of this section.
    pub(crate) fn variable(&self, option: &OptionInfo) -> String {
        format!("FICHA_{}__{}", self.name, option.key).to_uppercase()
    }
}

/// The key as messages write it: `[limits] body_bytes`.
pub(crate) fn written((section, key): Name) -> String {
    format!("[{section}] {key}")
}

/// Takes note of what is wrong with the value of one option.
pub(crate) struct Complaints<'p> {
    pub(crate) key: String,
    pub(crate) problems: &'p mut Vec<Problem>,
}

impl Complaints<'_> {
    /// Notes `message` at `place`.
    pub(crate) fn wrong(&mut self, place: &Place, message: impl Into<String>) {
        self.problems.push(Problem { place: place.clone(), key: self.key.clone(), message: message.into() });
    }

    /// Notes that something else was expected; `None`, for the value that is not there.
    pub(crate) fn expected<T>(&mut self, what: &str, node: &Node) -> Option<T> {
        self.wrong(&node.place, format!("expected {what}; found {}", node.value.found()));
        None
    }
}

/// Where the values of options came from.
#[derive(Debug, Default)]
pub(crate) struct Places(HashMap<Name, Place>);

impl Places {
    /// The place of an option's value.
    pub(crate) fn of(&self, name: Name) -> Place {
        self.0.get(&name).cloned().unwrap_or(Place::Default)
    }
}

/// Reads options: those of the environment stand above those of the file, defaults below both.
pub(crate) struct Reader<'c> {
    /// Where a file was read, for what is missing in it.
    pub(crate) whole: Place,
    pub(crate) file: &'c [Entry],
    pub(crate) variables: &'c [Variable],
    pub(crate) places: Places,
    pub(crate) problems: Vec<Problem>,
}

impl Reader<'_> {
    /// The value of an option; when it is wrong or missing, that is noted.
    pub(crate) fn option<K: Kind>(&mut self, name: Name, kind: &K, default: &'static str) -> Option<K::Value> {
        let default = (!default.is_empty()).then(|| parse_value(&Place::Default, default)).flatten();
        let variable = self.variables.iter().find(|v| v.name == name).map(|v| &v.node);
        let section = self.file.iter().find(|e| e.key == name.0);
        let line = section.and_then(|section| entry(section, name.1)).map(|e| &e.node);
        let mut say = Complaints { key: written(name), problems: &mut self.problems };
        if let Some(node) = variable.or(line).or(default.as_ref()) {
            self.places.0.insert(name, node.place.clone());
            return kind.take(node, &mut say);
        }
        let absent = kind.absent();
        if absent.is_none() {
            let place = section.map_or(&self.whole, |e| &e.place);
            say.wrong(place, format!("missing: expected {}", kind.takes()));
        }
        absent
    }

    /// Notes what `name` says against something else.
    pub(crate) fn contradiction(&mut self, name: Name, message: impl Into<String>) {
        let place = self.places.of(name);
        let place = if place == Place::Default { self.whole.clone() } else { place };
        self.problems.push(Problem { place, key: written(name), message: message.into() });
    }

    /// Notes every section and key of the file that there is not.
    pub(crate) fn unknown(&mut self, sections: &[SectionInfo]) {
        for written in self.file {
            let Some(section) = sections.iter().find(|s| s.name == written.key) else {
                let near = did_you_mean(&written.key, sections.iter().map(|s| s.name));
                let names = sections.iter().map(|s| s.name).collect::<Vec<_>>().join(", ");
                let message = format!("unknown section{near} (there are {names})");
                self.note(written, format!("[{}]", written.key), message);
                continue;
            };
            let Value::Table(entries) = &written.node.value else {
                let message = format!("expected a section; found {}", written.node.value.found());
                self.note(written, format!("[{}]", section.name), message);
                continue;
            };
            for entry in entries {
                let key = format!("[{}] {}", section.name, entry.key);
                match section.options.iter().find(|o| o.key == entry.key) {
                    Some(option) if option.secret => {
                        let file = format!("{}_file", option.key);
                        let variable = section.variable(option);
                        let message = format!(
                            "a secret does not belong in this file: keep it in a file of its own and name that as {file}, or give it as {variable}"
                        );
                        self.note(entry, key, message);
                    }
                    Some(_) => {}
                    None => {
                        let keys = || section.options.iter().filter(|o| !o.secret).map(|o| o.key);
                        let near = did_you_mean(&entry.key, keys());
                        let names = keys().collect::<Vec<_>>().join(", ");
                        self.note(entry, key, format!("unknown key{near} (there are {names})"));
                    }
                }
            }
        }
    }

    fn note(&mut self, at: &Entry, key: String, message: String) {
        self.problems.push(Problem { place: at.place.clone(), key, message });
    }
}

fn entry<'e>(section: &'e Entry, key: &str) -> Option<&'e Entry> {
    let Value::Table(entries) = &section.node.value else { return None };
    entries.iter().find(|e| e.key == key)
}
