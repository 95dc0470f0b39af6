//! What is wrong with a dialect file, and where.

use std::{cell::RefCell, fmt, sync::Arc};

/// One thing that is wrong with a dialect file. Reads `file:line: key: what was expected`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named, or `NAME.toml (built in)`.
    pub file: Arc<str>,
    /// The line, 1 first.
    pub line: usize,
    /// The key with its tables, `token.answer.expires_in`; empty when the whole file is meant.
    pub key: String,
    /// What was expected, and the nearest known name where there is one.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct At {
    pub(super) file: Arc<str>,
    pub(super) line: usize,
}

impl At {
    /// A problem here.
    pub(super) fn problem(&self, key: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem { file: Arc::clone(&self.file), line: self.line, key: key.into(), message: message.into() }
    }
}

/// All problems that a check found so far: it never stops at the first.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    pub(super) fn add(&self, at: &At, key: impl Into<String>, message: impl Into<String>) {
        self.0.borrow_mut().push(at.problem(key, message));
    }

    pub(super) fn into_inner(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_file_line_key_and_what_was_expected() {
        let at = At { file: "acme.toml".into(), line: 7 };
        assert_eq!(at.problem("token.body", "expected form").to_string(), "acme.toml:7: token.body: expected form");
        assert_eq!(at.problem("", "too long").to_string(), "acme.toml:7: too long");
    }
}
