//! Putting a backup in the place of a database: checked whole before anything is replaced.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use ficha_types::UnixSeconds;
use rusqlite::Connection;

use super::{
    backup::BACKUP_AT,
    connection::{beside, open},
    migrate,
    open::{OpenFailure, lock_alone},
};

/// How far the numbers of changes move on: who followed them before finds none of the new ones among those that it knows.
const NUMBERS: i64 = 1 << 32;

/// What SQLite may leave beside a database.
const LOGS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// Bytes that are copied at a time.
const CHUNK: usize = 1 << 20;

/// Why a backup is not restored. The database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is a database already.
    #[error("there is a database already: {0}")]
    Exists(String),
    /// A file can't be read or written.
    #[error("{file}: {source}")]
    File {
        /// The file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// The backup is none, or of another release, or damaged.
    #[error("the backup can't be used: {0}")]
    Unusable(#[source] OpenFailure),
    /// The backup holds what ficha did not put there.
    #[error("the backup can't be used: {0} in it is not what ficha makes")]
    Foreign(String),
    /// The database's place can't be taken over.
    #[error(transparent)]
    Place(OpenFailure),
}

/// What a backup is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupFacts {
    /// When it was made; unknown when it is a plain copy of a database's file.
    pub at: Option<UnixSeconds>,
    /// The issuers in it.
    pub issuers: u64,
    /// The clients in it.
    pub clients: u64,
    /// Live tokens that have not expired.
    pub live_tokens: u64,
    /// Families of refresh tokens that go on.
    pub families: u64,
    /// Revocations that stand.
    pub revocations: u64,
}

/// What the replaced database had taken away and the backup does not know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// Revocations that stand.
    pub revocations: u64,
    /// Families that were ended.
    pub families: u64,
    /// Not-before marks, or later ones.
    pub marks: u64,
}

/// A backup on its way to a database's place, which is locked meanwhile.
#[derive(Debug)]
pub struct Restoring {
    path: PathBuf,
    folder: PathBuf,
    staged: PathBuf,
    copy: File,
    there: bool,
    lock: File,
}

impl Restoring {
    /// Takes the place of the database at `path`; one that is there is only replaced when `replace` says so.
    ///
    /// # Errors
    /// [`RestoreError::Exists`], and [`RestoreError::Place`] when another process has it.
    pub fn begin(path: &Path, replace: bool) -> Result<Self, RestoreError> {
        let lock = lock_alone(path).map_err(RestoreError::Place)?;
        let there = fs::metadata(path).is_ok_and(|there| there.len() > 0);
        if there && !replace {
            return Err(RestoreError::Exists(path.display().to_string()));
        }
        let folder = beside(path, ".restoring");
        // What an attempt that was broken off has left.
        match fs::remove_dir_all(&folder) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(file(&folder, source)),
            Ok(()) | Err(_) => {}
        }
        DirBuilder::new().mode(0o700).create(&folder).map_err(|e| file(&folder, e))?;
        let staged = folder.join(path.file_name().unwrap_or_default());
        let copy = File::options().write(true).create_new(true).mode(0o600).open(&staged);
        let copy = copy.map_err(|e| file(&staged, e))?;
        Ok(Self { path: path.to_owned(), folder, staged, copy, there, lock })
    }

    /// Where the copy stands: a folder of its own, in which it can be opened as any database.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Copies the backup and looks at all of it; `copied` is told how many bytes of how many.
    ///
    /// # Errors
    /// [`RestoreError::Unusable`], [`RestoreError::Foreign`], [`RestoreError::File`].
    pub fn take(
        &self,
        backup: &Path,
        now: UnixSeconds,
        copied: &mut dyn FnMut(u64, u64),
    ) -> Result<BackupFacts, RestoreError> {
        self.fill(backup, copied)?;
        let connection = self.open().map_err(|e| RestoreError::Unusable(e.into()))?;
        migrate::check(&connection).map_err(RestoreError::Unusable)?;
        if let Some(foreign) = migrate::foreign(&connection).map_err(RestoreError::Unusable)? {
            return Err(RestoreError::Foreign(foreign));
        }
        whole(&connection).map_err(RestoreError::Unusable)?;
        facts(&connection, now).map_err(|e| RestoreError::Unusable(e.into()))
    }

    /// What stands in the database that is replaced against tokens, and not in the backup; `None` when it can't be read.
    #[must_use]
    pub fn lost(&self, now: UnixSeconds) -> Option<Lost> {
        if !self.there {
            return None;
        }
        let connection = self.open().ok()?;
        connection.execute("ATTACH DATABASE ?1 AS old", [self.path.display().to_string()]).ok()?;
        let count = |query: &str| {
            let counted = connection.query_row(query, [], |row| row.get::<_, i64>(0));
            counted.ok().and_then(|n| u64::try_from(n).ok())
        };
        let now = now.0;
        Some(Lost {
            revocations: count(&format!(
                "SELECT count(*) FROM old.revocations o WHERE o.until > {now} AND NOT EXISTS (SELECT 1 FROM main.revocations n \
                 WHERE n.issuer = o.issuer AND n.id = o.id AND n.api = o.api)"
            ))?,
            families: count(&format!(
                "SELECT count(*) FROM old.families o WHERE o.ended > 0 AND o.keep_until > {now} AND NOT EXISTS \
                 (SELECT 1 FROM main.families n WHERE n.issuer = o.issuer AND n.family = o.family AND n.ended > 0)"
            ))?,
            marks: count(
                "SELECT count(*) FROM old.marks o WHERE NOT EXISTS (SELECT 1 FROM main.marks n WHERE n.issuer = o.issuer \
                 AND n.kind = o.kind AND n.owner = o.owner AND n.api = o.api AND n.at >= o.at)",
            )?,
        })
    }

    /// Makes the copy a database that goes on from here: the numbers of its changes were given to other changes since.
    ///
    /// # Errors
    /// [`RestoreError::Unusable`].
    pub fn move_on(&self) -> Result<(), RestoreError> {
        let moved = self.open().and_then(|connection| {
            connection.execute_batch(&format!(
                "BEGIN; UPDATE counters SET change = change + {NUMBERS}; DELETE FROM changes; \
                 DELETE FROM notes WHERE name = '{BACKUP_AT}'; COMMIT"
            ))
        });
        moved.map_err(|e| RestoreError::Unusable(e.into()))
    }

    /// Puts the copy, which nobody has open any more, in the database's place, in which there is one at every moment. Answers
    /// where the replaced one is now.
    ///
    /// # Errors
    /// [`RestoreError::File`].
    pub fn finish(self, now: UnixSeconds) -> Result<Option<PathBuf>, RestoreError> {
        empty_log(&self.staged).map_err(|e| RestoreError::Unusable(e.into()))?;
        self.hand_over().map_err(|e| file(&self.staged, e))?;
        let kept = if self.there { Some(self.keep(now)?) } else { None };
        // It must never stand beside another database than its own.
        for log in LOGS.map(|log| beside(&self.path, log)) {
            present(fs::remove_file(&log)).map_err(|e| file(&log, e))?;
        }
        fs::rename(&self.staged, &self.path).map_err(|e| file(&self.path, e))?;
        let folder = folder_of(&self.path);
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| file(folder, e))?;
        Ok(kept)
    }

    /// Gives the copy and the lock to the owner of the file that is replaced, with the rights of that file, else to the folder's
    /// owner: root may have made them, and the server runs as somebody else.
    fn hand_over(&self) -> io::Result<()> {
        let replaced = fs::metadata(&self.path).ok();
        let mode = replaced.as_ref().filter(|_| self.there).map_or(0o600, |replaced| replaced.mode() & 0o777);
        let owner = replaced.map_or_else(|| fs::metadata(folder_of(&self.path)), Ok)?;
        let (lock, named) = (self.lock.metadata()?, fs::symlink_metadata(beside(&self.path, ".lock"))?);
        // The owner of the folder may have put a link to a file of root's there.
        let is_lock = (lock.ino(), lock.dev(), lock.nlink()) == (named.ino(), named.dev(), 1);
        for made in [Some(&self.copy), is_lock.then_some(&self.lock)].into_iter().flatten() {
            match fchown(made, Some(owner.uid()), Some(owner.gid())) {
                // Who isn't root has made them as the server would.
                Err(e) if e.kind() != io::ErrorKind::PermissionDenied => return Err(e),
                Ok(()) | Err(_) => {}
            }
        }
        self.copy.set_permissions(Permissions::from_mode(mode))?;
        self.copy.sync_all()
    }

    /// Gives the database that is replaced a second name, which no file has.
    fn keep(&self, now: UnixSeconds) -> Result<PathBuf, RestoreError> {
        // One that is damaged is kept with its log as it is.
        let _ = empty_log(&self.path);
        let mut number = 1;
        loop {
            let suffix = if number == 1 { format!(".before-{}", now.0) } else { format!(".before-{}-{number}", now.0) };
            let kept = beside(&self.path, &suffix);
            number += 1;
            if LOGS.iter().any(|log| fs::symlink_metadata(beside(&kept, log)).is_ok()) {
                continue;
            }
            match fs::hard_link(&self.path, &kept) {
                Err(source) if source.kind() == io::ErrorKind::AlreadyExists => continue,
                linked => linked.map_err(|e| file(&kept, e))?,
            }
            for log in LOGS {
                let linked = fs::hard_link(beside(&self.path, log), beside(&kept, log));
                present(linked).map_err(|e| file(&beside(&kept, log), e))?;
            }
            return Ok(kept);
        }
    }

    fn fill(&self, backup: &Path, copied: &mut dyn FnMut(u64, u64)) -> Result<(), RestoreError> {
        let mut from = File::open(backup).map_err(|e| file(backup, e))?;
        let total = from.metadata().map_err(|e| file(backup, e))?.len();
        let (mut staged, mut chunk, mut done) = (&self.copy, vec![0; CHUNK], 0);
        loop {
            let n = from.read(&mut chunk).map_err(|e| file(backup, e))?;
            let Some(bytes) = chunk.get(..n).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
            staged.write_all(bytes).map_err(|e| file(&self.staged, e))?;
            done += n as u64;
            copied(done, total);
        }
    }

    fn open(&self) -> Result<Connection, rusqlite::Error> {
        open(&self.staged)
    }
}

impl Drop for Restoring {
    fn drop(&mut self) {
        // What is left there is a copy.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Carries the log into the database file; SQLite takes it away when nobody has the database open any more.
fn empty_log(path: &Path) -> Result<(), rusqlite::Error> {
    let connection = open(path)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)
}

/// What was done to a file that may be missing.
fn present(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
}

fn file(path: &Path, source: io::Error) -> RestoreError {
    RestoreError::File { file: path.display().to_string(), source }
}

/// Reads every page: what is damaged is found now, not in a month.
pub(super) fn whole(connection: &Connection) -> Result<(), OpenFailure> {
    let first: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if first == "ok" { Ok(()) } else { Err(OpenFailure::Damaged(first)) }
}

fn facts(connection: &Connection, now: UnixSeconds) -> Result<BackupFacts, rusqlite::Error> {
    let count = |query: String| {
        connection.query_row(&query, [], |row| row.get::<_, i64>(0)).map(|n| u64::try_from(n).unwrap_or(0))
    };
    let at =
        connection.query_row("SELECT value FROM notes WHERE name = ?1", [BACKUP_AT], |row| row.get::<_, String>(0));
    let at = match at {
        Ok(at) => at.parse().ok().map(UnixSeconds),
        Err(rusqlite::Error::QueryReturnedNoRows) => None,
        Err(error) => return Err(error),
    };
    let now = now.0;
    Ok(BackupFacts {
        at,
        issuers: count("SELECT count(*) FROM issuers".to_owned())?,
        clients: count("SELECT count(*) FROM clients".to_owned())?,
        live_tokens: count(format!("SELECT count(*) FROM live_tokens WHERE expires_at > {now}"))?,
        families: count(format!("SELECT count(*) FROM families WHERE ended = 0 AND keep_until > {now}"))?,
        revocations: count(format!("SELECT count(*) FROM revocations WHERE until > {now}"))?,
    })
}
