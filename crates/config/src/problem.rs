//! What is wrong with a configuration, and where.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file: its path as it was named, and the line, 1 first.
    Line(Arc<Path>, usize),
    /// In a file, no line in particular.
    File(Arc<Path>),
    /// In a variable of the environment.
    Variable(String),
    /// Nowhere: it is the default.
    Default,
}

impl Place {
    /// `path` as it is meant here: a relative one in a file begins at the folder of that file.
    #[must_use]
    pub fn resolve(&self, path: &str) -> PathBuf {
        match self {
            Self::Line(file, _) | Self::File(file) => file.parent().unwrap_or(Path::new("")).join(path),
            Self::Variable(_) | Self::Default => path.into(),
        }
    }
}

/// One thing that is wrong. Reads `file:line: [section] key: what was expected`. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// Which option, `[limits] body_bytes`; empty when none in particular is meant.
    pub key: String,
    /// What was expected, and the nearest known name where there is one.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Line(file, line) => write!(f, "{}:{line}: ", file.display())?,
            Place::File(file) => write!(f, "{}: ", file.display())?,
            Place::Variable(name) => write!(f, "environment variable {name}: ")?,
            Place::Default => {}
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_place_key_and_what_was_expected() {
        let file: Arc<Path> = Path::new("etc/ficha.toml").into();
        let said =
            |place| Problem { place, key: "[limits] body_bytes".into(), message: "expected x".into() }.to_string();
        assert_eq!(said(Place::Line(file.clone(), 7)), "etc/ficha.toml:7: [limits] body_bytes: expected x");
        assert_eq!(said(Place::File(file)), "etc/ficha.toml: [limits] body_bytes: expected x");
        let variable = Place::Variable("FICHA_LIMITS__BODY_BYTES".into());
        assert_eq!(said(variable), "environment variable FICHA_LIMITS__BODY_BYTES: [limits] body_bytes: expected x");
    }

    #[test]
    fn a_relative_path_in_a_file_begins_at_its_folder() {
        let place = Place::Line(Path::new("/etc/ficha/ficha.toml").into(), 1);
        assert_eq!(place.resolve("tls/cert.pem"), Path::new("/etc/ficha/tls/cert.pem"));
        assert_eq!(place.resolve("/data"), Path::new("/data"));
        assert_eq!(Place::Variable("X".into()).resolve("data"), Path::new("data"));
    }
}
