//! The publisher: looks for changes while somebody follows, and tells each API what concerns it.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ficha_jose::KeyError;
use ficha_telemetry::metrics::{FeedEvent, metrics};
use ficha_types::IssuerName;

use super::{
    Feeds, GIVE_UP, HEARTBEAT, IssuerFeed, PAGE, State, TICK,
    channel::{Channel, Ended, Sent, Voice},
    event::{Kind, Said, cut, sign},
    facts::{self, News},
    key,
};
use crate::{
    ports::{Against, StoreError},
    views::IssuerView,
};

/// How long an issuer that nobody follows any more is kept in mind.
const FORGET: Duration = Duration::from_secs(30);

/// Why an issuer's followers were told nothing.
enum NotTold {
    Store(StoreError),
    Key(KeyError),
    /// Changes are missing: what was told can't be continued.
    Gap,
    /// There is no such issuer any more.
    Gone,
}

impl From<StoreError> for NotTold {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The moment of one look.
#[derive(Clone, Copy)]
struct Look {
    /// Milliseconds since 1970.
    at: i64,
    /// By the monotonic clock.
    started: Duration,
}

/// Runs until nothing is followed any more.
pub(super) async fn run(feeds: Arc<Feeds>) {
    let clock = feeds.rules.clock.clone();
    let mut next = clock.monotonic() + TICK;
    loop {
        clock.wait_monotonic(next).await;
        let Some(followed) = feeds.followed() else { return };
        let look = Look { at: clock.now_ms().0, started: clock.monotonic() };
        feeds.look(&followed, look).await;
        next = (next + TICK).max(clock.monotonic());
    }
}

impl Feeds {
    /// The issuers that are followed; none: the publisher ends.
    fn followed(&self) -> Option<Vec<Arc<IssuerFeed>>> {
        let mut issuers = self.issuers();
        issuers.running = !issuers.by_name.is_empty();
        issuers.running.then(|| issuers.by_name.values().cloned().collect())
    }

    async fn look(&self, followed: &[Arc<IssuerFeed>], look: Look) {
        let names: Vec<_> = followed.iter().map(|feed| feed.name.clone()).collect();
        let counters = self.rules.feed.store().counters(&names).await;
        let counters: Result<HashMap<IssuerName, i64>, _> = counters.map(|all| all.issuers.into_iter().collect());
        for feed in followed {
            let told = match &counters {
                Ok(counters) => match counters.get(&feed.name) {
                    Some(number) => self.tell(feed, *number, look).await,
                    None => Err(NotTold::Gone),
                },
                Err(error) => Err(NotTold::Store(error.clone())),
            };
            if let Err(why) = told {
                self.not_told(feed, &why, look).await;
            }
        }
    }

    /// Without news for a while the followers are sent away: another node may know more. A verifier that hears nothing goes by
    /// its own rule before that.
    async fn not_told(&self, feed: &Arc<IssuerFeed>, why: &NotTold, look: Look) {
        let stale = look.started.saturating_sub(feed.state.lock().await.fresh) >= GIVE_UP;
        let ended = match why {
            NotTold::Store(error) => {
                tracing::debug!(issuer = %feed.name, %error, "the feed can't read what changed");
                Ended::Stale
            }
            NotTold::Key(error) => {
                tracing::error!(issuer = %feed.name, %error, "the feed can't be signed");
                Ended::Stale
            }
            NotTold::Gap => {
                tracing::warn!(issuer = %feed.name, "changes are missing in the feed: its followers begin anew");
                self.forget(feed, Ended::Stale).await;
                return;
            }
            NotTold::Gone => Ended::ApiGone,
        };
        if stale || ended == Ended::ApiGone {
            self.forget(feed, ended).await;
        }
    }

    async fn forget(&self, feed: &Arc<IssuerFeed>, why: Ended) {
        self.issuers().by_name.retain(|_, there| !Arc::ptr_eq(there, feed));
        feed.end(why).await;
    }

    /// Tells what came up to `number`.
    async fn tell(&self, feed: &Arc<IssuerFeed>, number: i64, look: Look) -> Result<(), NotTold> {
        let mut last = feed.state.lock().await.last;
        while last < number {
            let page = self.rules.feed.store().changes_since(&feed.name, last, PAGE).await?;
            let news = facts::read(&page, last).ok_or(NotTold::Gap)?;
            let view = if news.declared {
                Some(key::read_with_key(&self.rules, &feed.name).await?.ok_or(NotTold::Gone)?)
            } else {
                None
            };
            last = news.last;
            let mut state = feed.state.lock().await;
            if let Some(view) = view {
                state.speak_as(&view);
            }
            state.last = last;
            self.publish(&state, &news, look)?;
            drop(state);
            // Followers take what they were told before there is more.
            tokio::task::yield_now().await;
        }
        feed.known_at.store(look.at, Ordering::Release);
        let mut state = feed.state.lock().await;
        state.fresh = look.started;
        self.heartbeats(&state, look)?;
        let idle = state.tidy(look.started);
        if idle {
            // Under the lock: whoever comes now finds it gone, and nothing of that name in the table.
            state.gone = true;
            self.issuers().by_name.retain(|_, there| !Arc::ptr_eq(there, feed));
        }
        Ok(())
    }

    /// What the news tell, to each API that they concern: one event, or several where it would be too long.
    fn publish(&self, state: &State, news: &News, look: Look) -> Result<(), NotTold> {
        for (api, channel) in &state.channels {
            let told = news.for_api(api);
            if told.is_empty() {
                continue;
            }
            let mut pieces = cut(&told, |(_, against)| against).into_iter().peekable();
            while let Some(piece) = pieces.next() {
                let number = piece.last().filter(|_| pieces.peek().is_some()).map(|(number, _)| *number);
                let facts = piece.iter().map(|(_, against)| against.clone()).collect();
                self.say(channel, (Kind::Batch, number.unwrap_or(state.last), look.at), facts)?;
            }
        }
        Ok(())
    }

    /// Something for each API that heard nothing for a second: a batch without events when there were changes that did not
    /// concern it, else a heartbeat.
    fn heartbeats(&self, state: &State, look: Look) -> Result<(), NotTold> {
        for channel in state.channels.values() {
            let (told, spoke_at) = channel.told();
            if look.started.saturating_sub(spoke_at) + TICK / 2 >= HEARTBEAT {
                let kind = if told < state.last { Kind::Batch } else { Kind::Heartbeat };
                self.say(channel, (kind, state.last, look.at), Vec::new())?;
            }
        }
        Ok(())
    }

    fn say(&self, channel: &Channel, (kind, to, at): (Kind, i64, i64), facts: Vec<Against>) -> Result<(), NotTold> {
        let voice = channel.voice.load();
        let (from, _) = channel.told();
        let said = Said { kind, from, to, part: None, at, facts: &facts };
        let signed = sign(&voice.view, voice.api.audience.as_str(), said).map_err(NotTold::Key)?;
        metrics().feed_events.count(match kind {
            Kind::Snapshot => FeedEvent::Snapshot,
            Kind::Batch => FeedEvent::Batch,
            Kind::Heartbeat => FeedEvent::Heartbeat,
        });
        let at = self.rules.clock.monotonic();
        channel.publish(Sent { from, to, bytes: (self.render)(&signed), facts: facts.into(), at });
        Ok(())
    }
}

impl State {
    /// Speaks as the issuer is now; whose API is gone or has another audience hears no more.
    fn speak_as(&mut self, view: &Arc<IssuerView>) {
        self.view = view.clone();
        self.channels.retain(|name, channel| {
            let Some(api) = view.api(name) else {
                channel.end(Ended::ApiGone);
                return false;
            };
            let same = channel.voice.load().api.audience == api.audience;
            if same {
                channel.voice.store(Arc::new(Voice { view: view.clone(), api: api.clone() }));
            } else {
                channel.end(Ended::ApiGone);
            }
            same
        });
    }

    /// Lets go of channels without followers and of openings that nobody may begin with any more; whether the issuer has been
    /// idle for long.
    fn tidy(&mut self, now: Duration) -> bool {
        self.channels.retain(|_, channel| channel.followers.load(Ordering::Acquire) > 0);
        for channel in self.channels.values() {
            channel.drop_openings(now);
        }
        if !self.channels.is_empty() {
            self.idle_since = None;
            return false;
        }
        now.saturating_sub(*self.idle_since.get_or_insert(now)) >= FORGET
    }
}
