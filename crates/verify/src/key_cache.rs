//! The issuer's keys: fetched once, again before they grow old, and kept while the issuer is away.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use ficha_jose::{Compact, JwkSet};
use ficha_types::{Algorithm, Seconds, UnixSeconds};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use crate::{
    Rejection,
    clock::Clocks,
    discovery::KeysAt,
    fetch::{Endpoint, FetchError, Fetcher},
    key_set::KeySet,
};

/// Life of a set whose answer does not say one.
const USUAL_LIFE: Seconds = Seconds::minutes(5);
/// The shortest life: no issuer makes its APIs ask all the time.
const SHORTEST_LIFE: Seconds = Seconds::minutes(1);
/// The longest life, and so the time after which a withdrawn key is trusted no more while the issuer can be reached.
const LONGEST_LIFE: Seconds = Seconds::hours(1);
/// Time between two questions because of a `kid` that is not in the set.
const ASK_INTERVAL: Seconds = Seconds(30);
/// Longest time between two attempts while the issuer is away; the first is 1 s, and each doubles.
const LONGEST_PAUSE: Seconds = Seconds(30);

/// What a cache is made from.
pub(crate) struct Settings {
    pub(crate) at: KeysAt,
    pub(crate) fetcher: Fetcher,
    pub(crate) clocks: Clocks,
    pub(crate) allowed: Box<[Algorithm]>,
    /// Time for which keys are kept beyond their life while the issuer is away.
    pub(crate) kept_for: Seconds,
}

/// The issuer's keys. At most one question to the issuer is under way at any time.
pub(crate) struct KeyCache {
    settings: Settings,
    held: ArcSwapOption<Held>,
    plan: Mutex<Plan>,
}

/// A set that was fetched.
pub(crate) struct Held {
    keys: KeySet,
    /// The set that this was made of.
    set: JwkSet,
    /// Another number for every other set.
    pub(crate) generation: u64,
    since: UnixSeconds,
    life: Seconds,
}

/// The key that signed a token: the generation of its set, and its name there.
pub(crate) struct Signer {
    pub(crate) generation: u64,
    pub(crate) kid: Option<Box<str>>,
}

/// A question under way; many may wait for whether it brought a set.
type Flight = Shared<BoxFuture<'static, bool>>;

#[derive(Default)]
struct Plan {
    flight: Option<Flight>,
    /// Attempts that failed since the last that did not.
    failures: u32,
    failed_at: Option<UnixSeconds>,
    /// When a `kid` that is not in the set made us ask.
    asked_at: Option<UnixSeconds>,
    /// Where discovery found the set, until that fails.
    found_at: Option<Endpoint>,
}

/// Why the issuer is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Age,
    UnknownKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Fresh,
    /// Good still, and time to ask again.
    Due,
    /// Good only while the issuer can't be asked.
    Kept,
    TooOld,
}

impl Held {
    fn signer(&self, token: &Compact<'_>, algorithm: Algorithm) -> Result<Signer, Rejection> {
        let kid = self.keys.check(token, algorithm)?.map(Into::into);
        Ok(Signer { generation: self.generation, kid })
    }

    fn age(&self, now: UnixSeconds, kept_for: Seconds) -> Age {
        let life = self.life.0;
        match (now - self.since).0 {
            // The clock was set back.
            ..0 => Age::Due,
            age if age < life / 5 * 4 => Age::Fresh,
            age if age < life => Age::Due,
            age if age < life + kept_for.0 => Age::Kept,
            _ => Age::TooOld,
        }
    }
}

impl Plan {
    /// Whether an attempt may begin `now`.
    fn allows(&self, cause: Cause, now: UnixSeconds) -> bool {
        match cause {
            Cause::UnknownKey => is_over(self.asked_at, ASK_INTERVAL, now),
            Cause::Age => {
                let pause = 1_i64.checked_shl(self.failures.saturating_sub(1)).unwrap_or(i64::MAX);
                is_over(self.failed_at, Seconds(pause.clamp(1, LONGEST_PAUSE.0)), now)
            }
        }
    }
}

/// Whether `span` has passed since `then`. A `then` in the future is of a clock since set back, and over.
fn is_over(then: Option<UnixSeconds>, span: Seconds, now: UnixSeconds) -> bool {
    then.is_none_or(|then| now < then || now - then >= span)
}

impl KeyCache {
    pub(crate) fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self { settings, held: ArcSwapOption::empty(), plan: Mutex::default() })
    }

    /// Which of the issuer's keys signed `token` by `algorithm`, the one that the token names.
    pub(crate) async fn check(
        self: &Arc<Self>,
        token: &Compact<'_>,
        algorithm: Algorithm,
    ) -> Result<Signer, Rejection> {
        let (held, just_asked) = self.current().await?;
        match held.signer(token, algorithm) {
            Err(Rejection::UnknownKey) if !just_asked && token.header().kid.is_some() => {
                self.ask_once_more().await?.signer(token, algorithm)
            }
            verdict => verdict,
        }
    }

    /// The set that may be used now, and whether the issuer was waited for to get it.
    pub(crate) async fn current(self: &Arc<Self>) -> Result<(Arc<Held>, bool), Rejection> {
        let now = self.now();
        let held = self.held.load_full();
        match held.map(|held| (held.age(now, self.settings.kept_for), held)) {
            Some((Age::Fresh, held)) => Ok((held, false)),
            Some((Age::Due, held)) => {
                // Nobody waits for it.
                drop(self.begin(Cause::Age, now));
                Ok((held, false))
            }
            Some((Age::Kept, held)) => {
                // Known to be away: nobody waits for that to be found out again.
                let away = self.is_away();
                match self.begin(Cause::Age, now) {
                    Some(flight) if !away => {
                        let came = flight.await;
                        Ok((self.held.load_full().unwrap_or(held), came))
                    }
                    _ => Ok((held, false)),
                }
            }
            Some((Age::TooOld, _)) | None => {
                let flight = self.begin(Cause::Age, now).ok_or(Rejection::KeysUnavailable)?;
                let held = if flight.await { self.held.load_full() } else { None };
                held.map(|held| (held, true)).ok_or(Rejection::KeysUnavailable)
            }
        }
    }

    /// The newest set after a `kid` that is not in the one at hand.
    async fn ask_once_more(self: &Arc<Self>) -> Result<Arc<Held>, Rejection> {
        let came = match self.begin(Cause::UnknownKey, self.now()) {
            Some(flight) => flight.await,
            None => !self.is_away(),
        };
        // Without the issuer nobody knows whether the key is new or made up.
        if came { self.held.load_full().ok_or(Rejection::KeysUnavailable) } else { Err(Rejection::KeysUnavailable) }
    }

    /// The question under way, or a new one when it may begin `now`.
    fn begin(self: &Arc<Self>, cause: Cause, now: UnixSeconds) -> Option<Flight> {
        let mut plan = self.plan();
        if let Some(flight) = plan.flight.as_ref().filter(|flight| flight.peek().is_none()) {
            return Some(flight.clone());
        }
        if !plan.allows(cause, now) {
            return None;
        }
        if cause == Cause::UnknownKey {
            plan.asked_at = Some(now);
        }
        // A task of its own: who asked first may go away, the others still wait for the answer.
        let cache = Arc::clone(self);
        let task = tokio::spawn(async move { cache.load().await });
        let flight = async move { task.await.unwrap_or(false) }.boxed().shared();
        plan.flight = Some(flight.clone());
        Some(flight)
    }

    /// Fetches the set; `true` when it came.
    async fn load(&self) -> bool {
        let since = self.now();
        let fetched = self.fetch().await;
        let mut plan = self.plan();
        plan.flight = None;
        match fetched {
            Ok((set, life)) => {
                let keys = KeySet::of(&set, &self.settings.allowed);
                tracing::debug!(keys = keys.len(), life_s = life.0, "fetched the issuer's keys");
                // The same keys again are no reason to check tokens again.
                let generation = self
                    .held
                    .load()
                    .as_ref()
                    .map_or(0, |old| if old.set == set { old.generation } else { old.generation.wrapping_add(1) });
                self.held.store(Some(Arc::new(Held { keys, set, generation, since, life })));
                plan.failures = 0;
                plan.failed_at = None;
                true
            }
            Err(why) => {
                plan.failures = plan.failures.saturating_add(1);
                plan.failed_at = Some(self.now());
                plan.found_at = None;
                tracing::warn!(error = %why, failures = plan.failures, "the issuer's keys could not be fetched");
                false
            }
        }
    }

    async fn fetch(&self) -> Result<(JwkSet, Seconds), FetchError> {
        let Settings { at, fetcher, .. } = &self.settings;
        let answer = match at {
            KeysAt::Given(place) => fetcher.get(place).await?,
            KeysAt::Discovered(discovery, of) => {
                let known = self.plan().found_at.clone();
                let place = match known {
                    Some(place) => place,
                    None => discovery.find(fetcher, *of).await?,
                };
                let answer = fetcher.get(&place).await?;
                self.plan().found_at = Some(place);
                answer
            }
        };
        let set = JwkSet::parse(&answer.body).map_err(|why| answer.unusable(why.to_string()))?;
        let life = answer.good_for().unwrap_or(USUAL_LIFE).clamp(SHORTEST_LIFE, LONGEST_LIFE);
        Ok((set, life))
    }

    fn now(&self) -> UnixSeconds {
        self.settings.clocks.now()
    }

    fn is_away(&self) -> bool {
        self.plan().failures > 0
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        // Nothing panics while it is held; and what it holds is whole between any two lines.
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
