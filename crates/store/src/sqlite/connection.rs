//! Connections and their pragmas.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::session::SqliteSession;

/// How long to wait for a lock that somebody else's process holds.
const BUSY: Duration = Duration::from_secs(1);

/// How long a checkpoint waits for readers.
const CHECKPOINT_BUSY: Duration = Duration::from_millis(100);

/// Prepared statements that a connection keeps: more than there are.
const STATEMENTS: usize = 128;

/// How connections to a database are made, again too when one was lost.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) path: PathBuf,
    pub(super) max_pages: Option<u32>,
    pub(super) log_bound: u64,
}

impl Recipe {
    /// The connection that writes. `synchronous=FULL`: a commit is on the disk before it is answered. `secure_delete=ON`: what is
    /// replaced or removed is written over with zeros, also in pages that become free. The log has the frames from before until
    /// it is emptied, and where SQLite moves a row to another page, its old place may stay as it is: a backup has neither.
    pub(super) fn writer(&self) -> Result<SqliteSession, rusqlite::Error> {
        let connection = self.connection()?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000; \
             PRAGMA journal_size_limit = 16777216; PRAGMA cache_size = -4096; PRAGMA secure_delete = ON",
        )?;
        if let Some(pages) = self.max_pages {
            connection.execute_batch(&format!("PRAGMA max_page_count = {pages}"))?;
        }
        Ok(SqliteSession { connection })
    }

    /// A connection that only reads.
    pub(super) fn reader(&self) -> Result<SqliteSession, rusqlite::Error> {
        let connection = self.connection()?;
        connection.execute_batch("PRAGMA query_only = ON")?;
        Ok(SqliteSession { connection })
    }

    /// Where SQLite keeps what was not carried into the database file yet.
    pub(super) fn log(&self) -> PathBuf {
        beside(&self.path, "-wal")
    }

    fn connection(&self) -> Result<Connection, rusqlite::Error> {
        let connection = open(&self.path)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    }
}

/// A connection to a database that is there, with nothing believed that its file says.
pub(super) fn open(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY")?;
    Ok(connection)
}

/// Carries the whole log into the database file and empties it; whether no reader was in the way.
pub(super) fn checkpoint(session: &SqliteSession) -> Result<bool, rusqlite::Error> {
    session.connection.busy_timeout(CHECKPOINT_BUSY)?;
    let busy = session.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    session.connection.busy_timeout(BUSY)?;
    Ok(busy? == 0)
}

/// A file that stands beside the database, named after it.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
