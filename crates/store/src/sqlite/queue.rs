//! Steps that wait for a thread: bounded, taken one by one or all at once.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::job::Job;

/// A bounded queue of steps.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    bound: usize,
}

struct Waiting {
    jobs: VecDeque<Box<dyn Job>>,
    /// Threads that wait for a job: nobody is woken when there is none.
    idle: usize,
    closed: bool,
}

/// Why a step was not queued.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("{0} steps are waiting already")]
    Full(usize),
    #[error("it is being closed")]
    Closed,
}

/// What came of waiting for steps.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Some,
    /// Nothing came in the time given.
    Idle,
    /// The queue is closed and empty.
    Closed,
}

impl Queue {
    pub(super) fn new(bound: usize) -> Arc<Self> {
        let waiting = Waiting { jobs: VecDeque::new(), idle: 0, closed: false };
        Arc::new(Self { waiting: Mutex::new(waiting), arrived: Condvar::new(), bound })
    }

    /// Queues a step, or refuses it at once.
    pub(super) fn push(&self, job: Box<dyn Job>) -> Result<(), Refused> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Refused::Closed);
        }
        if waiting.jobs.len() >= self.bound {
            return Err(Refused::Full(self.bound));
        }
        waiting.jobs.push_back(job);
        let wake = waiting.idle > 0;
        drop(waiting);
        if wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits for a step, and takes it with every other that waits, at most `most`; `patience` is how long to wait.
    pub(super) fn take(&self, jobs: &mut Vec<Box<dyn Job>>, most: usize, patience: Option<Duration>) -> Taken {
        let mut waiting = self.lock();
        while waiting.jobs.is_empty() {
            if waiting.closed {
                return Taken::Closed;
            }
            waiting.idle += 1;
            let timed_out;
            (waiting, timed_out) = self.wait(waiting, patience);
            waiting.idle -= 1;
            if timed_out && waiting.jobs.is_empty() && !waiting.closed {
                return Taken::Idle;
            }
        }
        let n = waiting.jobs.len().min(most);
        jobs.extend(waiting.jobs.drain(..n));
        Taken::Some
    }

    /// Lets threads go first that are about to add steps, as long as some come of it, and takes those too: a commit costs much
    /// the same for one step and for many.
    pub(super) fn gather(&self, jobs: &mut Vec<Box<dyn Job>>, most: usize) {
        loop {
            std::thread::yield_now();
            let mut waiting = self.lock();
            let n = waiting.jobs.len().min(most.saturating_sub(jobs.len()));
            if n == 0 {
                return;
            }
            jobs.extend(waiting.jobs.drain(..n));
        }
    }

    /// How many steps wait.
    pub(super) fn len(&self) -> usize {
        self.lock().jobs.len()
    }

    /// Takes no more steps; those that wait are still done.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Takes no more steps and drops those that wait: nobody will do them.
    pub(super) fn abandon(&self) {
        let jobs = {
            let mut waiting = self.lock();
            waiting.closed = true;
            std::mem::take(&mut waiting.jobs)
        };
        drop(jobs);
        self.arrived.notify_all();
    }

    fn wait<'a>(
        &self,
        waiting: MutexGuard<'a, Waiting>,
        patience: Option<Duration>,
    ) -> (MutexGuard<'a, Waiting>, bool) {
        match patience {
            None => (self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner), false),
            Some(patience) => {
                let (waiting, result) =
                    self.arrived.wait_timeout(waiting, patience).unwrap_or_else(PoisonError::into_inner);
                (waiting, result.timed_out())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("bound", &self.bound).finish_non_exhaustive()
    }
}

/// Abandons a queue when its last worker ends, however it ends.
pub(super) struct Worker(pub(super) Arc<Queue>);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
