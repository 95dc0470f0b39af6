//! Where dialect files come from: the built-in ones, and a folder of the user's own.

use std::{collections::BTreeMap, io::Read, path::Path, sync::Arc};

use ficha_types::DialectName;

use super::{
    merge,
    problem::{At, Problem},
    tree::{self, Table, Value},
};

/// The built-in dialects.
const BUILT_IN: [(&str, &str); 4] = [
    ("standard", include_str!("../../dialects/standard.toml")),
    ("leancore", include_str!("../../dialects/leancore.toml")),
    ("deyel", include_str!("../../dialects/deyel.toml")),
    ("pomelo", include_str!("../../dialects/pomelo.toml")),
];

/// The most files of a folder.
const MAX_FILES: usize = 256;

/// A dialect's text and where it is from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The file as messages name it.
    pub(super) file: Arc<str>,
    pub(super) text: String,
    pub(super) built_in: bool,
}

/// Every dialect's text by its name.
#[derive(Debug, Clone, Default)]
pub(super) struct Shelf(pub(super) BTreeMap<DialectName, Source>);

/// A dialect's file laid over those that it extends.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) table: Table,
    /// The beginning of its own file.
    pub(super) at: At,
    /// The names of those that it extends, the nearest first.
    pub(super) bases: Vec<String>,
}

impl Shelf {
    /// The built-in ones.
    pub(super) fn built_in() -> Self {
        let source = |(name, text): (&str, &str)| {
            let file = format!("{name}.toml (built in)").into();
            Some((name.parse().ok()?, Source { file, text: text.to_owned(), built_in: true }))
        };
        Self(BUILT_IN.into_iter().filter_map(source).collect())
    }

    /// Adds every `*.toml` of `folder`; answers what can't be taken.
    pub(super) fn add_folder(&mut self, folder: &Path) -> Vec<Problem> {
        let whole = At { file: folder.display().to_string().into(), line: 1 };
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) => return vec![whole.problem("", format!("expected a folder of dialect files: {e}"))],
        };
        let mut paths = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => paths.push(entry.path()),
                Err(e) => return vec![whole.problem("", format!("the folder can't be read: {e}"))],
            }
        }
        paths.retain(|p| p.extension().is_some_and(|e| e == "toml"));
        paths.sort();
        if paths.len() > MAX_FILES {
            return vec![whole.problem("", format!("expected at most {MAX_FILES} dialect files"))];
        }
        paths.iter().filter_map(|path| self.add_file(path).err()).collect()
    }

    /// Adds one file under the name that its stem is; not under that of a built-in one.
    pub(super) fn add_file(&mut self, path: &Path) -> Result<DialectName, Problem> {
        let file: Arc<str> = path.display().to_string().into();
        let whole = At { file: Arc::clone(&file), line: 1 };
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        let name: DialectName = stem.parse().map_err(|e| whole.problem("", format!("the file's name is {e}")))?;
        if self.0.get(&name).is_some_and(|there| there.built_in) {
            let message =
                format!("{name} is a built-in dialect: expected a name of its own (it may say extends = \"{name}\")");
            return Err(whole.problem("", message));
        }
        let text = read(path).map_err(|message| whole.problem("", message))?;
        self.0.insert(name.clone(), Source { file, text, built_in: false });
        Ok(name)
    }

    /// The file of `name` laid over those that it extends.
    pub(super) fn merged(&self, name: &DialectName) -> Result<Merged, Vec<Problem>> {
        let mut layers = Vec::new();
        let mut names: Vec<DialectName> = Vec::new();
        let mut next = Some(name.clone());
        while let Some(name) = next.take() {
            // Each name was found before it became the next one, the first by the caller.
            let Some(source) = self.0.get(&name) else { break };
            let layer = tree::read(&source.file, &source.text)?;
            names.push(name);
            next = self.extends(&layer, &names)?;
            layers.push((layer, At { file: Arc::clone(&source.file), line: 1 }));
        }
        let at = layers.first().map_or_else(|| At { file: name.as_str().into(), line: 1 }, |(_, at)| at.clone());
        let laid = layers.into_iter().map(|(table, _)| table).rev().reduce(|base, own| merge::overlay(own, base));
        let bases = names.iter().skip(1).map(ToString::to_string).collect();
        Ok(Merged { table: laid.unwrap_or_default(), at, bases })
    }

    /// The dialect that `layer` extends; `names` are those that led here.
    fn extends(&self, layer: &Table, names: &[DialectName]) -> Result<Option<DialectName>, Vec<Problem>> {
        let Some(entry) = layer.entry("extends") else { return Ok(None) };
        let problem = |message: String| vec![entry.node.at.problem("extends", message)];
        let Value::Text(text) = &entry.node.value else {
            return Err(problem(format!("expected the name of a dialect, found {}", entry.node.value.noun())));
        };
        let found = text.parse::<DialectName>().ok().filter(|name| self.0.contains_key(name));
        let Some(name) = found else {
            let near = ficha_config::did_you_mean(text, self.0.keys().map(DialectName::as_str));
            let known: Vec<&str> = self.0.keys().map(DialectName::as_str).collect();
            return Err(problem(format!("there is no dialect {text:?}{near} (there are {})", known.join(", "))));
        };
        if names.contains(&name) {
            let chain: Vec<&str> = names.iter().map(DialectName::as_str).collect();
            return Err(problem(format!("a circle: {} extends {name} again", chain.join(" extends "))));
        }
        Ok(Some(name))
    }
}

/// The text of a file, which may not be larger than a dialect may be.
fn read(path: &Path) -> Result<String, String> {
    let limit = u64::try_from(tree::MAX_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(|e| format!("the file can't be read: {e}"))?;
    String::from_utf8(bytes).map_err(|_| "expected UTF-8".to_owned())
}
