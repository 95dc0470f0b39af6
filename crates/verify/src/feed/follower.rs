//! One connection after the other: what comes is checked, then applied.

use std::{sync::Arc, time::Duration};

use ficha_jose::{Compact, Malformed, random};
use ficha_types::Algorithm;
use http::StatusCode;
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

use super::{
    Feed, Who,
    chain::{Chain, Fault, Step},
    event::{Entry, Event, TYP},
    sse::{Broken, Decoder, Message, Said},
};
use crate::{
    Rejection,
    discovery::{Discovery, Place},
    fetch::{Credentials, Endpoint, FetchError, Fetcher},
    key_cache::KeyCache,
    revocations::Full,
};

/// Time without a byte after which a connection is given up: ten heartbeats.
const SILENCE: Duration = Duration::from_secs(10);
/// A connection that lasted so long was a good one.
const GOOD_AFTER_MS: i64 = 10_000;
/// The longest pause after the first fault; it doubles with each, and is spread down to a tenth.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause that the issuer can ask for.
const LONGEST_ASKED: Duration = Duration::from_mins(1);

/// Where the feed comes from, and whose it must be.
pub(crate) struct Source {
    pub(crate) issuer: Arc<str>,
    pub(crate) audience: Box<str>,
    pub(crate) who: Who,
    pub(crate) at: FeedAt,
    pub(crate) fetcher: Fetcher,
    pub(crate) keys: Arc<KeyCache>,
}

/// Where the stream is.
pub(crate) enum FeedAt {
    Given(Endpoint),
    Discovered(Box<Discovery>, Mutex<Option<Endpoint>>),
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("{0}")]
    Refused(StatusCode, Option<Duration>),
    #[error("nothing came for {} s", SILENCE.as_secs())]
    Silence,
    #[error("events have come too late for a minute: held back, or the issuer's clock was set")]
    Late,
    #[error("the issuer ended the stream")]
    Closed,
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error("an event is no signed text: {0}")]
    Malformed(#[from] Malformed),
    #[error("an event is not signed by a key of the feed: {0:?}")]
    Forged(Rejection),
    #[error("an event is not one of this feed: its {0}")]
    Stranger(&'static str),
    #[error("an event can not be read: {0}")]
    Content(#[from] serde_json::Error),
    #[error(transparent)]
    Chain(#[from] Fault),
    #[error(transparent)]
    Full(#[from] Full),
}

impl FeedAt {
    /// Where the issuer's metadata says.
    pub(crate) fn discovered(discovery: Discovery) -> Self {
        Self::Discovered(Box::new(discovery), Mutex::default())
    }
}

impl Source {
    pub(crate) fn timeout(&self) -> Duration {
        self.fetcher.timeout()
    }

    async fn endpoint(&self) -> Result<Endpoint, FetchError> {
        match &self.at {
            FeedAt::Given(place) => Ok(place.clone()),
            FeedAt::Discovered(discovery, found) => {
                let mut found = found.lock().await;
                if let Some(place) = &*found {
                    return Ok(place.clone());
                }
                let place = discovery.find(&self.fetcher, Place::Feed).await?;
                Ok(found.insert(place).clone())
            }
        }
    }

    /// It may have moved.
    async fn forget_endpoint(&self) {
        if let FeedAt::Discovered(_, found) = &self.at {
            *found.lock().await = None;
        }
    }

    /// The event in `message`, when it is signed by a key of the feed and meant for us.
    async fn check(&self, message: &Message) -> Result<Event, End> {
        let text = parse(message)?;
        self.keys.check(&text, Algorithm::EdDsa).await.map_err(End::Forged)?;
        let event = read(&text, message)?;
        if *event.iss != *self.issuer {
            return Err(End::Stranger("iss"));
        }
        if *event.aud != *self.audience {
            return Err(End::Stranger("aud"));
        }
        Ok(event)
    }
}

/// The signed text of `message`, when its header is an event's.
pub(super) fn parse(message: &Message) -> Result<Compact<'_>, End> {
    let text = Compact::parse(&message.data)?;
    let header = text.header();
    if header.typ.as_deref() != Some(TYP) {
        return Err(End::Stranger("typ"));
    }
    if *header.alg != *Algorithm::EdDsa.as_str() {
        return Err(End::Stranger("alg"));
    }
    if header.kid.is_none() {
        return Err(End::Stranger("kid"));
    }
    Ok(text)
}

/// The event that `text` says, once its signature holds.
pub(super) fn read(text: &Compact<'_>, message: &Message) -> Result<Event, End> {
    let event: Event = serde_json::from_slice(text.payload())?;
    // What stands beside the signed text is not signed: it may only repeat it.
    if message.event != event.kind.name() {
        return Err(End::Stranger("kind"));
    }
    if message.id.parse() != Ok(event.to) {
        return Err(End::Stranger("number"));
    }
    Ok(event)
}

/// Follows until it is aborted.
pub(super) async fn follow(feed: Arc<Feed>) {
    let mut faults = 0_u32;
    loop {
        let began = feed.clocks.passed_ms();
        let mut least = Duration::ZERO;
        let Err(end) = connection(&feed, &mut least).await;
        // One that is cut again and again must not cost the issuer a snapshot each second.
        let lasted = feed.clocks.passed_ms() - began;
        faults = if lasted < GOOD_AFTER_MS { faults.saturating_add(1) } else { 1 };
        if matches!(end, End::Chain(Fault::Gap { .. })) {
            // Only a snapshot can tell what is missing.
            feed.more().place = None;
        }
        if matches!(end, End::Fetch(_) | End::Refused(..)) {
            feed.source.forget_endpoint().await;
        }
        tracing::warn!(error = %end, faults, "the revocation feed is not followed, for now");
        feed.more().last_fault = Some(end.to_string().into());
        sleep(pause(faults, &end, least)).await;
    }
}

/// One connection, to its end.
async fn connection(feed: &Feed, least: &mut Duration) -> Result<std::convert::Infallible, End> {
    let place = feed.more().place;
    feed.state.connections.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let Source { fetcher, who, .. } = &feed.source;
    let endpoint = feed.source.endpoint().await?;
    let bearer;
    let credentials = match who {
        Who::Api(name, secret) => Credentials::Basic(name, secret.expose()),
        Who::Bearer(token) => {
            bearer = token();
            Credentials::Bearer(bearer.expose())
        }
    };
    let mut stream = match fetcher.stream(&endpoint, credentials, place).await? {
        Ok(stream) => stream,
        Err((status, retry_after)) => return Err(End::Refused(status, retry_after)),
    };
    let (mut decoder, mut chain) = (Decoder::default(), Chain::after(place).knowing(feed.offset()));
    loop {
        let piece = timeout(SILENCE, stream.next()).await.map_err(|_| End::Silence)??.ok_or(End::Closed)?;
        for said in decoder.push(&piece)? {
            match said {
                Said::Retry(ms) => *least = Duration::from_millis(ms).min(LONGEST_ASKED),
                Said::Event(message) => take(feed, &mut chain, &message).await?,
            }
        }
    }
}

async fn take(feed: &Feed, chain: &mut Chain, message: &Message) -> Result<(), End> {
    // Before the check, which may have to fetch a key: that time is no merit of the event.
    let passed_ms = feed.clocks.passed_ms();
    let event = feed.source.check(message).await?;
    let now = feed.clocks.now();
    let step = chain.take(&event, passed_ms, now)?;
    for entry in &event.events {
        if let Entry::Key(kid) = entry {
            tracing::warn!(kid, "the issuer has withdrawn a key");
        }
        entry.apply(&feed.known)?;
    }
    feed.state.events.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    match step {
        Step::Part => {}
        Step::Known { place, at_ms } => {
            if event.kind == super::event::Kind::Snapshot {
                // There was something in between, whatever it was.
                feed.known.changed();
            }
            feed.known.sweep(now);
            feed.saw_offset(chain.offset());
            feed.confirm(place, at_ms);
            // A long snapshot is late by itself; what follows it is not.
            if event.kind != super::event::Kind::Snapshot && feed.clock_may_be_set() {
                return Err(End::Late);
            }
        }
    }
    Ok(())
}

/// How long to wait after `faults` faults: so many verifiers don't come back at the same moment.
fn pause(faults: u32, end: &End, least: Duration) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(faults.saturating_sub(1)).unwrap_or(u32::MAX));
    let usual = doubled.min(LONGEST_PAUSE);
    let asked = match end {
        // The credentials won't get better by themselves.
        End::Refused(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => LONGEST_PAUSE,
        End::Refused(_, after) => after.unwrap_or_default().min(LONGEST_ASKED),
        End::Fetch(_)
        | End::Silence
        | End::Closed
        | End::Late
        | End::Broken(_)
        | End::Malformed(_)
        | End::Forged(_)
        | End::Stranger(_)
        | End::Content(_)
        | End::Chain(_)
        | End::Full(_) => Duration::ZERO,
    };
    let spread = f64::from(u32::from_le_bytes(random::bytes())) / f64::from(u32::MAX);
    asked.max(least) + usual / 10 + (usual / 10 * 9).mul_f64(spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_spread_and_have_a_bound() {
        for (faults, most) in [(1, 1000), (2, 2000), (4, 8000), (6, 30_000), (100, 30_000)] {
            let most = Duration::from_millis(most);
            let drawn: Vec<_> = (0..64).map(|_| pause(faults, &End::Closed, Duration::ZERO)).collect();
            assert!(drawn.iter().all(|drawn| (most / 10..=most).contains(drawn)), "{faults}: {drawn:?}");
            assert!(drawn.iter().any(|other| *other != drawn[0]), "{faults}");
        }
    }

    #[test]
    fn the_issuer_may_ask_for_a_longer_pause() {
        let asked = |end: &End, least| (0..64).map(|_| pause(1, end, least)).min().unwrap();
        let busy = |seconds| End::Refused(StatusCode::SERVICE_UNAVAILABLE, Some(Duration::from_secs(seconds)));
        assert!(asked(&busy(20), Duration::ZERO) >= Duration::from_secs(20));
        assert!(asked(&End::Closed, Duration::from_secs(20)) >= Duration::from_secs(20));
        assert!(asked(&End::Refused(StatusCode::UNAUTHORIZED, None), Duration::ZERO) >= LONGEST_PAUSE);
        let longest = (0..64).map(|_| pause(1, &busy(86_400), Duration::ZERO)).max().unwrap();
        assert!(longest <= LONGEST_ASKED + FIRST_PAUSE);
    }
}
