//! The one thread that writes: it commits all steps that wait together, and answers after the commit.

use std::{fs, io, sync::Arc, thread, time::Duration};

use ficha_core::ports::StoreError;
use ficha_telemetry::metrics::{StoreOutcome, metrics};
use rusqlite::ErrorCode;

use super::{
    connection::{Recipe, checkpoint},
    job::{Job, Ran},
    queue::{Queue, Taken, Worker},
    session::{SqliteSession, failure},
};
use crate::backend::Failure;

/// The most steps of one transaction.
const GROUP: usize = 1024;

/// How long nothing has to come before the log is emptied.
const IDLE: Duration = Duration::from_secs(2);

/// The writer's thread and its queue.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(recipe: Recipe, first: SqliteSession, queue: Arc<Queue>) -> io::Result<Self> {
        let worker = Worker(Arc::clone(&queue));
        let log_bound = recipe.log_bound;
        let mut work = Work { recipe, session: Some(first), dirty: false, log_bound };
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(move || work.run(&worker.0))?;
        Ok(Self { queue, thread: Some(thread) })
    }

    pub(super) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // Its panic was printed where it happened; here there is nothing left to do.
            let _ = thread.join();
        }
    }
}

/// How a transaction ended.
enum Ended {
    /// What each step answered stands.
    Answered,
    /// Nothing of it was written. `lost`: the connection is of no more use; `by_one`: a smaller one may do better.
    Undone { lost: bool, by_one: bool, why: String },
    /// The commit failed without saying whether it did.
    Unknown { why: String },
}

struct Work {
    recipe: Recipe,
    /// None after it was lost.
    session: Option<SqliteSession>,
    /// Whether something was written since the log was emptied.
    dirty: bool,
    log_bound: u64,
}

impl Work {
    fn run(&mut self, queue: &Queue) {
        let mut jobs = Vec::new();
        loop {
            match queue.take(&mut jobs, GROUP, self.dirty.then_some(IDLE)) {
                Taken::Some => {
                    queue.gather(&mut jobs, GROUP);
                    metrics().store_batch.was((), jobs.len());
                    self.group(&mut jobs);
                    metrics().store_queue.set_count((), queue.len());
                    self.bound_log();
                }
                Taken::Idle => self.empty_log(),
                Taken::Closed => break,
            }
        }
        if self.dirty {
            self.empty_log();
        }
    }

    /// Commits `jobs` together; when that fails for want of room or the like, each by itself.
    fn group(&mut self, jobs: &mut Vec<Box<dyn Job>>) {
        let ended = self.transaction(jobs);
        if jobs.len() == 1 || !matches!(ended, Ended::Undone { by_one: true, .. }) {
            return answer(jobs, &ended);
        }
        for job in jobs.drain(..) {
            let mut alone = vec![job];
            let ended = self.transaction(&mut alone);
            answer(&mut alone, &ended);
        }
    }

    fn transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> Ended {
        let session = match self.session.take().map_or_else(|| self.recipe.writer(), Ok) {
            Ok(session) => self.session.insert(session),
            Err(error) => return Ended::Undone { lost: true, by_one: false, why: error.to_string() },
        };
        self.dirty = true;
        let ended = transaction(session, jobs);
        if matches!(ended, Ended::Undone { lost: true, .. } | Ended::Unknown { .. }) {
            self.session = None;
        }
        ended
    }

    /// Empties the log once it is too long. SQLite carries it into the file by itself, but begins it anew only at a
    /// moment without readers, which may never come.
    fn bound_log(&mut self) {
        if fs::metadata(self.recipe.log()).is_ok_and(|log| log.len() > self.log_bound) {
            self.empty_log();
        }
    }

    fn empty_log(&mut self) {
        self.dirty = false;
        let Some(session) = &self.session else { return };
        match checkpoint(session) {
            Ok(true) => self.log_bound = self.recipe.log_bound,
            // A reader is in the way: not tried again before as much was written once more.
            Ok(false) => self.log_bound = self.log_bound.saturating_mul(2),
            Err(error) => {
                tracing::warn!(%error, "the log of the database could not be carried into its file");
                self.session = None;
            }
        }
    }
}

/// Runs all `jobs` in one transaction; of one that contradicts what is there nothing stays.
fn transaction(session: &mut SqliteSession, jobs: &mut [Box<dyn Job>]) -> Ended {
    if let Err(error) = session.control("BEGIN IMMEDIATE") {
        let (lost, why) = cause(failure(&error));
        return Ended::Undone { lost, by_one: false, why };
    }
    // Almost none contradicts anything, and a savepoint costs a copy of each page that is changed within it: so first
    // without any, and when one does contradict, all of them once more with one each.
    match run_all(session, jobs, Apart::No) {
        Ok(Came::Through) => {}
        Ok(Came::ToAContradiction) if jobs.len() == 1 => {
            return match session.control("ROLLBACK") {
                Ok(()) => Ended::Answered,
                Err(error) => undone(session, failure(&error)),
            };
        }
        Ok(Came::ToAContradiction) => {
            let again = session.control("ROLLBACK").and_then(|()| session.control("BEGIN IMMEDIATE"));
            let ran = again.map_err(|e| failure(&e)).and_then(|()| run_all(session, jobs, Apart::Yes));
            if let Err(failed) = ran {
                return undone(session, failed);
            }
        }
        Err(failed) => return undone(session, failed),
    }
    let Err(error) = session.control("COMMIT") else { return Ended::Answered };
    // These say that the last frame of the transaction was not written; anything else may have come after it.
    let known = [ErrorCode::DiskFull, ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked, ErrorCode::ReadOnly];
    if error.sqlite_error_code().is_some_and(|code| known.contains(&code)) {
        return undone(session, failure(&error));
    }
    Ended::Unknown { why: error.to_string() }
}

/// Whether each step gets a savepoint of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Apart {
    Yes,
    No,
}

/// How far running steps came.
enum Came {
    /// To their end.
    Through,
    /// To one that contradicts what is there: everything since the transaction began has to be taken back.
    ToAContradiction,
}

/// Runs `jobs` one after the other; without savepoints only as far as the first one that contradicts.
fn run_all(session: &mut SqliteSession, jobs: &mut [Box<dyn Job>], apart: Apart) -> Result<Came, Failure> {
    for job in jobs {
        let ran = match apart {
            Apart::Yes => within_savepoint(session, job.as_mut()).map_err(|e| failure(&e))?,
            Apart::No => job.run(session),
        };
        match ran {
            Ran::Undo if apart == Apart::No => return Ok(Came::ToAContradiction),
            Ran::Done | Ran::Undo => {}
            Ran::Failed { lost, why } => return Err(Failure::Engine { lost, why }),
        }
    }
    Ok(Came::Through)
}

fn within_savepoint(session: &mut SqliteSession, job: &mut dyn Job) -> Result<Ran, rusqlite::Error> {
    session.control("SAVEPOINT step")?;
    let ran = job.run(session);
    match ran {
        Ran::Done => session.control("RELEASE step")?,
        Ran::Undo => {
            session.control("ROLLBACK TO step")?;
            session.control("RELEASE step")?;
        }
        // The whole transaction is rolled back.
        Ran::Failed { .. } => {}
    }
    Ok(ran)
}

/// Rolls back what SQLite has not rolled back by itself.
fn undone(session: &SqliteSession, failure: Failure) -> Ended {
    let rolled_back = session.connection.is_autocommit() || session.control("ROLLBACK").is_ok();
    let (lost, why) = cause(failure);
    let lost = lost || !rolled_back;
    Ended::Undone { lost, by_one: !lost, why }
}

/// Whether the connection was lost, and why.
fn cause(failure: Failure) -> (bool, String) {
    match failure {
        Failure::Engine { lost, why } => (lost, why),
        // Of a statement that steers the transaction: not what SQLite answers to one.
        Failure::Conflict(why) | Failure::Damaged(why) => (true, why),
    }
}

fn answer(jobs: &mut Vec<Box<dyn Job>>, ended: &Ended) {
    let n = u64::try_from(jobs.len()).unwrap_or(u64::MAX);
    let counted = match ended {
        Ended::Answered => StoreOutcome::Ok,
        Ended::Undone { .. } => StoreOutcome::Unreachable,
        Ended::Unknown { .. } => StoreOutcome::Unknown,
    };
    metrics().store_jobs.add(counted, n);
    for job in jobs.drain(..) {
        match ended {
            Ended::Answered => job.answer(),
            Ended::Undone { why, .. } => job.refuse(StoreError::Unreachable(why.clone())),
            Ended::Unknown { why } => job.refuse(StoreError::OutcomeUnknown(why.clone())),
        }
    }
}
