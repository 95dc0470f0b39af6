//! The embedded store: SQLite, one writer that commits waiting steps together, readers beside it.

mod backup;
mod connection;
mod job;
pub(crate) mod migrate;
mod open;
mod ports;
mod queue;
mod readers;
mod restore;
mod session;
mod standing;
mod writer;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use ficha_core::ports::{BoxFuture, StoreError};
use futures_util::FutureExt;
pub use open::{OpenError, OpenFailure};
pub use restore::{BackupFacts, Lost, RestoreError, Restoring};

use self::{connection::Recipe, queue::Queue, readers::Readers, session::SqliteSession, writer::Writer};
use crate::backend::Failure;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Threads that read, 1 to 16.
    pub readers: usize,
    /// The most steps that wait for the writer, and the most that wait for the readers; further ones are refused at once.
    pub queue: usize,
    /// The most pages of 4,096 bytes that the database file may have; no limit but the disk's when absent.
    pub max_pages: Option<u32>,
    /// Bytes of SQLite's log (`-wal`) above which it is emptied even if writing has to wait for readers, 0.1 s at most.
    pub log_bound: u64,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { readers: 2, queue: 8192, max_pages: None, log_bound: 64 << 20 }
    }
}

/// Every storage port on one SQLite file. Whoever holds it holds the file: a second one, in whatever process, is refused.
///
/// Dropping it finishes what waits and closes the file.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    path: PathBuf,
    /// Released last: after both have closed their connections.
    _lock: File,
}

impl SqliteStore {
    /// Opens the database at `path`, made where there is none, and brings its tables up to date. Blocks.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong and what to mend.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, OpenError> {
        Self::take_over(path, options).map_err(|why| OpenError { path: path.to_owned(), why })
    }

    fn take_over(path: &Path, options: &OpenOptions) -> Result<Self, OpenFailure> {
        let lock = open::lock(path)?;
        let recipe = Recipe { path: path.to_owned(), max_pages: options.max_pages, log_bound: options.log_bound };
        let first = open::prepare(&recipe)?;
        let failed = |source| OpenFailure::Thread { source };
        let readers =
            Readers::start(&recipe, options.readers.clamp(1, 16), Queue::new(options.queue)).map_err(failed)?;
        let writer = Writer::start(recipe, first, Queue::new(options.queue)).map_err(failed)?;
        Ok(Self { writer, readers, path: path.to_owned(), _lock: lock })
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A connection that reads for as long as it likes, in nobody's way.
    pub(crate) fn past_the_queues(&self) -> Result<rusqlite::Connection, rusqlite::Error> {
        let recipe = Recipe { path: self.path.clone(), max_pages: None, log_bound: 0 };
        recipe.reader().map(|session| session.connection)
    }

    /// Runs a step on the writer's thread; answers when it is durable.
    fn write<T, F>(&self, step: F) -> BoxFuture<'_, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnMut(&mut SqliteSession) -> Result<T, Failure> + Send + 'static,
    {
        ask(self.writer.queue(), step, || StoreError::OutcomeUnknown("the writer has stopped".to_owned()))
    }

    /// Runs a reading step on a reader's thread, in a transaction that shows one moment.
    fn read<T, F>(&self, step: F) -> BoxFuture<'_, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnMut(&mut SqliteSession) -> Result<T, Failure> + Send + 'static,
    {
        ask(self.readers.queue(), step, || StoreError::Unreachable("the reader has stopped".to_owned()))
    }
}

/// Queues a step and waits for its answer; `unanswered` is what it means that none comes.
fn ask<T, F>(queue: &Arc<Queue>, step: F, unanswered: fn() -> StoreError) -> BoxFuture<'_, Result<T, StoreError>>
where
    T: Send + 'static,
    F: FnMut(&mut SqliteSession) -> Result<T, Failure> + Send + 'static,
{
    Box::pin(async move {
        let (job, answer) = job::job(step);
        queue.push(job).map_err(|refused| StoreError::Unreachable(refused.to_string()))?;
        answer.await.unwrap_or_else(|_| Err(unanswered()))
    })
}

/// Runs a step whose futures never wait: SQLite answers within the call.
fn at_once<T>(step: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    step.now_or_never().unwrap_or_else(|| {
        Err(Failure::Engine { lost: false, why: "a step waited for something that SQLite does at once".to_owned() })
    })
}
