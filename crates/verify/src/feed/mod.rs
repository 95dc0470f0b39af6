//! Following the issuer's revocation feed, and what holds while that is not possible.

mod chain;
mod event;
mod follower;
mod options;
mod sse;
mod unsigned;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use ficha_types::{ScopeSet, Seconds};
use tokio::{runtime::Handle, sync::watch, task::JoinHandle, time::timeout};

use crate::{Claims, Rejection, Revocations, clock::Clocks};

pub(crate) use follower::{FeedAt, Source};
pub use options::FeedOptions;
pub(crate) use options::{LONGEST_STALE, Who};
pub use unsigned::read_feed_unsigned;

/// Time after which what is known is no longer fresh: three heartbeats.
const FRESH_FOR_MS: i64 = 3000;

/// How long it may not have been fresh before what was known of the issuer's clock counts no longer: it may have been set.
const CLOCK_SET_AFTER_MS: i64 = 60_000;

/// A feed that is followed, and what it said.
pub(crate) struct Feed {
    source: Source,
    rule: Rule,
    known: Revocations,
    clocks: Clocks,
    state: State,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What holds while the feed is not fresh.
struct Rule {
    stale_for: Seconds,
    at_once: ScopeSet,
}

struct State {
    /// Passed time at which everything was known, in milliseconds; before the first event, when following began.
    confirmed_ms: AtomicI64,
    /// Passed time since which it is fresh without a break.
    fresh_since_ms: AtomicI64,
    /// Passed time at which it was last found fresh.
    last_fresh_ms: AtomicI64,
    connections: AtomicU64,
    events: AtomicU64,
    more: Mutex<More>,
    /// Counts confirmations, for who waits for the first.
    confirmations: watch::Sender<u64>,
}

#[derive(Default)]
struct More {
    /// The number of the last change that is known.
    place: Option<u64>,
    /// The least difference seen between our passed time and the issuer's, in milliseconds.
    offset: Option<i64>,
    last_fault: Option<Box<str>>,
}

/// How the feed is being followed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedStatus {
    /// Whether what is known is complete up to three seconds ago.
    pub fresh: bool,
    /// For how long that has been so, or not so.
    pub since: Duration,
    /// How long ago everything was known; none before the first snapshot.
    pub confirmed: Option<Duration>,
    /// The number of the last change that is known.
    pub place: Option<u64>,
    /// Tokens, families, clients, users and keys that are known to be dead.
    pub entries: usize,
    /// Connections that were begun.
    pub connections: u64,
    /// Events that were taken.
    pub events: u64,
    /// Why the last connection ended.
    pub last_fault: Option<Box<str>>,
}

impl Feed {
    pub(crate) fn new(source: Source, options: FeedOptions, known: Revocations, clocks: Clocks) -> Arc<Self> {
        let state = State {
            confirmed_ms: AtomicI64::new(clocks.passed_ms() - FRESH_FOR_MS - 1),
            fresh_since_ms: AtomicI64::new(i64::MIN),
            last_fresh_ms: AtomicI64::new(clocks.passed_ms()),
            connections: AtomicU64::new(0),
            events: AtomicU64::new(0),
            more: Mutex::default(),
            confirmations: watch::Sender::new(0),
        };
        let rule = Rule { stale_for: options.stale_for, at_once: options.at_once };
        let feed = Self { source, rule, known, clocks, state, task: Mutex::default() };
        let feed = Arc::new(feed);
        feed.start();
        feed
    }

    /// Whether what is known is complete up to three seconds ago.
    pub(crate) fn is_fresh(&self) -> bool {
        self.stale_ms() <= 0
    }

    /// The claims, as far as they may be used now.
    pub(crate) fn admit(self: &Arc<Self>, claims: Claims) -> Result<Claims, Rejection> {
        let stale_ms = self.stale_ms();
        if stale_ms <= 0 {
            return Ok(claims);
        }
        // Built outside of a runtime, or the runtime that it was built in has ended.
        self.start();
        if stale_ms > self.rule.stale_for.0.saturating_mul(1000) {
            return Err(Rejection::RevocationsUnavailable);
        }
        Ok(claims.without(&self.rule.at_once))
    }

    /// Waits until what is known is complete, as long as one question may take.
    pub(crate) async fn ready(self: &Arc<Self>) -> Result<(), Rejection> {
        self.start();
        let mut confirmations = self.state.confirmations.subscribe();
        let fresh = confirmations.wait_for(|_| self.is_fresh());
        match timeout(self.source.timeout(), fresh).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Rejection::RevocationsUnavailable),
        }
    }

    pub(crate) fn status(&self) -> FeedStatus {
        let now = self.clocks.passed_ms();
        let (confirmed, stale) = (self.state.confirmed_ms.load(Ordering::Acquire), self.stale_ms());
        let span = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or_default());
        let since = if stale > 0 { stale } else { now - self.state.fresh_since_ms.load(Ordering::Acquire) };
        let more = self.more();
        FeedStatus {
            fresh: stale <= 0,
            since: span(since),
            confirmed: more.place.map(|_| span(now - confirmed)),
            place: more.place,
            entries: self.known.len(),
            connections: self.state.connections.load(Ordering::Relaxed),
            events: self.state.events.load(Ordering::Relaxed),
            last_fault: more.last_fault.clone(),
        }
    }

    /// Follows no more.
    pub(crate) fn stop(&self) {
        if let Some(task) = self.task().take() {
            task.abort();
        }
    }

    /// Follows, when there is a runtime to do it in and it is not done yet.
    fn start(self: &Arc<Self>) {
        let mut task = self.task();
        if task.as_ref().is_none_or(JoinHandle::is_finished)
            && let Ok(runtime) = Handle::try_current()
        {
            *task = Some(runtime.spawn(follower::follow(Arc::clone(self))));
        }
    }

    /// Milliseconds since which it is not fresh; not above 0 while it is.
    fn stale_ms(&self) -> i64 {
        self.clocks.passed_ms() - self.state.confirmed_ms.load(Ordering::Acquire) - FRESH_FOR_MS
    }

    /// Everything up to `place` was known at `at_ms` of the passed time.
    fn confirm(&self, place: u64, at_ms: i64) {
        if !self.is_fresh() {
            self.state.fresh_since_ms.store(self.clocks.passed_ms(), Ordering::Release);
        }
        self.more().place = Some(place);
        self.state.confirmed_ms.fetch_max(at_ms, Ordering::AcqRel);
        if self.is_fresh() {
            self.state.last_fresh_ms.store(self.clocks.passed_ms(), Ordering::Release);
        }
        self.state.confirmations.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// What is known of the difference between the clocks.
    fn offset(&self) -> Option<i64> {
        let mut more = self.more();
        if self.clock_may_be_set() {
            more.offset = None;
        }
        more.offset
    }

    /// Whether events have come too late for so long that the issuer's clock may have been set back instead.
    fn clock_may_be_set(&self) -> bool {
        self.clocks.passed_ms() - self.state.last_fresh_ms.load(Ordering::Acquire) > CLOCK_SET_AFTER_MS
    }

    /// A connection showed this difference between the clocks.
    fn saw_offset(&self, seen: Option<i64>) {
        let mut more = self.more();
        more.offset = more.offset.into_iter().chain(seen).min();
    }

    fn more(&self) -> MutexGuard<'_, More> {
        // Nothing panics while it is held.
        self.state.more.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn task(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("status", &self.status()).finish_non_exhaustive()
    }
}
