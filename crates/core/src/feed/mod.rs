//! Many nodes, one truth: how far what this node remembers may be trusted, and how it learns what others changed.

mod away;
mod follow;
mod track;
mod wait;

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use ficha_types::{NodeName, UnixMillis};
use futures_util::future::{Either, select};

use self::away::Away;
pub(crate) use self::track::Track;
use crate::{
    ports::{Clock, FeedStore, StoreError},
    refusal::Refusal,
    views::{IssuerSlot, Node},
};

/// How long after it has confirmed its place in the feed a node serves from memory, and the longest that others wait for it.
pub const FRESH_FOR: Duration = Duration::from_secs(1);
/// How often a node looks for changes when nothing tells it of one.
pub const POLL_EVERY: Duration = Duration::from_millis(500);
/// How long after its last beat a node counts itself among the live ones: less than others do ([`crate::ports::LIVE_FOR`]), so
/// that whoever waits for the live nodes waits for every one that serves from memory.
const BEAT_COUNTS_FOR: Duration = Duration::from_secs(8);
/// The longest that a question of the feed to the store may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
/// How far the clock of a node may be from the database's.
const CLOCK_OFF_MOST: Duration = Duration::from_secs(1);

/// How far what this node remembers of an issuer may be trusted for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It was as the store has it, at most [`FRESH_FOR`] before this moment of the monotonic clock.
    Confirmed(Duration),
    /// The store is away: only what the outage rule lets go on does.
    Away,
}

/// The place of this node in the feed of changes.
pub struct Feed {
    store: Arc<dyn FeedStore>,
    clock: Arc<dyn Clock>,
    me: NodeName,
    /// Whether nobody else can write: its own changes are applied before they are answered, and there are no others.
    alone: bool,
    /// When the last look at all issuers began that was wholly applied.
    confirmed: Moment,
    /// When the last beat began that was written.
    beaten: Moment,
    clock_off_ms: AtomicI64,
    live: AtomicUsize,
    /// One look at a time; the last number of the directory.
    polling: tokio::sync::Mutex<Option<i64>>,
    away: Away,
}

impl Feed {
    /// Of the only node of its store.
    #[must_use]
    pub fn alone(store: Arc<dyn FeedStore>, clock: Arc<dyn Clock>, me: NodeName) -> Self {
        Self::new(store, clock, (me, true))
    }

    /// Of one node of maybe many.
    #[must_use]
    pub fn of_many(store: Arc<dyn FeedStore>, clock: Arc<dyn Clock>, me: NodeName) -> Self {
        Self::new(store, clock, (me, false))
    }

    fn new(store: Arc<dyn FeedStore>, clock: Arc<dyn Clock>, (me, alone): (NodeName, bool)) -> Self {
        Self {
            store,
            clock,
            me,
            alone,
            confirmed: Moment::never(),
            beaten: Moment::never(),
            clock_off_ms: AtomicI64::new(0),
            live: AtomicUsize::new(0),
            polling: tokio::sync::Mutex::default(),
            away: Away::default(),
        }
    }

    /// What others call this node.
    #[must_use]
    pub fn me(&self) -> &NodeName {
        &self.me
    }

    /// Its store.
    #[must_use]
    pub fn store(&self) -> &dyn FeedStore {
        &*self.store
    }

    /// Whether there can be no other node.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.alone
    }

    /// Nodes that were live at the last beat.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Whether what is remembered of the issuer was confirmed within [`FRESH_FOR`] before `now`, which is monotonic.
    #[must_use]
    pub fn is_fresh(&self, slot: &IssuerSlot, now: Duration) -> bool {
        self.alone
            || (slot.track().is_followed()
                && self.confirmed.within(FRESH_FOR, now)
                && self.beaten.within(BEAT_COUNTS_FOR, now))
    }

    /// Whether what a request was told when it began still holds.
    pub(crate) fn holds(&self, trust: Trust) -> bool {
        self.alone || trust.holds(self.clock.monotonic())
    }

    /// How long the store has been away, for a request that goes on without it.
    pub(crate) fn away_for(&self) -> Duration {
        self.lag().unwrap_or(Duration::MAX)
    }

    /// How long ago the place in the feed was last confirmed; nothing for the only node and before the first time.
    #[must_use]
    pub fn lag(&self) -> Option<Duration> {
        self.confirmed.age(self.clock.monotonic())
    }

    /// Whether the node's clock is too far from the database's to issue anything.
    #[must_use]
    pub fn clock_is_off(&self) -> bool {
        self.clock_off() > CLOCK_OFF_MOST
    }

    /// How far the node's clock is from the database's, at least.
    #[must_use]
    pub fn clock_off(&self) -> Duration {
        Duration::from_millis(self.clock_off_ms.load(Ordering::Relaxed).unsigned_abs())
    }

    /// Whether the store can't be reached, or what was missed meanwhile is not all applied yet.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.away.is_noted()
    }

    /// How far what this node remembers of the issuer may be trusted by a request that begins now. When its place was not
    /// confirmed lately it is confirmed for this issuer first: one look at one number, shared by all who wait for it.
    ///
    /// # Errors
    /// [`StoreError`] when that can't be known and nothing may go on without it.
    pub async fn trust(&self, node: &Node, slot: &IssuerSlot) -> Result<Trust, StoreError> {
        let now = self.clock.monotonic();
        // Of an issuer of which nothing is remembered everything is about to be read.
        if self.is_fresh(slot, now) || !slot.track().remembers() {
            return Ok(Trust::Confirmed(now));
        }
        if !self.is_away() {
            // Boxed, as what is seldom done: every request would carry its place.
            match Box::pin(self.catch_up(node, slot, now)).await {
                Ok(()) => return Ok(Trust::Confirmed(now)),
                // The others' looks are answered: this one was unlucky, and may be tried again.
                Err(error) if self.confirmed.within(FRESH_FOR, self.clock.monotonic()) => return Err(error),
                Err(error) => tracing::warn!(issuer = %slot.name(), %error, "the place in the feed can't be confirmed"),
            }
        }
        if self.confirmed.age(now).is_some() {
            Ok(Trust::Away)
        } else {
            Err(StoreError::Unreachable("this node has never seen the feed of changes".to_owned()))
        }
    }

    /// A sign of life; what it tells of the clocks and of the other nodes.
    ///
    /// # Errors
    /// [`StoreError`] when the store takes no writes.
    pub async fn beat(&self, node: &Node) -> Result<(), StoreError> {
        let (before, began) = (self.clock.now_ms(), self.clock.monotonic());
        let beat = self.within(ANSWERED_WITHIN, self.store.beat(&self.me, before)).await?;
        let took = self.clock.monotonic().saturating_sub(began);
        let after = UnixMillis(before.0.saturating_add(i64::try_from(took.as_millis()).unwrap_or(i64::MAX)));
        // The database's clock was read at some moment between: that much is certain.
        let off = (before.0 - beat.now.0).max(beat.now.0 - after.0).max(0);
        self.clock_off_ms.store(off, Ordering::Relaxed);
        self.live.store(beat.live.len(), Ordering::Relaxed);
        if self.beaten.within(BEAT_COUNTS_FOR, began) {
            self.beaten.set(began);
        } else {
            // Others may have forgotten it, with all that it had confirmed.
            node.follow_anew();
            self.beaten.set(began);
        }
        Ok(())
    }

    /// The answer of a question to the store, unless it takes longer than `span`.
    async fn within<T>(
        &self,
        span: Duration,
        asked: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let end = self.clock.monotonic() + span;
        match select(pin!(asked), self.clock.wait_monotonic(end)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), _)) => Err(StoreError::Unreachable(format!("no answer within {} ms", span.as_millis()))),
        }
    }
}

impl Trust {
    /// For what never goes on without the store.
    pub(crate) const fn confirmed(self) -> Result<(), Refusal> {
        match self {
            Self::Confirmed(_) => Ok(()),
            Self::Away => Err(Refusal::Unavailable),
        }
    }

    /// Whether it still holds at `now`.
    pub(crate) fn holds(self, now: Duration) -> bool {
        match self {
            Self::Confirmed(at) => now.saturating_sub(at) <= FRESH_FOR,
            Self::Away => false,
        }
    }
}

/// A moment of the monotonic clock that others set and ask.
#[derive(Debug)]
struct Moment(AtomicU64);

impl Moment {
    const fn never() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }

    fn set(&self, to: Duration) {
        self.0.store(u64::try_from(to.as_micros()).unwrap_or(u64::MAX - 1), Ordering::Release);
    }

    /// How long before `now` it was; nothing when it never was.
    fn age(&self, now: Duration) -> Option<Duration> {
        let micros = self.0.load(Ordering::Acquire);
        (micros != u64::MAX).then(|| now.saturating_sub(Duration::from_micros(micros)))
    }

    fn within(&self, span: Duration, now: Duration) -> bool {
        self.age(now).is_some_and(|age| age <= span)
    }
}
