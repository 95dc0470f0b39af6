//! The dialects of a server: the built-in ones and those of the user's folder.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ficha_core::ports::{Dialect, Dialects};
use ficha_types::DialectName;

use super::{
    check,
    compiled::Compiled,
    load::{Merged, Shelf, Source},
    problem::{At, Problem},
    toml_text,
};

/// Every dialect that was loaded. Cheap to ask, never changed.
#[derive(Debug)]
pub struct DialectSet(BTreeMap<DialectName, Loaded>);

#[derive(Debug)]
struct Loaded {
    compiled: Arc<Compiled>,
    bases: Vec<String>,
    file: Option<PathBuf>,
    text: String,
}

/// A line of `ficha dialect list`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary<'s> {
    /// Its name.
    pub name: &'s DialectName,
    /// What it says of itself.
    pub about: &'s str,
    /// Its file; none for a built-in one.
    pub file: Option<&'s Path>,
    /// The dialects that it extends, the nearest first.
    pub extends: &'s [String],
}

/// Dialect files that can't be used: every problem of every file, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError(pub Vec<Problem>);

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

impl DialectSet {
    /// Loads the built-in dialects and, when one is given, every `*.toml` of `folder` by its file's name.
    ///
    /// # Errors
    /// Every problem that any of the files has.
    pub fn load(folder: Option<&Path>) -> Result<Self, LoadError> {
        let mut shelf = Shelf::built_in();
        let mut problems = folder.map(|folder| shelf.add_folder(folder)).unwrap_or_default();
        let mut loaded = BTreeMap::new();
        for (name, source) in &shelf.0 {
            match load(&shelf, name, source) {
                Ok(dialect) => {
                    loaded.insert(name.clone(), dialect);
                }
                Err(more) => problems.extend(more),
            }
        }
        if problems.is_empty() { Ok(Self(loaded)) } else { Err(LoadError(each_once(problems))) }
    }

    /// The dialect of that name.
    #[must_use]
    pub fn compiled(&self, name: &DialectName) -> Option<Arc<Compiled>> {
        self.0.get(name).map(|loaded| Arc::clone(&loaded.compiled))
    }

    /// All of them, by name.
    pub fn list(&self) -> impl Iterator<Item = Summary<'_>> {
        self.0.iter().map(|(name, loaded)| Summary {
            name,
            about: loaded.compiled.about(),
            file: loaded.file.as_deref(),
            extends: &loaded.bases,
        })
    }

    /// The whole dialect as TOML, with all that it inherits: a file with this text is the same dialect.
    #[must_use]
    pub fn show(&self, name: &DialectName) -> Option<&str> {
        self.0.get(name).map(|loaded| loaded.text.as_str())
    }

    /// Everything that is wrong with the file at `path`, which may extend a built-in dialect or one of its own folder.
    #[must_use]
    pub fn check(path: &Path) -> Vec<Problem> {
        let mut shelf = Shelf::built_in();
        if let Some(folder) = path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            // What is wrong with its neighbours matters only where it extends one of them, and is said then.
            let _ = shelf.add_folder(folder);
        }
        match shelf.add_file(path) {
            Ok(name) => problems_of(&shelf, &name),
            Err(problem) => vec![problem],
        }
    }

    /// Everything that is wrong with `text` as a dialect `name`, which may extend a built-in one.
    #[must_use]
    pub fn check_text(name: &DialectName, text: &str) -> Vec<Problem> {
        let mut shelf = Shelf::built_in();
        let file: Arc<str> = format!("{name}.toml").into();
        if shelf.0.get(name).is_some_and(|there| there.built_in) {
            return vec![At { file, line: 1 }.problem("", format!("{name} is a built-in dialect"))];
        }
        shelf.0.insert(name.clone(), Source { file, text: text.to_owned(), built_in: false });
        problems_of(&shelf, name)
    }
}

impl Dialects for DialectSet {
    fn dialect(&self, name: &DialectName) -> Option<Arc<dyn Dialect>> {
        self.compiled(name).map(|compiled| compiled as Arc<dyn Dialect>)
    }
}

fn problems_of(shelf: &Shelf, name: &DialectName) -> Vec<Problem> {
    let source = shelf.0.get(name);
    each_once(source.and_then(|source| load(shelf, name, source).err()).unwrap_or_default())
}

fn load(shelf: &Shelf, name: &DialectName, source: &Source) -> Result<Loaded, Vec<Problem>> {
    let Merged { mut table, at, bases } = shelf.merged(name)?;
    let compiled = Arc::new(check::compile(name.clone(), &table, at)?);
    table.0.retain(|entry| entry.key != "extends");
    let chain = [&[name.to_string()], bases.as_slice()].concat().join(" over ");
    let text = format!("# The whole dialect: {chain}.\n{}", toml_text::write(&table));
    let file = (!source.built_in).then(|| PathBuf::from(&*source.file));
    Ok(Loaded { compiled, bases, file, text })
}

/// By file and line; what a file passed on to those that extend it is said once.
fn each_once(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| (&a.file, a.line, &a.key, &a.message).cmp(&(&b.file, b.line, &b.key, &b.message)));
    problems.dedup();
    problems
}
