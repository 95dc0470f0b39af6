//! Threads for work that would hold requests up, with a bounded queue before them.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
    mpsc::{SyncSender, sync_channel},
};

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// Threads that each keep an `S` between two pieces of work.
pub(crate) struct Pool<S> {
    queue: SyncSender<Job<S>>,
    waiting: Arc<AtomicUsize>,
}

/// The queue is full, or its threads are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl<S: Default + 'static> Pool<S> {
    /// `threads` threads called `name-0` and so on, and a queue of `bound` before them.
    pub(crate) fn new(name: &str, threads: usize, bound: usize) -> Self {
        Self::of(name, (threads.max(1), 0), bound)
    }

    /// The same for short pieces of work: the first of the threads has its share of the processor whatever else there is to do,
    /// the others take what is left over.
    pub(crate) fn giving_way(name: &str, threads: usize, bound: usize) -> Self {
        Self::of(name, (1, threads.saturating_sub(1)), bound)
    }

    fn of(name: &str, (ordinary, giving_way): (usize, usize), bound: usize) -> Self {
        let (queue, jobs) = sync_channel::<Job<S>>(bound);
        let jobs = Arc::new(Mutex::new(jobs));
        for n in 0..ordinary + giving_way {
            let jobs = jobs.clone();
            let run = move || {
                if n >= ordinary {
                    give_way();
                }
                let mut kept = S::default();
                loop {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    match job {
                        Ok(job) => job(&mut kept),
                        Err(_) => break,
                    }
                }
            };
            if let Err(error) = std::thread::Builder::new().name(format!("{name}-{n}")).spawn(run) {
                tracing::error!(%error, "a thread for {name} could not be started");
            }
        }
        Self { queue, waiting: Arc::default() }
    }

    /// Pieces of work that wait or are under way.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// Does `work` on one of the threads. What nobody waits for any more is left out.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, Full> {
        let (done, answer) = tokio::sync::oneshot::channel();
        let waiting = self.waiting.clone();
        waiting.fetch_add(1, Ordering::AcqRel);
        let job: Job<S> = Box::new(move |kept| {
            if !done.is_closed() {
                let _ = done.send(work(kept));
            }
            waiting.fetch_sub(1, Ordering::AcqRel);
        });
        if self.queue.try_send(job).is_err() {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(Full);
        }
        answer.await.map_err(|_| Full)
    }
}

/// Lets every ordinary thread go before this one at once (`SCHED_IDLE`). At the same rank what takes a few microseconds would wait
/// for the end of a slice of milliseconds.
fn give_way() {
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy) {
        // A container or a unit may forbid it: then cheap answers take longer beside dear ones, nothing else.
        tracing::debug!(?error, "a thread can't be given a lower rank");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_finds_the_queue_full_is_told_so_and_nothing_else_is_lost() {
        let pool = Pool::<u32>::new("test", 1, 1);
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = std::sync::mpsc::channel::<()>();
        let first = pool.run(move |n| {
            let _ = begun.send(());
            let _ = gate.recv();
            *n += 1;
            *n
        });
        let mut first = Box::pin(first);
        // Polled once it stands in the queue, and the thread takes it.
        assert!(futures_util::poll!(&mut first).is_pending());
        has_begun.recv().unwrap();
        let mut second = Box::pin(pool.run(|n| {
            *n += 1;
            *n
        }));
        assert!(futures_util::poll!(&mut second).is_pending());
        assert_eq!(pool.run(|n| *n).await, Err(Full));
        go.send(()).unwrap();
        assert_eq!((first.await, second.await), (Ok(1), Ok(2)));
        assert_eq!(pool.run(|n| *n).await, Ok(2));
    }
}
