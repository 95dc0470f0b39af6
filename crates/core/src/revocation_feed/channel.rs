//! What one API is told: the last events, shared by all who follow.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use ficha_telemetry::metrics::FollowerCut;
use tokio::sync::watch;

use super::opening::Opening;
use crate::{ports::Against, records::Api, views::IssuerView};

/// Events that are kept: who is further behind is cut off.
const RING: usize = 64;
/// The oldest event that a follower may begin with: its age would hide how late the stream is.
const FRESH: Duration = Duration::from_secs(1);

/// An event as it went out.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) bytes: Bytes,
    pub(super) facts: Arc<[Against]>,
    /// When, by the monotonic clock.
    pub(super) at: Duration,
}

/// As whom an issuer speaks to an API.
#[derive(Debug)]
pub(super) struct Voice {
    pub(super) view: Arc<IssuerView>,
    pub(super) api: Arc<Api>,
}

/// Why every stream of a channel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The API is no more, or is called otherwise.
    ApiGone,
    /// The node does not know what changes.
    Stale,
    /// The node goes down.
    GoingDown,
}

impl Ended {
    pub(super) fn label(self) -> FollowerCut {
        match self {
            Self::ApiGone => FollowerCut::ApiGone,
            Self::Stale => FollowerCut::Stale,
            Self::GoingDown => FollowerCut::GoingDown,
        }
    }
}

/// The stream of one API.
pub(super) struct Channel {
    pub(super) voice: ArcSwap<Voice>,
    pub(super) followers: AtomicUsize,
    /// See [`super::IssuerFeed`].
    pub(super) known_at: Arc<AtomicI64>,
    /// What was made a moment ago for those who came then.
    pub(super) openings: tokio::sync::Mutex<Vec<Opening>>,
    ring: Mutex<Ring>,
    /// The place of the next event.
    head: watch::Sender<u64>,
}

struct Ring {
    /// The place of the first event that is kept.
    first: u64,
    events: VecDeque<Arc<Sent>>,
    /// The last number that was told.
    last: i64,
    spoke_at: Duration,
    ended: Option<Ended>,
}

/// What a follower finds at its place.
pub(super) enum Found {
    /// The next event.
    Event(Arc<Sent>),
    /// Nothing yet.
    Nothing,
    /// It is no longer kept.
    Behind,
    /// There will be none.
    Ended(Ended),
}

impl Channel {
    /// One that has told everything up to `last`.
    pub(super) fn new(voice: Voice, (last, now): (i64, Duration), known_at: Arc<AtomicI64>) -> Self {
        let ring = Ring { first: 0, events: VecDeque::new(), last, spoke_at: now, ended: None };
        Self {
            voice: ArcSwap::from_pointee(voice),
            followers: AtomicUsize::new(0),
            known_at,
            openings: tokio::sync::Mutex::default(),
            ring: Mutex::new(ring),
            head: watch::Sender::new(0),
        }
    }

    /// The last number that was told, and when something last was.
    pub(super) fn told(&self) -> (i64, Duration) {
        let ring = self.ring();
        (ring.last, ring.spoke_at)
    }

    /// The last number that was told, and the place of what comes after it.
    pub(super) fn here(&self) -> (i64, u64) {
        let ring = self.ring();
        (ring.last, ring.next())
    }

    /// When the last number was known to be the last; milliseconds since 1970.
    pub(super) fn known_at(&self) -> i64 {
        self.known_at.load(Ordering::Acquire)
    }

    /// The place from which a follower goes on that knows everything up to `number`, if all of it was told just now.
    pub(super) fn place_after(&self, number: i64, now: Duration) -> Option<u64> {
        let ring = self.ring();
        if number == ring.last {
            return Some(ring.next());
        }
        // The last event that begins there: one before it is a heartbeat, and older.
        let at = ring.events.iter().rposition(|event| event.from == number)?;
        let fresh = ring.events.get(at).is_some_and(|event| now.saturating_sub(event.at) <= FRESH);
        fresh.then(|| ring.first + u64::try_from(at).unwrap_or(0))
    }

    /// Tells `sent` to all who follow.
    pub(super) fn publish(&self, sent: Sent) {
        let mut ring = self.ring();
        (ring.last, ring.spoke_at) = (sent.to, sent.at);
        ring.events.push_back(Arc::new(sent));
        if ring.events.len() > RING {
            ring.events.pop_front();
            ring.first += 1;
        }
        let next = ring.next();
        drop(ring);
        self.head.send_replace(next);
    }

    /// Ends every stream of it.
    pub(super) fn end(&self, why: Ended) {
        let mut ring = self.ring();
        ring.ended = Some(why);
        drop(ring);
        self.head.send_modify(|_| {});
    }

    /// What stands at `place`. The end goes before what is left: who is told to leave shall not be held up.
    pub(super) fn at(&self, place: u64) -> Found {
        let ring = self.ring();
        if let Some(why) = ring.ended {
            return Found::Ended(why);
        }
        let Some(n) = place.checked_sub(ring.first) else { return Found::Behind };
        let event = usize::try_from(n).ok().and_then(|n| ring.events.get(n));
        event.map_or(Found::Nothing, |event| Found::Event(event.clone()))
    }

    /// Wakes at everything that is told from now on.
    pub(super) fn wake(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    fn ring(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn next(&self) -> u64 {
        self.first + u64::try_from(self.events.len()).unwrap_or(0)
    }
}
