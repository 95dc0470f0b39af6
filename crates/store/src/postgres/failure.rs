//! What goes wrong with PostgreSQL, and what it means for a step.

use std::error::Error as _;

use deadpool_postgres::PoolError;
use ficha_core::ports::StoreError;
use tokio_postgres::{
    Error,
    error::{DbError, Severity, SqlState},
};

/// A database that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the database {place}: {why}")]
pub struct PostgresError {
    /// Host, port and name, without user and password.
    pub place: String,
    /// What is wrong.
    pub why: PostgresFailure,
}

/// Why a database can't be used, and what to mend.
#[derive(Debug, thiserror::Error)]
pub enum PostgresFailure {
    /// The URL is none.
    #[error("its URL can't be read ({0}): write postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Url(String),
    /// It asks to send passwords and tokens in the clear.
    #[error("{0} is another machine, so TLS is not to be turned off: take sslmode=disable out of the URL")]
    Insecure(String),
    /// The authorities can't be loaded.
    #[error("the authorities that vouch for the server can't be loaded: {0}")]
    Authorities(String),
    /// Nobody answers, or not now: it may get better by itself.
    #[error("it can't be reached: {0}")]
    Unreachable(String),
    /// The server says no, and will go on saying it.
    #[error("it refuses the connection: {0}")]
    Refused(String),
    /// It is set up in a way that breaks what ficha promises.
    #[error("{0}")]
    Unfit(String),
    /// The tables are another program's.
    #[error("it has tables that ficha did not make: give ficha a database (or a schema) of its own")]
    NotOurs,
    /// A release after the next one has changed the tables.
    #[error(
        "it is newer than this program (its tables have version {found}, this program knows {known} and is not said to \
         go with that): use the release that changed it, or the one before"
    )]
    Newer {
        /// The version of the tables.
        found: i64,
        /// The last version that this program knows.
        known: i64,
    },
    /// A build that is none of the releases has made the tables.
    #[error("its tables were made by another build of ficha (migration {number} differs): use that one")]
    OtherTables {
        /// The first migration that differs.
        number: i64,
    },
    /// The tables can't be changed.
    #[error("its tables can't be brought up to date: {0}")]
    Migration(String),
}

impl PostgresFailure {
    /// Of an error while the database is taken into use.
    pub(super) fn of(error: &Error) -> Self {
        let Some(db) = error.as_db_error() else { return Self::Unreachable(whole(error)) };
        let refused = [
            SqlState::INVALID_PASSWORD,
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            SqlState::INVALID_CATALOG_NAME,
            SqlState::INSUFFICIENT_PRIVILEGE,
        ];
        if refused.contains(db.code()) { Self::Refused(whole(error)) } else { Self::Unreachable(whole(error)) }
    }
}

/// What an error of a statement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It contradicts what is there.
    Conflict,
    /// The server took it back for another one's sake.
    Again,
    /// The connection is of no more use.
    Lost,
    /// Nothing of it was done, and the connection goes on.
    Stays,
}

impl Cause {
    pub(super) fn of(error: &Error) -> Self {
        error.as_db_error().map_or(Self::Lost, Self::of_db)
    }

    fn of_db(error: &DbError) -> Self {
        let code = error.code();
        if matches!(error.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) {
            return Self::Lost;
        }
        if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) {
            return Self::Again;
        }
        // A server that was the primary once; a statement that was prepared in a connection that is another one by now, or
        // before the tables were changed.
        let stale = [SqlState::READ_ONLY_SQL_TRANSACTION, SqlState::FEATURE_NOT_SUPPORTED];
        let class = code.code().get(..2).unwrap_or_default();
        match class {
            "23" => Self::Conflict,
            "08" | "26" | "57" if *code != SqlState::QUERY_CANCELED => Self::Lost,
            _ if stale.contains(code) || *code == SqlState::DUPLICATE_PSTATEMENT => Self::Lost,
            _ => Self::Stays,
        }
    }
}

/// How a step ended that was not done.
#[derive(Debug)]
pub(super) enum Ended {
    /// It contradicts what is there.
    Conflict(String),
    /// Nothing was written; trying anew may help at once.
    Again(String),
    /// Nothing was written.
    Unreachable(String),
    /// It may have been written.
    Unknown(String),
}

/// An error with what is behind it: the first line of it is often a mere "db error".
pub(super) fn whole(error: &Error) -> String {
    if let Some(db) = error.as_db_error() {
        let hint = match *db.code() {
            SqlState::INVALID_SQL_STATEMENT_NAME | SqlState::DUPLICATE_PSTATEMENT => {
                ": behind a pooler that lends a connection for a transaction only, set [store] prepared = false"
            }
            _ => "",
        };
        return format!("{} ({}){hint}", db.message(), db.code().code());
    }
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Why a step has got no connection.
pub(super) fn no_connection(error: &PoolError) -> StoreError {
    StoreError::Unreachable(match error {
        PoolError::Backend(error) => whole(error),
        PoolError::Timeout(_) => "no connection has become free in time".to_owned(),
        PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => error.to_string(),
    })
}
