//! Threads for work that would hold requests up, in what time is left over, with a bound on who may wait.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed},
        mpsc::{SyncSender, sync_channel},
    },
    time::Duration,
};

use futures_util::future::{Either, select};
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};
use tokio::{sync::oneshot, time::timeout};

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// Threads that each keep an `S` between two pieces of work. They take what time is left over; where that is none, others with
/// their share of the processor do the work.
pub(crate) struct Pool<S> {
    spare: Threads<S>,
    sure: Threads<S>,
    patience: Duration,
    waiting: Arc<AtomicUsize>,
    bound: usize,
}

/// What there may be of a pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Threads.
    pub(crate) threads: usize,
    /// Pieces of work that may wait for them.
    pub(crate) bound: usize,
    /// How long the threads may finish nothing before others do their work.
    pub(crate) patience: Duration,
}

/// The queue is full, or its threads are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl<S: Default + 'static> Pool<S> {
    /// Threads called `name-0` and so on.
    pub(crate) fn new(name: &str, Size { threads, bound, patience }: Size) -> Self {
        let threads = threads.max(1);
        let bound = bound + threads;
        Self {
            spare: Threads::new(name, (threads, bound), true),
            // One less, so that a core is left for what takes microseconds.
            sure: Threads::new(&format!("{name}-sure"), ((threads - 1).max(1), bound), false),
            patience,
            waiting: Arc::default(),
            bound,
        }
    }

    /// Pieces of work that wait or are under way.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Acquire)
    }

    /// Does `work` on one of the threads; twice, perhaps, where one of them gets no time. What nobody waits for any more is left
    /// out.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Fn(&mut S) -> T + Send + Sync + 'static,
    ) -> Result<T, Full> {
        let _place = Place::take(&self.waiting, self.bound)?;
        let work = Arc::new(work);
        let mut spare = pin!(self.spare.ask(&work));
        loop {
            let done = self.spare.done();
            if let Ok(answer) = timeout(self.patience, spare.as_mut()).await {
                return answer;
            }
            if self.spare.done() == done {
                break;
            }
        }
        match select(spare, pin!(self.sure.ask(&work))).await {
            Either::Left((answer, _)) | Either::Right((answer, _)) => answer,
        }
    }
}

/// Counts one who waits.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>, bound: usize) -> Result<Self, Full> {
        let place = Self(Arc::clone(waiting));
        if waiting.fetch_add(1, AcqRel) < bound { Ok(place) } else { Err(Full) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, AcqRel);
    }
}

/// Threads of one rank.
struct Threads<S> {
    /// Also of those that nobody waits for any more, until their turn comes.
    queue: SyncSender<Job<S>>,
    /// Pieces of work that they have finished.
    done: Arc<AtomicU64>,
}

impl<S: Default + 'static> Threads<S> {
    fn new(name: &str, (threads, bound): (usize, usize), spare: bool) -> Self {
        let (queue, jobs) = sync_channel::<Job<S>>(bound);
        let jobs = Arc::new(Mutex::new(jobs));
        for n in 0..threads {
            let jobs = jobs.clone();
            let run = move || {
                if spare {
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
        Self { queue, done: Arc::default() }
    }

    fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// What `work` comes to. Its place in the queue keeps nothing of it: it is gone with who waits.
    fn ask<T: Send + 'static, W: Fn(&mut S) -> T + Send + Sync + 'static>(
        &self,
        work: &Arc<W>,
    ) -> impl Future<Output = Result<T, Full>> + use<S, T, W> {
        let (told, answer) = oneshot::channel();
        let (work, done) = (Arc::downgrade(work), Arc::clone(&self.done));
        let job = move |kept: &mut S| {
            if let Some(work) = Weak::upgrade(&work)
                && !told.is_closed()
            {
                let _ = told.send(work(kept));
                done.fetch_add(1, Relaxed);
            }
        };
        // What can't be taken is dropped, and its answer with it.
        let _ = self.queue.try_send(Box::new(job));
        async move { answer.await.map_err(|_| Full) }
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
    use std::{
        sync::mpsc::{Receiver, channel},
        thread::{self, Thread},
    };

    use super::*;

    fn size(bound: usize, patience: Duration) -> Size {
        Size { threads: 1, bound, patience }
    }

    #[tokio::test]
    async fn what_finds_the_queue_full_is_told_so_and_nothing_else_is_lost() {
        let pool = Pool::<u32>::new("test", size(1, Duration::MAX));
        let (go, gate) = channel::<()>();
        let (begun, has_begun) = channel::<()>();
        let gate = Mutex::new(gate);
        let first = pool.run(move |n| {
            let _ = begun.send(());
            let _ = gate.lock().unwrap().recv();
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
        assert_eq!(pool.waiting(), 2);
        go.send(()).unwrap();
        assert_eq!((first.await, second.await), (Ok(1), Ok(2)));
        assert_eq!(pool.run(|n| *n).await, Ok(2));
        assert_eq!(pool.waiting(), 0);
    }

    /// Who did it; the thread for spare time stands still until `gate` is closed, as it does where there is none.
    fn who(gate: Receiver<()>) -> impl Fn(&mut ()) -> Option<String> + Send + Sync {
        let gate = Mutex::new(gate);
        move |()| {
            let name = Thread::name(&thread::current()).map(str::to_owned);
            if name.as_deref() == Some("test-0") {
                let _ = gate.lock().unwrap().recv();
            }
            name
        }
    }

    #[tokio::test]
    async fn what_gets_no_time_is_done_by_those_that_have_their_share() {
        let pool = Pool::<()>::new("test", size(8, Duration::from_millis(20)));
        let ((first_end, first), (second_end, second)) = (channel(), channel());
        // The second one never gets a thread of the first kind.
        let (first, second) = (who(first), who(second));
        let both = tokio::join!(pool.run(first), pool.run(second));
        assert_eq!(both, (Ok(Some("test-sure-0".into())), Ok(Some("test-sure-0".into()))));
        drop((first_end, second_end));
        assert_eq!(pool.run(|()| ()).await, Ok(()));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_keeps_its_place_in_a_bounded_queue() {
        let pool = Pool::<()>::new("test", size(2, Duration::MAX));
        let (end, gate) = channel::<()>();
        let (begun, has_begun) = channel::<()>();
        let gate = Mutex::new(gate);
        let mut first = Box::pin(pool.run(move |()| {
            let _ = begun.send(());
            let _ = gate.lock().unwrap().recv();
        }));
        assert!(futures_util::poll!(&mut first).is_pending());
        has_begun.recv().unwrap();
        for _ in 0..3 {
            assert!(futures_util::poll!(Box::pin(pool.run(|()| ()))).is_pending());
        }
        assert_eq!(pool.run(|()| ()).await, Err(Full), "who comes and goes fills no memory");
        drop(end);
        assert_eq!(first.await, Ok(()));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_dropped_at_once() {
        let pool = Pool::<()>::new("test", size(8, Duration::MAX));
        let (end, gate) = channel::<()>();
        let mut first = Box::pin(pool.run(who(gate)));
        assert!(futures_util::poll!(&mut first).is_pending());
        let secret = Arc::new(());
        let held = Arc::clone(&secret);
        let mut second = Box::pin(pool.run(move |()| drop(Arc::clone(&held))));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(second);
        assert_eq!(Arc::strong_count(&secret), 1, "no password stays in the queue");
        drop(end);
        assert_eq!(first.await, Ok(Some("test-0".into())));
    }
}
