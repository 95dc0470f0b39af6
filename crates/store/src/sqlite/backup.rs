//! A copy of the database as of one moment, made while others write, and looked at whole before it bears its name.
//!
//! Pages are copied as they are, so that damage is seen, and then once more row by row: what was deleted is not in a backup.

use std::{
    fs::{self, File},
    io,
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use ficha_core::ports::{BackupError, BackupStore, BoxFuture, Copied};
use ficha_types::UnixSeconds;
use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
    types::{ToSqlOutput, ValueRef},
};

use super::{
    SqliteStore,
    connection::{Recipe, beside, open},
    open::OpenFailure,
    restore,
};

/// Pages that are copied before it is told how far it is.
const PAGES: i32 = 1024;

/// How often it is told, while what was copied is looked at and written anew, that this goes on.
const TOLD: Duration = Duration::from_millis(250);

/// The note in a backup that says when it was made.
pub(super) const BACKUP_AT: &str = "backup_at";

impl BackupStore for SqliteStore {
    fn backup<'a>(
        &'a self,
        file: &'a Path,
        now: UnixSeconds,
        copied: Copied,
    ) -> BoxFuture<'a, Result<u64, BackupError>> {
        let (recipe, file) = (Recipe { path: self.path.clone(), max_pages: None, log_bound: 0 }, file.to_owned());
        Box::pin(async move {
            let copying = tokio::task::spawn_blocking(move || copy(&recipe, &file, now, &copied));
            copying.await.unwrap_or_else(|e| Err(BackupError::Store(e.to_string())))
        })
    }
}

/// A file that goes when it is not finished.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            // What was not made is not there.
            let _ = fs::remove_file(beside(&self.0, suffix));
        }
    }
}

fn copy(recipe: &Recipe, file: &Path, now: UnixSeconds, copied: &Copied) -> Result<u64, BackupError> {
    let failed = |why: io::Error| BackupError::File { file: file.display().to_string(), why: why.to_string() };
    if fs::symlink_metadata(file).is_ok() {
        return Err(BackupError::Exists(file.display().to_string()));
    }
    let new = |suffix: &str| {
        let part = beside(file, suffix);
        let made = File::options().write(true).create_new(true).mode(0o600).open(&part);
        made.map(|_| Unfinished(part)).map_err(failed)
    };
    let (raw, part) = (new(".pages")?, new(".part")?);
    let pages = pages(recipe, &raw.0, copied)?;
    finish((&raw.0, &part.0), now, &|| copied(pages, pages))?;
    drop(raw);
    let whole = File::open(&part.0).map_err(failed)?;
    whole.sync_all().map_err(failed)?;
    // A name that somebody else gave meanwhile is not taken away.
    fs::hard_link(&part.0, file).map_err(|why| {
        if why.kind() == io::ErrorKind::AlreadyExists {
            BackupError::Exists(file.display().to_string())
        } else {
            failed(why)
        }
    })?;
    drop(part);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(whole.metadata().map_err(failed)?.len())
}

/// Copies every page; how many they are. The reading transaction shows one moment from the first page to the last, so that
/// writers don't make it begin anew.
fn pages(recipe: &Recipe, part: &Path, copied: &Copied) -> Result<u64, BackupError> {
    let failed = |why: rusqlite::Error| BackupError::Store(why.to_string());
    let source = recipe.reader().map_err(failed)?;
    source.control("BEGIN").map_err(failed)?;
    source.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)?;
    let mut target = unsynced(part).map_err(failed)?;
    let copying = Backup::new(&source.connection, &mut target).map_err(failed)?;
    loop {
        let step = copying.step(PAGES).map_err(failed)?;
        let progress = copying.progress();
        let number = |n| u64::try_from(n).unwrap_or_default();
        if !copied(number(progress.pagecount - progress.remaining), number(progress.pagecount)) {
            return Err(BackupError::Stopped);
        }
        if step == StepResult::Done {
            return Ok(number(progress.pagecount));
        }
        if step != StepResult::More {
            // Nobody else has either of the two: what it waits for will not come.
            return Err(BackupError::Store("a page can't be copied: it is locked".to_owned()));
        }
    }
}

/// Says in `raw` when it was made, looks at all of it, and writes what it holds to `part`: rows and nothing between them.
fn finish(
    (raw, part): (&Path, &Path),
    now: UnixSeconds,
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Result<(), BackupError> {
    let failed = |why: rusqlite::Error| damaged(why.into());
    let raw = unsynced(raw).map_err(failed)?;
    raw.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(failed)?;
    let note =
        "INSERT INTO notes (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    raw.execute(note, (BACKUP_AT, now.0.to_string())).map_err(failed)?;
    watched(&raw, goes_on, || {
        restore::whole(&raw).map_err(damaged)?;
        let part = ToSqlOutput::Borrowed(ValueRef::Text(part.as_os_str().as_bytes()));
        raw.execute("VACUUM INTO ?1", [part]).map(drop).map_err(failed)
    })
}

fn damaged(why: OpenFailure) -> BackupError {
    BackupError::Store(if let OpenFailure::Sqlite(error) = why { error.to_string() } else { why.to_string() })
}

/// Does `work`, and breaks it off when nobody waits for it any more.
fn watched<T>(
    connection: &Connection,
    goes_on: &(dyn Fn() -> bool + Sync),
    work: impl FnOnce() -> Result<T, BackupError>,
) -> Result<T, BackupError> {
    let (done, ended) = mpsc::channel::<()>();
    let interrupt = connection.get_interrupt_handle();
    thread::scope(|scope| {
        let watch = scope.spawn(move || {
            let mut awaited = true;
            while ended.recv_timeout(TOLD) == Err(RecvTimeoutError::Timeout) {
                awaited = awaited && goes_on();
                if !awaited {
                    // Again and again: it may have been between two statements.
                    interrupt.interrupt();
                }
            }
            awaited
        });
        let worked = work();
        drop(done);
        if watch.join().unwrap_or(true) { worked } else { Err(BackupError::Stopped) }
    })
}

/// A connection to what is made.
fn unsynced(part: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = open(part)?;
    // It is synced once, at the end.
    connection.execute_batch("PRAGMA synchronous = OFF")?;
    Ok(connection)
}
