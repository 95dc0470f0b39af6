//! Taking a database file over: the lock, the checks, the tables.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rusqlite::{ErrorCode, ffi::SQLITE_IOERR_SHMSIZE};

use super::{
    connection::{Recipe, beside, checkpoint},
    migrate,
    session::SqliteSession,
};

/// A database that can't be opened.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct OpenError {
    /// The database file.
    pub path: PathBuf,
    /// What is wrong.
    pub why: OpenFailure,
}

/// Why a database can't be opened, and what to mend.
#[derive(Debug, thiserror::Error)]
pub enum OpenFailure {
    /// Another process has it: the lock that it holds.
    #[error("another process uses the database (the lock: {0}): stop that one, or talk to it")]
    Held(String),
    /// The file or its folder can't be written.
    #[error("the database can't be written: give this user the right to write {0} and its folder")]
    ReadOnly(String),
    /// The file or its folder can't be made or opened.
    #[error("{place} can't be opened: {source}")]
    Place {
        /// The file or folder.
        place: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file is something else.
    #[error("the file is no SQLite database: name another one, or move it away")]
    NotADatabase,
    /// The file is another program's database.
    #[error("the file is a SQLite database, but not one that ficha made: name another one")]
    NotOurs,
    /// The file is broken.
    #[error("the database is damaged ({0}): restore it from a backup")]
    Damaged(String),
    /// There is no room.
    #[error("the disk (or the bound of the database's size) is full: make room")]
    Full,
    /// A later release has changed the tables.
    #[error(
        "the database is newer than this program (its tables have version {found}, this program knows {known}): \
         use the release that wrote it, or a later one"
    )]
    Newer {
        /// The version of the file's tables.
        found: i64,
        /// The last version that this program knows.
        known: i64,
    },
    /// A build that is none of the releases has made the tables.
    #[error("the database's tables were made by another build of ficha (migration {number} differs): use that one")]
    OtherTables {
        /// The first migration that differs.
        number: i64,
    },
    /// A thread could not be started.
    #[error("no thread can be started: {source}")]
    Thread {
        /// What the system says.
        source: io::Error,
    },
    /// Anything else that SQLite says.
    #[error("SQLite can't open it: {0}")]
    Sqlite(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for OpenFailure {
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error_code() else { return Self::Sqlite(error) };
        if code == ErrorCode::NotADatabase {
            Self::NotADatabase
        } else if code == ErrorCode::DatabaseCorrupt {
            Self::Damaged(error.to_string())
        } else if code == ErrorCode::DiskFull || error.sqlite_extended_error_code() == Some(SQLITE_IOERR_SHMSIZE) {
            Self::Full
        } else if [ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked].contains(&code) {
            Self::Held("in the file itself".to_owned())
        } else if code == ErrorCode::ReadOnly {
            Self::ReadOnly("it".to_owned())
        } else {
            Self::Sqlite(error)
        }
    }
}

/// Makes the folder (0700) where it is missing, and takes the lock that keeps others out.
pub(super) fn lock_alone(path: &Path) -> Result<File, OpenFailure> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| place(folder, e))?;
    }
    let lock_path = beside(path, ".lock");
    let lock = file(&lock_path)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenFailure::Held(lock_path.display().to_string())),
        Err(TryLockError::Error(source)) => Err(place(&lock_path, source)),
    }
}

/// As [`lock_alone`], and makes the file (0600) where it is missing.
pub(super) fn lock(path: &Path) -> Result<File, OpenFailure> {
    let lock = lock_alone(path)?;
    // SQLite would open what it may not write for reading alone, and say so at the first write; and for the
    // superuser the system does not mind.
    let database = file(path)?;
    if database.metadata().map_err(|e| place(path, e))?.permissions().readonly() {
        return Err(OpenFailure::ReadOnly(path.display().to_string()));
    }
    Ok(lock)
}

/// Opens the writing connection, checks what is there, and brings the tables up to date.
pub(super) fn prepare(recipe: &Recipe) -> Result<SqliteSession, OpenFailure> {
    let mut session = recipe.writer()?;
    migrate::migrate(&mut session.connection)?;
    checkpoint(&session)?;
    let size = |pragma: &str| session.connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let expected = size("PRAGMA page_count")?.saturating_mul(size("PRAGMA page_size")?);
    let there = fs::metadata(&recipe.path).map_err(|e| place(&recipe.path, e))?.len();
    if i64::try_from(there).is_ok_and(|there| there < expected) {
        return Err(OpenFailure::Damaged(format!("{there} bytes are there of {expected}")));
    }
    Ok(session)
}

fn file(path: &Path) -> Result<File, OpenFailure> {
    let opened = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    opened.map_err(|e| place(path, e))
}

fn place(path: &Path, source: io::Error) -> OpenFailure {
    let place = path.display().to_string();
    if [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem].contains(&source.kind()) {
        OpenFailure::ReadOnly(place)
    } else if [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded].contains(&source.kind()) {
        OpenFailure::Full
    } else {
        OpenFailure::Place { place, source }
    }
}
