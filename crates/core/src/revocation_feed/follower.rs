//! One who follows: an opening, then what comes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use ficha_telemetry::metrics::{FollowerCut, metrics};

use super::{
    Feeds,
    channel::{Channel, Found},
    follow::{Held, Seat},
    opening::{Opened, Snapshot},
};

/// What goes out to a follower.
#[derive(Debug)]
pub enum Chunk {
    /// How long to wait before coming back, once the stream has ended.
    Retry(Duration),
    /// An event, as it is written on the wire.
    Event(Bytes),
}

/// One who follows; ask it for the [`next`](Self::next) thing to send.
pub struct Follower {
    feeds: Arc<Feeds>,
    channel: Arc<Channel>,
    held: Held,
    stage: Stage,
    _seat: Seat,
}

enum Stage {
    /// Nothing was said yet; the last number that the follower knows.
    Hello(Option<i64>),
    Begin(Option<i64>),
    /// What was missed, the next of which is the `n`th; then it goes on at a place.
    Opening {
        parts: Arc<[Bytes]>,
        n: usize,
        place: u64,
    },
    /// A large snapshot, which is made while it is sent.
    Snapshot(Box<Snapshot>),
    /// At a place of the channel.
    Live(u64),
    Over,
}

impl Follower {
    pub(super) fn new(
        (feeds, channel, seat): (Arc<Feeds>, Arc<Channel>, Seat),
        held: Held,
        resume: Option<i64>,
    ) -> Self {
        Self { feeds, channel, held, stage: Stage::Hello(resume), _seat: seat }
    }

    /// The name of the API that follows.
    #[must_use]
    pub fn api(&self) -> ficha_types::ApiName {
        self.channel.voice.load().api.name.clone()
    }

    /// The next thing to send, as soon as there is one; none: the stream has ended.
    pub async fn next(&mut self) -> Option<Chunk> {
        loop {
            match &mut self.stage {
                Stage::Hello(resume) => {
                    self.stage = Stage::Begin(*resume);
                    return Some(Chunk::Retry(self.feeds.retry()));
                }
                Stage::Begin(resume) => {
                    let resume = *resume;
                    match self.feeds.open(&self.channel, resume).await {
                        Ok(Opened::Live(place)) => self.stage = Stage::Live(place),
                        Ok(Opened::Parts(parts, place)) => self.stage = Stage::Opening { parts, n: 0, place },
                        Ok(Opened::Large(snapshot)) => self.stage = Stage::Snapshot(snapshot),
                        Err(error) => {
                            tracing::debug!(%error, "a follower can't be told where to begin");
                            return Some(self.over(FollowerCut::Stale));
                        }
                    }
                }
                Stage::Opening { parts, n, place } => {
                    let part = parts.get(*n).cloned();
                    *n += 1;
                    let place = *place;
                    match part {
                        Some(part) => return Some(Chunk::Event(part)),
                        None => self.stage = Stage::Live(place),
                    }
                }
                Stage::Snapshot(snapshot) => match self.feeds.next_part(&self.channel, snapshot).await {
                    Ok(Some(part)) => return Some(Chunk::Event(part)),
                    Ok(None) => self.stage = Stage::Live(snapshot.place),
                    Err(error) => {
                        tracing::debug!(%error, "a follower's snapshot broke off");
                        return Some(self.over(FollowerCut::Stale));
                    }
                },
                Stage::Live(place) => {
                    let place = *place;
                    return self.live(place).await;
                }
                Stage::Over => return None,
            }
        }
    }

    /// Waits for what stands at `place`.
    async fn live(&mut self, place: u64) -> Option<Chunk> {
        let mut wake = self.channel.wake();
        loop {
            // Before the look, so that what comes right after it is not missed.
            wake.mark_unchanged();
            match self.channel.at(place) {
                Found::Event(event) => {
                    let clock = &self.feeds.rules.clock;
                    if !self.held.is_good(&self.channel.voice.load(), &event.facts, clock.now()) {
                        return Some(self.over(FollowerCut::NoLongerAllowed));
                    }
                    metrics().feed_lag.took((), clock.monotonic().saturating_sub(event.at));
                    self.stage = Stage::Live(place + 1);
                    return Some(Chunk::Event(event.bytes.clone()));
                }
                Found::Nothing => {}
                Found::Behind => return Some(self.over(FollowerCut::Slow)),
                Found::Ended(why) => return Some(self.over(why.label())),
            }
            if wake.changed().await.is_err() {
                return Some(self.over(FollowerCut::GoingDown));
            }
        }
    }

    /// The last thing that is said: when to come back.
    fn over(&mut self, why: FollowerCut) -> Chunk {
        metrics().feed_cut.count(why);
        self.stage = Stage::Over;
        Chunk::Retry(self.feeds.retry())
    }
}
