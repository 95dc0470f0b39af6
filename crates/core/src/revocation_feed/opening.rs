//! Where a follower begins: with a snapshot, or with what it missed. Who comes within the same second shares it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use ficha_jose::KeyError;
use ficha_telemetry::metrics::{FeedEvent, metrics};
use ficha_types::{Seconds, UnixSeconds};

use super::{
    Feeds, PAGE,
    channel::{Channel, Voice},
    event::{Kind, Said, cut, sign},
    facts,
};
use crate::ports::{Against, StandingPlace, Standings, StoreError};

/// How long an opening is good for those who come after.
const SHARED_FOR: Duration = Duration::from_secs(1);
/// Openings that are kept for an API at the same time.
const KEPT: usize = 8;
/// Facts of a snapshot that is made beforehand and shared; a larger one is made for each follower while it takes it.
const SHARED_FACTS: u64 = 20_000;
/// Facts of a part of a larger one: as many as are not too long whatever they are.
const PART: usize = 80;
/// Changes that are read to go on where a follower was; one that missed more begins with a snapshot.
const MISSED: i64 = 10_000;

/// How a follower begins.
pub(super) enum Opened {
    /// At that place of the channel.
    Live(u64),
    /// With these events, then there.
    Parts(Arc<[Bytes]>, u64),
    /// With a large snapshot.
    Large(Box<Snapshot>),
}

/// What was made for those who came at the same time.
pub(super) struct Opening {
    resume: Option<i64>,
    made: Duration,
    parts: Arc<[Bytes]>,
    place: u64,
}

/// A large snapshot, which is made part by part.
pub(super) struct Snapshot {
    /// Where the channel goes on after it.
    pub(super) place: u64,
    to: i64,
    at: i64,
    part: u64,
    parts: u64,
    facts: Facts,
}

/// The facts of a snapshot, read page by page.
struct Facts {
    wanted: Standings,
    next: Option<StandingPlace>,
    /// Read and not told yet.
    read: Vec<Against>,
}

impl Channel {
    /// Forgets openings that nobody may share any more, unless one is being made.
    pub(super) fn drop_openings(&self, now: Duration) {
        if let Ok(mut openings) = self.openings.try_lock() {
            openings.retain(|opening| opening.is_good(now));
        }
    }
}

impl Opening {
    fn is_good(&self, now: Duration) -> bool {
        now.saturating_sub(self.made) <= SHARED_FOR
    }
}

impl Feeds {
    /// Where a follower begins that knows everything up to `resume`.
    pub(super) async fn open(&self, channel: &Channel, resume: Option<i64>) -> Result<Opened, StoreError> {
        let now = || self.rules.clock.monotonic();
        if let Some(place) = resume.and_then(|number| channel.place_after(number, now())) {
            return Ok(Opened::Live(place));
        }
        // One at a time for an API: who waits meanwhile finds what was made.
        let mut openings = channel.openings.lock().await;
        openings.retain(|opening| opening.is_good(now()));
        if let Some(opening) = openings.iter().find(|opening| opening.resume == resume) {
            return Ok(Opened::Parts(opening.parts.clone(), opening.place));
        }
        let _few_on_a_node = self.making.acquire().await.map_err(|e| StoreError::Unreachable(e.to_string()))?;
        let made = now();
        let voice = channel.voice.load_full();
        // The number first, and whatever is read after it holds at least what it counts.
        let (known_at, (last, place)) = (channel.known_at(), channel.here());
        let missed = match resume {
            Some(number) => self.missed(&voice, (number, last), known_at).await?,
            None => None,
        };
        let parts: Arc<[Bytes]> = match missed {
            Some(parts) => parts.into(),
            None => {
                let (facts, count) = self.standing(&voice).await?;
                if count > SHARED_FACTS {
                    // Room for what comes while it is made: what is left over ends the stream.
                    let parts = (count + count / 10).div_ceil(u64::try_from(PART).unwrap_or(1)) + 10;
                    let snapshot = Snapshot { place, to: last, at: known_at, part: 0, parts, facts };
                    return Ok(Opened::Large(Box::new(snapshot)));
                }
                self.whole(&voice, (last, known_at), facts).await?.into()
            }
        };
        if openings.len() < KEPT {
            openings.push(Opening { resume, made, parts: parts.clone(), place });
        }
        Ok(Opened::Parts(parts, place))
    }

    /// The next part of a large snapshot; none when it is whole.
    pub(super) async fn next_part(
        &self,
        channel: &Channel,
        snapshot: &mut Snapshot,
    ) -> Result<Option<Bytes>, StoreError> {
        let _few_on_a_node = self.making.acquire().await.map_err(|e| StoreError::Unreachable(e.to_string()))?;
        let voice = channel.voice.load_full();
        let facts = &mut snapshot.facts;
        if snapshot.part == snapshot.parts {
            let left = !facts.read.is_empty() || facts.next.is_some();
            return if left { Err(StoreError::Unreachable("the snapshot outgrew its parts".into())) } else { Ok(None) };
        }
        snapshot.part += 1;
        while facts.read.len() < PART && facts.next.is_some() {
            self.read_on(&voice, facts).await?;
        }
        let told: Vec<Against> = facts.read.drain(..PART.min(facts.read.len())).collect();
        let part = Some((snapshot.part, snapshot.parts));
        let said = Said { kind: Kind::Snapshot, from: 0, to: snapshot.to, part, at: snapshot.at, facts: &told };
        self.say_once(&voice, said).map(Some)
    }

    /// What came after `from`, as batches; none when it can't be told without a gap.
    async fn missed(&self, voice: &Voice, (from, to): (i64, i64), at: i64) -> Result<Option<Vec<Bytes>>, StoreError> {
        // One that knows more than there is was told it by a database that is no more.
        if from < 0 || from > to || to - from > MISSED {
            return Ok(None);
        }
        let (mut parts, mut last, mut read) = (Vec::new(), from, from);
        while read < to {
            let page = self.rules.feed.store().changes_since(voice.view.name(), read, PAGE).await?;
            let Some(news) = facts::read(&page, read) else { return Ok(None) };
            read = news.last;
            let mut told = news.for_api(&voice.api.name);
            // What is newer than the channel's last number comes there.
            told.retain(|(number, _)| *number <= to);
            let upto = news.last.min(to);
            if told.is_empty() && upto < to {
                continue;
            }
            let mut pieces = cut(&told, |(_, against)| against).into_iter().peekable();
            while let Some(piece) = pieces.next() {
                let number = piece.last().filter(|_| pieces.peek().is_some()).map_or(upto, |(number, _)| *number);
                let facts: Vec<Against> = piece.iter().map(|(_, against)| against.clone()).collect();
                let from = std::mem::replace(&mut last, number);
                parts.push(
                    self.say_once(voice, Said { kind: Kind::Batch, from, to: number, part: None, at, facts: &facts })?,
                );
            }
        }
        Ok(Some(parts))
    }

    /// What stands, not read yet, and about how much it is.
    async fn standing(&self, voice: &Voice) -> Result<(Facts, u64), StoreError> {
        let now = self.rules.clock.now();
        let wanted = Standings { api: voice.api.name.clone(), now, marks_after: self.oldest_mark(voice, now) };
        let count = self.rules.standing.standing_count(voice.view.name(), &wanted).await?;
        Ok((Facts { wanted, next: Some(StandingPlace::Start), read: Vec::new() }, count))
    }

    async fn read_on(&self, voice: &Voice, facts: &mut Facts) -> Result<(), StoreError> {
        let Some(place) = facts.next.take() else { return Ok(()) };
        let page = self.rules.standing.standing_page(voice.view.name(), &facts.wanted, &place, PAGE).await?;
        facts.read.extend(page.facts.into_iter().filter(facts::is_for_verifiers));
        facts.next = page.next;
        Ok(())
    }

    /// A whole snapshot, in as many parts as it needs.
    async fn whole(&self, voice: &Voice, (to, at): (i64, i64), mut facts: Facts) -> Result<Vec<Bytes>, StoreError> {
        while facts.next.is_some() {
            self.read_on(voice, &mut facts).await?;
        }
        let pieces = cut(&facts.read, |against| against);
        let parts = u64::try_from(pieces.len()).unwrap_or(u64::MAX);
        let say = |(part, facts): (u64, &&[Against])| {
            let said = Said { kind: Kind::Snapshot, from: 0, to, part: Some((part, parts)), at, facts };
            self.say_once(voice, said)
        };
        (1..).zip(&pieces).map(say).collect()
    }

    /// What a mark of that time or before covers has expired, leeway and all.
    fn oldest_mark(&self, voice: &Voice, now: UnixSeconds) -> UnixSeconds {
        let dialects = crate::operator::slots::dialects(&self.rules, &voice.view.issuer);
        let apis = std::iter::once(&*voice.api);
        let longest = crate::operator::slots::longest_lifetime(apis, &dialects);
        let limits = &self.rules.limits;
        now - longest - limits.verifier_leeway - limits.max_clock_skew - Seconds(1)
    }

    fn say_once(&self, voice: &Voice, said: Said<'_>) -> Result<Bytes, StoreError> {
        let failed = |e: KeyError| StoreError::Unreachable(e.to_string());
        let signed = sign(&voice.view, voice.api.audience.as_str(), said).map_err(failed)?;
        metrics().feed_events.count(match said.kind {
            Kind::Snapshot => FeedEvent::Snapshot,
            Kind::Batch => FeedEvent::Batch,
            Kind::Heartbeat => FeedEvent::Heartbeat,
        });
        Ok((self.render)(&signed))
    }
}
