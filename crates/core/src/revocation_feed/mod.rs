//! The revocation feed: what stands against tokens, told to each API that follows, signed, chained by number and in order.
//!
//! Nothing of it exists while nobody follows. With the first follower a publisher begins to look for changes four times a
//! second, for all followed issuers by one read. What concerns an API goes to it as one event for all its followers, who share
//! the bytes. The channel of an API keeps the last events; a follower that falls behind them is cut off.

mod channel;
mod event;
mod facts;
mod follow;
mod follower;
mod key;
mod opening;
mod publish;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicUsize},
    },
    time::Duration,
};

use bytes::Bytes;
use ficha_types::{ApiName, IssuerName};
use tokio::sync::Semaphore;

use self::channel::{Channel, Ended};
use crate::{rules::Rules, views::IssuerView};

pub use event::{Kind, Signed};
pub use follow::{FOLLOW_SCOPE, NotFollowed, WhoFollows};
pub use follower::{Chunk, Follower};
pub use key::feed_keys;

/// How often the publisher looks for changes: the longest that a batch gathers.
const TICK: Duration = Duration::from_millis(250);
/// The longest silence of a stream.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Changes and facts that are read at a time.
const PAGE: u32 = 1_000;
/// How long after the last read that succeeded followers are sent elsewhere.
const GIVE_UP: Duration = Duration::from_secs(5);
/// Openings (snapshots, missed changes) that are made at the same time.
const MAKING: usize = 4;

/// The bounds of the feed.
#[derive(Debug, Clone, Copy)]
pub struct FeedLimits {
    /// Followers of all APIs on this node.
    pub followers: usize,
    /// Followers of one API on this node.
    pub followers_per_api: usize,
}

impl Default for FeedLimits {
    fn default() -> Self {
        Self { followers: 10_000, followers_per_api: 2_000 }
    }
}

/// How a signed event is written on the wire.
pub type Render = fn(&Signed) -> Bytes;

/// Everything that is followed on this node.
pub struct Feeds {
    rules: Arc<Rules>,
    limits: FeedLimits,
    render: Render,
    issuers: Mutex<Issuers>,
    /// Followers on this node.
    seats: AtomicUsize,
    making: Semaphore,
}

#[derive(Default)]
struct Issuers {
    by_name: HashMap<IssuerName, Arc<IssuerFeed>>,
    /// Whether the publisher runs.
    running: bool,
    /// Nobody is taken any more.
    closed: bool,
}

/// An issuer that is followed.
struct IssuerFeed {
    name: IssuerName,
    /// When the node last knew that it holds everything up to the last number; milliseconds since 1970.
    known_at: Arc<AtomicI64>,
    state: tokio::sync::Mutex<State>,
}

struct State {
    /// The number of the last change that was told.
    last: i64,
    view: Arc<IssuerView>,
    channels: HashMap<ApiName, Arc<Channel>>,
    /// When everything that there is was last told, by the monotonic clock.
    fresh: Duration,
    /// Since when nobody follows.
    idle_since: Option<Duration>,
    /// It was forgotten: whoever still has it looks again.
    gone: bool,
}

impl Feeds {
    /// Nobody follows yet.
    #[must_use]
    pub fn new(rules: Arc<Rules>, limits: FeedLimits, render: Render) -> Arc<Self> {
        Arc::new(Self {
            rules,
            limits,
            render,
            issuers: Mutex::default(),
            seats: AtomicUsize::new(0),
            making: Semaphore::new(MAKING),
        })
    }

    /// Ends every stream and takes no new follower: the node goes down. Each is told to come back after a time of its own.
    pub async fn close(&self) {
        let feeds: Vec<_> = {
            let mut issuers = self.issuers();
            issuers.closed = true;
            issuers.by_name.drain().map(|(_, feed)| feed).collect()
        };
        for feed in feeds {
            feed.end(Ended::GoingDown).await;
        }
    }

    /// A time after which a follower comes back: spread over a second, and a second more for every thousand who follow.
    fn retry(&self) -> Duration {
        let mut random = [0; 4];
        self.rules.chance.fill(&mut random);
        let spread = 1_000 + u64::try_from(self.followers()).unwrap_or(u64::MAX).min(60_000);
        Duration::from_millis(500 + u64::from(u32::from_le_bytes(random)) % spread)
    }

    fn followers(&self) -> usize {
        self.seats.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn issuers(&self) -> std::sync::MutexGuard<'_, Issuers> {
        self.issuers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IssuerFeed {
    /// Ends every stream of it.
    async fn end(&self, why: Ended) {
        let mut state = self.state.lock().await;
        state.gone = true;
        for (_, channel) in state.channels.drain() {
            channel.end(why);
        }
    }
}
