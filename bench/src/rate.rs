//! The rate at which SQLite itself commits the row of a refresh, in groups: what refreshing with rotation is measured against.

use std::{path::Path, time::Instant};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_jose::random;
use rusqlite::{Connection, params};

/// Rows of one transaction: as many as there are callers.
pub(crate) const GROUP: usize = 64;

/// How families are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// By chance: neighbours in time are none in the table. What the goal is held against, whatever ficha does about its own.
    ByChance,
    /// As ficha calls them, time first (decision 17): rows that are moved together lie together.
    InOrderOfTime,
}

/// A database with the one table.
pub(crate) struct Rows {
    connection: Connection,
    /// Each family with the step at which it stands.
    families: Vec<(String, i64)>,
    next: usize,
}

impl Rows {
    /// Makes it in `folder` with as many `families`, by the pragmas of ficha's store.
    ///
    /// # Errors
    /// SQLite's.
    pub(crate) fn make(folder: &Path, families: usize, names: Names) -> Result<Self> {
        let mut connection = Connection::open(folder.join(format!("rows-{names:?}.db")))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000;
            PRAGMA journal_size_limit = 16777216; PRAGMA cache_size = -4096;
            CREATE TABLE families (
                issuer TEXT NOT NULL, family TEXT NOT NULL, client TEXT NOT NULL, sub TEXT, step INTEGER NOT NULL,
                used_at INTEGER NOT NULL, ended INTEGER NOT NULL, keep_until INTEGER NOT NULL, PRIMARY KEY (issuer, family)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX families_by_end ON families (keep_until);",
        )?;
        let families: Vec<_> = (0..families).map(|n| (names.of(n), 1)).collect();
        let filling = connection.transaction()?;
        for (family, _) in &families {
            let row = "INSERT INTO families VALUES ('leancore', ?1, 'client-hs', NULL, 1, 1800000000, 0, 1800003600)";
            filling.prepare_cached(row)?.execute([family])?;
        }
        filling.commit()?;
        Ok(Self { connection, families, next: 0 })
    }

    /// Rows per second: the next `n` families are moved, in groups.
    ///
    /// # Errors
    /// SQLite's.
    pub(crate) fn rate(&mut self, n: usize) -> Result<f64> {
        const MOVE: &str = "UPDATE families SET step = step + 1, used_at = ?4 \
             WHERE issuer = ?1 AND family = ?2 AND step = ?3 AND ended = 0 AND keep_until >= ?5 RETURNING step";
        if self.next + n > self.families.len() {
            self.next = 0;
        }
        let part = self.families.get_mut(self.next..self.next + n).context("more families than there are")?;
        self.next += n;
        let began = Instant::now();
        for group in part.chunks_mut(GROUP) {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            for (family, step) in group {
                let values = params!["leancore", *family, *step, 1_800_000_000 + *step, 1_800_000_000];
                ensure!(self.connection.prepare_cached(MOVE)?.exists(values)?, "a row was not where it must be");
                *step += 1;
            }
            self.connection.prepare_cached("COMMIT")?.execute([])?;
        }
        Ok(n as f64 / began.elapsed().as_secs_f64())
    }
}

impl Names {
    /// The name of the `n`th family; 25 of them begin within each millisecond.
    fn of(self, n: usize) -> String {
        let mut bytes = [0; 16];
        random::fill(&mut bytes);
        if self == Self::InOrderOfTime {
            let ms = 1_800_000_000_000 + n as u64 / 25;
            bytes.iter_mut().zip(ms.to_be_bytes().get(2..).unwrap_or_default()).for_each(|(to, from)| *to = *from);
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }
}
