//! A connection as steps see it.

use std::future::ready;

use ficha_types::IssuerName;
use rusqlite::{
    CachedStatement, Connection, ErrorCode,
    types::{ToSql, ToSqlOutput, ValueRef},
};

use crate::backend::{Failure, Query, Read, Row, Session, Value};

/// A connection whose transactions the threads open and close around the steps.
pub(super) struct SqliteSession {
    pub(super) connection: Connection,
}

impl SqliteSession {
    /// Runs a statement that steers the transaction.
    pub(super) fn control(&self, statement: &'static str) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached(statement)?.raw_execute().map(drop)
    }

    fn bound(&self, query: &Query, values: &[Value<'_>]) -> Result<CachedStatement<'_>, rusqlite::Error> {
        let mut statement = self.connection.prepare_cached(query.question_marks())?;
        for (index, value) in (1_usize..).zip(values) {
            statement.raw_bind_parameter(index, value)?;
        }
        Ok(statement)
    }

    fn first_now<T>(&self, query: &Query, values: &[Value<'_>], read: Read<T>) -> Result<Option<T>, Failure> {
        let mut statement = self.bound(query, values).map_err(|e| failure(&e))?;
        let mut rows = statement.raw_query();
        match rows.next().map_err(|e| failure(&e))? {
            Some(row) => read(&SqliteRow(row)).map(Some),
            None => Ok(None),
        }
    }

    fn all_now<T>(&self, query: &Query, values: &[Value<'_>], read: Read<T>) -> Result<Vec<T>, Failure> {
        let mut statement = self.bound(query, values).map_err(|e| failure(&e))?;
        let mut rows = statement.raw_query();
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(|e| failure(&e))? {
            all.push(read(&SqliteRow(row))?);
        }
        Ok(all)
    }

    fn run_now(&self, query: &Query, values: &[Value<'_>]) -> Result<u64, Failure> {
        let touched = self.bound(query, values).and_then(|mut statement| statement.raw_execute());
        Ok(u64::try_from(touched.map_err(|e| failure(&e))?).unwrap_or(u64::MAX))
    }
}

impl Session for SqliteSession {
    // The thread has opened a transaction, and no other one writes.
    fn whole(&mut self) -> impl Future<Output = Result<(), Failure>> + Send {
        ready(Ok(()))
    }

    fn one_moment(&mut self) -> impl Future<Output = Result<(), Failure>> + Send {
        ready(Ok(()))
    }

    fn lock(&mut self, _: &IssuerName, _: &[&str]) -> impl Future<Output = Result<(), Failure>> + Send {
        ready(Ok(()))
    }

    // There are none.
    fn announce(&mut self) {}

    fn first<T: Send>(
        &mut self,
        query: &'static Query,
        values: &[Value<'_>],
        read: Read<T>,
    ) -> impl Future<Output = Result<Option<T>, Failure>> + Send {
        ready(self.first_now(query, values, read))
    }

    fn all<T: Send>(
        &mut self,
        query: &'static Query,
        values: &[Value<'_>],
        read: Read<T>,
    ) -> impl Future<Output = Result<Vec<T>, Failure>> + Send {
        ready(self.all_now(query, values, read))
    }

    fn run(
        &mut self,
        query: &'static Query,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<u64, Failure>> + Send {
        ready(self.run_now(query, values))
    }

    fn run_each<const N: usize>(
        &mut self,
        query: &'static Query,
        rows: &[[Value<'_>; N]],
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        ready(rows.iter().try_for_each(|values| self.run_now(query, values).map(drop)))
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Value::Null => ValueRef::Null,
            Value::Int(n) => ValueRef::Integer(n),
            Value::Text(s) => ValueRef::Text(s.as_bytes()),
            Value::Bytes(b) => ValueRef::Blob(b),
        }))
    }
}

struct SqliteRow<'a>(&'a rusqlite::Row<'a>);

impl SqliteRow<'_> {
    fn value(&self, column: usize) -> Result<ValueRef<'_>, Failure> {
        self.0.get_ref(column).map_err(|e| Failure::damaged(&e))
    }
}

impl Row for SqliteRow<'_> {
    fn int(&self, column: usize) -> Result<i64, Failure> {
        self.value(column)?.as_i64().map_err(|e| Failure::damaged(&e))
    }
    fn text(&self, column: usize) -> Result<&str, Failure> {
        self.value(column)?.as_str().map_err(|e| Failure::damaged(&e))
    }
    fn bytes(&self, column: usize) -> Result<&[u8], Failure> {
        self.value(column)?.as_bytes().map_err(|e| Failure::damaged(&e))
    }
    fn is_null(&self, column: usize) -> Result<bool, Failure> {
        Ok(matches!(self.value(column)?, ValueRef::Null))
    }
}

/// What an error of SQLite means for the step.
pub(super) fn failure(error: &rusqlite::Error) -> Failure {
    let Some(code) = error.sqlite_error_code() else { return Failure::damaged(error) };
    if code == ErrorCode::ConstraintViolation {
        return Failure::Conflict(format!("what was to be written contradicts what is there: {error}"));
    }
    // What a new connection can't mend: no room, somebody else's lock, no memory.
    let stays = [
        ErrorCode::DiskFull,
        ErrorCode::DatabaseBusy,
        ErrorCode::DatabaseLocked,
        ErrorCode::OutOfMemory,
        ErrorCode::OperationInterrupted,
        ErrorCode::TooBig,
    ];
    let damaged = [ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase].contains(&code);
    let why = if damaged {
        format!("the database is damaged ({error}): restore it from a backup")
    } else {
        error.to_string()
    };
    Failure::Engine { lost: !stays.contains(&code), why }
}
