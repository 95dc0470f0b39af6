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

/// `, did you mean NAME?` with the nearest of `known`, or nothing when none is near.
pub(super) fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let near = known.into_iter().map(|name| (distance(word, name), name)).min();
    match near {
        Some((steps, name)) if steps <= (name.chars().count() / 3).max(1) => format!(", did you mean {name}?"),
        _ => String::new(),
    }
}

/// Inserted, removed, exchanged and swapped characters from `a` to `b`, upper and lower case counted alike.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().take(64).flat_map(char::to_lowercase).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            let swap = if swapped { at(&before, j - 1) + 1 } else { usize::MAX };
            let exchange = at(&last, j) + usize::from(x != y);
            row.push((at(&last, j + 1) + 1).min(at(&row, j) + 1).min(exchange).min(swap));
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        let known = ["expires_in", "access_token", "scope"];
        assert_eq!(did_you_mean("expire_in", known), ", did you mean expires_in?");
        assert_eq!(did_you_mean("acces_tokne", known), ", did you mean access_token?");
        assert_eq!(did_you_mean("Scope", known), ", did you mean scope?");
        assert_eq!(did_you_mean("colour", known), "");
        assert_eq!(did_you_mean("x", []), "");
    }

    #[test]
    fn a_swap_is_one_step() {
        assert_eq!(distance("tyep", "type"), 1);
        assert_eq!(distance("", "type"), 4);
        assert_eq!(distance("type", ""), 4);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn a_problem_reads_file_line_key_and_what_was_expected() {
        let at = At { file: "acme.toml".into(), line: 7 };
        assert_eq!(at.problem("token.body", "expected form").to_string(), "acme.toml:7: token.body: expected form");
        assert_eq!(at.problem("", "too long").to_string(), "acme.toml:7: too long");
    }
}
