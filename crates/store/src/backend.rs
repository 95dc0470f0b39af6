//! What a step needs from an engine, so that its queries, its decisions and the reading of its rows stand once.
//!
//! A step is an `async fn` over a [`Session`], inside a transaction that the engine opened for it. On SQLite none of its
//! futures ever waits; on a server each statement is a journey.

use std::{future::Future, str::FromStr, sync::OnceLock};

use ficha_types::{BadWord, IssuerName};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// A statement as both engines take it, its parameters written `$1`, `$2` ..
pub(crate) struct Query {
    text: &'static str,
    /// How SQLite takes it, where that is another text.
    of_sqlite: Option<&'static str>,
    question: OnceLock<Box<str>>,
}

impl Query {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, of_sqlite: None, question: OnceLock::new() }
    }

    /// One that the engines don't take in the same words, with the same parameters and columns.
    pub(crate) const fn by_engine(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { text: postgres, of_sqlite: Some(sqlite), question: OnceLock::new() }
    }

    /// As PostgreSQL takes it.
    pub(crate) const fn dollars(&self) -> &'static str {
        self.text
    }

    /// With `?1` for `$1`: SQLite numbers `$n` by first appearance, so that `$2 … $1` would be bound the wrong way round.
    pub(crate) fn question_marks(&self) -> &str {
        self.question.get_or_init(|| {
            let text = self.of_sqlite.unwrap_or(self.text);
            let mut rest = text.chars().peekable();
            let mut out = String::with_capacity(text.len());
            while let Some(c) = rest.next() {
                let parameter = c == '$' && rest.peek().is_some_and(char::is_ascii_digit);
                out.push(if parameter { '?' } else { c });
            }
            out.into()
        })
    }
}

/// A parameter of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    /// An absent text: a server wants to be told the type of what is not there, and nothing but texts may be absent.
    Null,
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A word or a text as a parameter.
pub(crate) fn text<T: AsRef<str> + ?Sized>(word: &T) -> Value<'_> {
    Value::Text(word.as_ref())
}

/// A word that may be absent as a parameter.
pub(crate) fn text_or_null<T: AsRef<str>>(word: Option<&T>) -> Value<'_> {
    word.map_or(Value::Null, text)
}

/// A word whose absence is kept as an empty text: in a key.
pub(crate) fn text_or_empty<T: AsRef<str>>(word: Option<&T>) -> Value<'_> {
    word.map_or(Value::Text(""), text)
}

/// One row of an answer.
pub(crate) trait Row {
    fn int(&self, column: usize) -> Result<i64, Failure>;
    fn text(&self, column: usize) -> Result<&str, Failure>;
    fn bytes(&self, column: usize) -> Result<&[u8], Failure>;
    fn is_null(&self, column: usize) -> Result<bool, Failure>;
}

/// A checked word out of a column.
pub(crate) fn word<T: FromStr<Err = BadWord>>(row: &dyn Row, column: usize) -> Result<T, Failure> {
    row.text(column)?.parse().map_err(|e: BadWord| Failure::damaged(&e))
}

/// A record out of a JSON column of a table; one that can't be read is told by the columns that are its key.
pub(crate) fn record<T: DeserializeOwned>(
    row: &dyn Row,
    column: usize,
    (table, key): (&str, &[usize]),
) -> Result<T, Failure> {
    let read = serde_json::from_str(row.text(column)?);
    read.or_else(|e| {
        let key: Vec<_> = key.iter().map(|&column| row.text(column)).collect::<Result<_, _>>()?;
        Err(Failure::unreadable(table, &key, &e))
    })
}

/// A record for a JSON column.
pub(crate) fn json<T: serde::Serialize>(record: &T) -> Result<String, Failure> {
    serde_json::to_string(record).map_err(|e| Failure::damaged(&e))
}

/// What `read` makes of a column, unless it is NULL.
pub(crate) fn optional<T>(
    row: &dyn Row,
    column: usize,
    read: fn(&dyn Row, usize) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    if row.is_null(column)? { Ok(None) } else { read(row, column).map(Some) }
}

/// An instant out of a column.
pub(crate) fn instant(row: &dyn Row, column: usize) -> Result<ficha_types::UnixSeconds, Failure> {
    row.int(column).map(ficha_types::UnixSeconds)
}

/// How a row is read.
pub(crate) type Read<T> = fn(&dyn Row) -> Result<T, Failure>;

/// A connection to an engine, as a step sees it.
///
/// Until a step says [`Session::whole`] or [`Session::one_moment`], each of its statements stands by itself: a step of one
/// statement needs no transaction, and is a single journey. An embedded engine has one around every step anyway.
///
/// Writers run beside each other, each statement sees what was committed when it began, and an `UPDATE` that waited for a
/// row looks at its `WHERE` again: that decides most races. What a step reads, decides on and then writes elsewhere
/// is guarded by [`Session::lock`].
pub(crate) trait Session: Send {
    /// What the step writes from here on stands or falls together.
    fn whole(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// What the step reads from here on is as of one moment.
    fn one_moment(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Until the step ends, no other step holds the lock of the same name in that issuer. After [`Session::whole`].
    fn lock(&mut self, issuer: &IssuerName, name: &[&str]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// What was numbered is told to the other nodes as soon as it stands, so that they don't wait for their next look.
    fn announce(&mut self);

    /// Runs `query` and reads its first row, if there is one. What `RETURNING` tells is of a statement that ran to its end.
    fn first<T: Send>(
        &mut self,
        query: &'static Query,
        values: &[Value<'_>],
        read: Read<T>,
    ) -> impl Future<Output = Result<Option<T>, Failure>> + Send;

    /// Runs `query` and reads every row.
    fn all<T: Send>(
        &mut self,
        query: &'static Query,
        values: &[Value<'_>],
        read: Read<T>,
    ) -> impl Future<Output = Result<Vec<T>, Failure>> + Send;

    /// Runs `query`, which answers no rows; how many it touched.
    fn run(&mut self, query: &'static Query, values: &[Value<'_>])
    -> impl Future<Output = Result<u64, Failure>> + Send;

    /// Runs `query` once for each of `rows`.
    fn run_each<const N: usize>(
        &mut self,
        query: &'static Query,
        rows: &[[Value<'_>; N]],
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Whether `query` answered a row.
pub(crate) async fn any<S: Session>(
    session: &mut S,
    query: &'static Query,
    values: &[Value<'_>],
) -> Result<bool, Failure> {
    Ok(session.first(query, values, |_| Ok(())).await?.is_some())
}

/// Why a step came to nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It contradicts what is there: nothing of it stays, what waited beside it goes on.
    Conflict(String),
    /// A row can't be read back: likewise.
    Damaged(String),
    /// The engine failed: nothing of the transaction stays. `lost`: the connection is of no more use.
    Engine { lost: bool, why: String },
}

impl Failure {
    /// Where a record breaks off is told, and never what stands in it: it may be the hash of a password.
    pub(crate) fn unreadable(table: &str, key: &[&str], error: &serde_json::Error) -> Self {
        let (key, line, column) = (key.join(", "), error.line(), error.column());
        let why = match error.classify() {
            Category::Data => format!("it is not of its form at line {line} column {column}"),
            Category::Syntax | Category::Eof | Category::Io => error.to_string(),
        };
        Self::Damaged(format!("a row of {table} can't be read back ({key}): {why}"))
    }

    pub(crate) fn damaged(error: &dyn std::error::Error) -> Self {
        Self::Damaged(format!("a row can't be read back: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_numbers_and_other_dollars_stay() {
        let query = Query::new("UPDATE t SET a = $2, b = '$' WHERE c = $1 AND d = $12");
        assert_eq!(query.question_marks(), "UPDATE t SET a = ?2, b = '$' WHERE c = ?1 AND d = ?12");
    }

    #[test]
    fn a_record_that_is_not_of_its_form_is_told_without_what_stands_in_it() {
        let error = serde_json::from_str::<u8>("\"$2b$12$hash\"").unwrap_err();
        assert!(error.to_string().contains("hash"), "serde would tell");
        let Failure::Damaged(told) = Failure::unreadable("users", &["acme", "ana"], &error) else { panic!() };
        assert!(!told.contains("hash") && told.contains("(acme, ana): it is not of its form at line 1"), "{told}");
    }
}
