//! Threads that read, each with a connection of its own.

use std::{io, sync::Arc, thread};

use ficha_core::ports::StoreError;

use super::{
    connection::Recipe,
    job::{Job, Ran},
    queue::{Queue, Taken, Worker},
    session::SqliteSession,
};

/// The readers' threads and their queue.
#[derive(Debug)]
pub(super) struct Readers {
    queue: Arc<Queue>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(recipe: &Recipe, n: usize, queue: Arc<Queue>) -> io::Result<Self> {
        let mut readers = Self { queue: Arc::clone(&queue), threads: Vec::with_capacity(n) };
        // Dropped with the last thread: while one is left, steps are answered.
        let worker = Arc::new(Worker(queue));
        for _ in 0..n {
            let (recipe, worker) = (recipe.clone(), Arc::clone(&worker));
            let work = move || run(&recipe, &worker.0);
            readers.threads.push(thread::Builder::new().name("store-reader".to_owned()).spawn(work)?);
        }
        Ok(readers)
    }

    pub(super) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // Its panic was printed where it happened; here there is nothing left to do.
            let _ = thread.join();
        }
    }
}

fn run(recipe: &Recipe, queue: &Queue) {
    let mut session = None;
    let mut jobs = Vec::with_capacity(1);
    while queue.take(&mut jobs, 1, None) == Taken::Some {
        for mut job in jobs.drain(..) {
            if job.is_abandoned() {
                continue;
            }
            match read(&mut session, recipe, job.as_mut()) {
                Ok(()) => job.answer(),
                Err(why) => {
                    session = None;
                    job.refuse(StoreError::Unreachable(why));
                }
            }
        }
    }
}

/// Runs a reading step in a transaction, so that all its statements see one moment.
fn read(session: &mut Option<SqliteSession>, recipe: &Recipe, job: &mut dyn Job) -> Result<(), String> {
    let session = match session.take().map_or_else(|| recipe.reader(), Ok) {
        Ok(open) => session.insert(open),
        Err(error) => return Err(error.to_string()),
    };
    session.control("BEGIN").map_err(|e| e.to_string())?;
    if let Ran::Failed { why, .. } = job.run(session) {
        return Err(why);
    }
    session.control("COMMIT").map_err(|e| e.to_string())
}
