//! How a verifier is set up.

use std::{sync::Arc, time::Duration};

use ficha_jose::{JwkSet, KeyError, VerifyingKey};
use ficha_types::{Algorithm, Seconds, Secret, UnixSeconds};

use crate::{
    BuildError, FeedOptions, Revocations, Verifier,
    asked::{Asked, SHORT},
    clock::Clocks,
    discovery::{Discovery, KeysAt, Place},
    feed::{self, Feed, FeedAt, LONGEST_STALE},
    fetch::{Endpoint, Fetcher},
    introspection::Introspection,
    key_cache::{KeyCache, Settings},
    key_set::{KeySet, Shared},
    rules::Rules,
    signed::{Keys, Signed},
    token_cache::{TokenCache, USUAL_BYTES},
    verifier::{Inner, Source},
};

/// Algorithms that are allowed where nothing else is said.
const USUAL_ALGORITHMS: [Algorithm; 4] = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];
const USUAL_LEEWAY: Seconds = Seconds(30);
/// A revocation is kept until `exp` and so much more: who allowed more would let revoked tokens in again.
const MOST_LEEWAY: Seconds = Seconds(60);
const USUAL_KEEP: Seconds = Seconds::hours(1);
const LONGEST_KEEP: Seconds = Seconds::hours(24);
const USUAL_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_SECRETS: usize = 2;
/// The longest time for which an answer of an introspection may stand, even while the feed is followed.
const LONGEST_ANSWER: Duration = Duration::from_mins(5);

/// Sets a [`Verifier`] up. Without a word about keys they are found through the issuer's metadata (RFC 8414, then
/// OpenID Connect Discovery).
#[must_use]
pub struct Builder {
    issuer: String,
    audience: String,
    algorithms: Option<Vec<Algorithm>>,
    leeway: Seconds,
    only_at_jwt: bool,
    sender_bound: bool,
    clocks: Clocks,
    sources: Vec<Wanted>,
    keys_kept_for: Seconds,
    timeout: Duration,
    root_ca: Option<Vec<u8>>,
    token_cache: usize,
    introspection_cache: Option<Duration>,
    revocations: Option<Revocations>,
    feed: Option<FeedOptions>,
}

/// Where the word about a token comes from, as asked.
enum Wanted {
    JwksUrl(String),
    Keys(JwkSet),
    Shared(Vec<Shared>),
    BadShared(KeyError),
    Introspection { url: String, name: Box<str>, secret: Secret },
}

impl Builder {
    pub(crate) fn new(issuer: String, audience: String) -> Self {
        Self {
            issuer,
            audience,
            algorithms: None,
            leeway: USUAL_LEEWAY,
            only_at_jwt: false,
            sender_bound: false,
            clocks: Clocks::of_the_system(),
            sources: Vec::new(),
            keys_kept_for: USUAL_KEEP,
            timeout: USUAL_TIMEOUT,
            root_ca: None,
            token_cache: USUAL_BYTES,
            introspection_cache: None,
            revocations: None,
            feed: None,
        }
    }

    /// The algorithms that are allowed: RS256, PS256, ES256 and `EdDSA` without this, HS256 alone with a shared secret.
    /// A key without `alg` gets the first of them that fits its kind.
    pub fn algorithms(mut self, allowed: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(allowed.into_iter().collect());
        self
    }

    /// By how much clocks may differ: 0 to 60 s, 30 s without this.
    pub fn leeway(mut self, leeway: Seconds) -> Self {
        self.leeway = leeway;
        self
    }

    /// Only tokens whose header says `"typ":"at+jwt"` (RFC 9068 §2.1), for issuers that write it. What is introspected
    /// shows no header.
    pub fn require_typ_at_jwt(mut self) -> Self {
        self.only_at_jwt = true;
        self
    }

    /// The time, for tests and for programs that have a clock; the system's without this.
    pub fn clock(mut self, now: impl Fn() -> UnixSeconds + Send + Sync + 'static) -> Self {
        self.clocks.wall = Arc::new(now);
        self
    }

    /// The time that has passed since some moment, for tests: it never goes back, and nobody sets it.
    pub fn passed(mut self, passed: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.clocks.passed = Arc::new(passed);
        self
    }

    /// Takes tokens with `cnf` too (RFC 7800), for who checks the proof of possession itself: the certificate of the
    /// connection (RFC 8705 §3) or the `DPoP` header (RFC 9449 §7). Without this they are refused, since as bearer tokens
    /// they could have been stolen.
    pub fn accept_sender_bound(mut self) -> Self {
        self.sender_bound = true;
        self
    }

    /// Bytes that tokens seen before may take: 32 MiB without this, 0 to keep none. Another sight of a token costs no
    /// signature check; times and revocations are looked at each time.
    pub fn token_cache(mut self, bytes: usize) -> Self {
        self.token_cache = bytes;
        self
    }

    /// For how long an answer of the introspection stands: not at all without this, at most 1 s, or 5 min while the
    /// revocation feed is followed, whose every event ends what stood. Never past `exp`.
    pub fn introspection_cache(mut self, span: Duration) -> Self {
        self.introspection_cache = Some(span);
        self
    }

    /// Refuses what is known to be dead by `known`, for who is told by other means than the feed, or wants another bound than
    /// two million entries; the feed writes into the same.
    pub fn revocations(mut self, known: Revocations) -> Self {
        self.revocations = Some(known);
        self
    }

    /// Follows the issuer's revocation feed, so that a revoked token is refused within a second or so. Built within a tokio
    /// runtime it begins at once, else with the first token.
    pub fn follow(mut self, feed: FeedOptions) -> Self {
        self.feed = Some(feed);
        self
    }

    /// The URL of the issuer's key set, `https` or on loopback, instead of looking it up in its metadata.
    pub fn jwks_url(mut self, url: &str) -> Self {
        self.sources.push(Wanted::JwksUrl(url.to_owned()));
        self
    }

    /// These keys and no others; nothing is ever fetched.
    pub fn keys(mut self, set: JwkSet) -> Self {
        self.sources.push(Wanted::Keys(set));
        self
    }

    /// A secret shared with the issuer, 32 to 1024 bytes, for HS256. Twice while one takes over from the other: both are
    /// tried, whatever the token says. Who follows the feed gives its name too:
    /// [`shared_secret_named`](Self::shared_secret_named).
    pub fn shared_secret(self, secret: &[u8]) -> Self {
        self.shared(None, secret)
    }

    /// The same with the issuer's name of the secret (`ficha key list`), by which the revocation feed tells that it was
    /// withdrawn.
    pub fn shared_secret_named(self, kid: &str, secret: &[u8]) -> Self {
        self.shared(Some(kid.into()), secret)
    }

    fn shared(mut self, kid: Option<Box<str>>, secret: &[u8]) -> Self {
        match (VerifyingKey::from_secret(secret), self.sources.last_mut()) {
            (Ok(key), Some(Wanted::Shared(keys))) => keys.push((kid, key)),
            (Ok(key), _) => self.sources.push(Wanted::Shared(vec![(kid, key)])),
            (Err(why), _) => self.sources.push(Wanted::BadShared(why)),
        }
        self
    }

    /// Asks the issuer about each token (RFC 7662), as the API of this name with this secret; nothing is kept unless
    /// [`introspection_cache`](Self::introspection_cache) says so, so that a revoked token is refused at once. The answer has
    /// to hold `aud`.
    pub fn introspection(mut self, url: &str, api_name: &str, secret: impl Into<Secret>) -> Self {
        self.sources.push(Wanted::Introspection { url: url.to_owned(), name: api_name.into(), secret: secret.into() });
        self
    }

    /// How long keys are kept beyond their life while the issuer is away: 0 to 24 h, 1 h without this. A key that is
    /// withdrawn meanwhile is trusted as long.
    pub fn keys_kept_for(mut self, span: Seconds) -> Self {
        self.keys_kept_for = span;
        self
    }

    /// How long one question to the issuer may take: 5 s without this.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Root certificates (PEM) trusted beside the system's when the issuer is asked: a development CA, or a company's own.
    pub fn root_ca_pem(mut self, pem: &[u8]) -> Self {
        self.root_ca = Some(pem.to_vec());
        self
    }

    /// The verifier. Nothing is fetched yet: see [`Verifier::ready`].
    ///
    /// # Errors
    /// [`BuildError`]: what does not fit, before a token meets it.
    pub fn build(mut self) -> Result<Verifier, BuildError> {
        if self.issuer.is_empty() {
            return Err(BuildError::NoIssuer);
        }
        if self.audience.is_empty() {
            return Err(BuildError::NoAudience);
        }
        if !(Seconds(0)..=MOST_LEEWAY).contains(&self.leeway) {
            return Err(BuildError::Leeway(self.leeway));
        }
        if !(Seconds(0)..=LONGEST_KEEP).contains(&self.keys_kept_for) {
            return Err(BuildError::KeysKeptFor(self.keys_kept_for));
        }
        let wanted = self.sources.pop();
        if !self.sources.is_empty() {
            return Err(BuildError::TwoSources);
        }
        self.check_introspection_cache(matches!(wanted, Some(Wanted::Introspection { .. })))?;
        let allowed = self.allowed(matches!(wanted, Some(Wanted::Shared(_))))?;
        let source = self.source(wanted, allowed)?;
        let options = self.feed.take();
        // Where the feed is written down, unless somebody has a place for it.
        let revocations = self.revocations.take().or_else(|| options.is_some().then(Revocations::new));
        let feed = match (options, &revocations) {
            (Some(options), Some(known)) => Some(self.feed(options, known.clone())?),
            _ => None,
        };
        let rules = Rules {
            issuer: self.issuer.into(),
            audience: self.audience.into(),
            leeway: self.leeway,
            only_at_jwt: self.only_at_jwt,
            sender_bound: self.sender_bound,
        };
        Ok(Verifier::new(Inner { rules, source, clocks: self.clocks, revocations, feed }))
    }

    fn check_introspection_cache(&self, introspected: bool) -> Result<(), BuildError> {
        let most = if self.feed.is_some() { LONGEST_ANSWER } else { SHORT };
        match self.introspection_cache {
            Some(_) if !introspected => Err(BuildError::NothingIntrospected),
            Some(span) if span > most => Err(BuildError::IntrospectionCache(span)),
            _ => Ok(()),
        }
    }

    fn feed(&self, options: FeedOptions, known: Revocations) -> Result<Arc<Feed>, BuildError> {
        if !(Seconds(0)..=LONGEST_STALE).contains(&options.stale_for) {
            return Err(BuildError::StaleFor(options.stale_for));
        }
        let (at, keys_at, first) = match &options.at {
            Some((feed, keys)) => {
                let feed = endpoint("the feed's URL", feed)?;
                (FeedAt::Given(feed.clone()), KeysAt::Given(endpoint("the URL of the feed's keys", keys)?), feed)
            }
            None => {
                let found = self.discovery()?;
                let first = found.first().clone();
                (FeedAt::discovered(found.clone()), KeysAt::Discovered(found, Place::FeedKeys), first)
            }
        };
        let fetcher = Fetcher::new(self.timeout, self.root_ca.as_deref(), &first)?;
        let source = feed::Source {
            issuer: self.issuer.as_str().into(),
            audience: self.audience.as_str().into(),
            who: options.who.clone(),
            at,
            keys: self.key_cache(keys_at, fetcher.clone(), [Algorithm::EdDsa].into()),
            fetcher,
        };
        Ok(Feed::new(source, options, known, self.clocks.clone()))
    }

    fn allowed(&self, shared: bool) -> Result<Box<[Algorithm]>, BuildError> {
        let usual = if shared { vec![Algorithm::Hs256] } else { USUAL_ALGORITHMS.to_vec() };
        let allowed = self.algorithms.clone().unwrap_or(usual);
        if allowed.is_empty() {
            return Err(BuildError::Algorithms("none is allowed"));
        }
        // A public key taken for a shared secret is the oldest of all attacks: the two never stand side by side.
        match (shared, allowed.iter().any(|a| a.is_symmetric()), allowed.iter().any(|a| !a.is_symmetric())) {
            (true, _, true) => Err(BuildError::Algorithms("a shared secret is for HS256 alone")),
            (false, true, _) => Err(BuildError::Algorithms("HS256 needs a shared secret")),
            _ => Ok(allowed.into()),
        }
    }

    fn source(&self, wanted: Option<Wanted>, allowed: Box<[Algorithm]>) -> Result<Source, BuildError> {
        let keys = match wanted {
            None => self.fetched(KeysAt::Discovered(self.discovery()?, Place::Keys), &allowed)?,
            Some(Wanted::JwksUrl(url)) => {
                self.fetched(KeysAt::Given(endpoint("the key set's URL", &url)?), &allowed)?
            }
            Some(Wanted::Keys(set)) => {
                let keys = KeySet::of(&set, &allowed);
                if keys.len() == 0 {
                    return Err(BuildError::NoUsableKey);
                }
                Keys::Fixed(keys)
            }
            Some(Wanted::Shared(keys)) if keys.len() > MAX_SECRETS => return Err(BuildError::TooManySecrets),
            Some(Wanted::Shared(keys)) => Keys::Fixed(KeySet::shared(keys)),
            Some(Wanted::BadShared(why)) => return Err(BuildError::Secret(why)),
            Some(Wanted::Introspection { url, name, secret }) => return self.asked(&url, name, secret),
        };
        Ok(Source::Signed(Signed { keys, allowed, seen: TokenCache::of(self.token_cache) }))
    }

    fn asked(&self, url: &str, name: Box<str>, secret: Secret) -> Result<Source, BuildError> {
        let at = endpoint("the introspection URL", url)?;
        let fetcher = Fetcher::new(self.timeout, self.root_ca.as_deref(), &at)?;
        let kept_for = self.introspection_cache.unwrap_or_default();
        let answers = TokenCache::of(if kept_for.is_zero() { 0 } else { self.token_cache });
        Ok(Source::Asked(Asked { introspection: Introspection::new(at, name, secret, fetcher), answers, kept_for }))
    }

    fn discovery(&self) -> Result<Discovery, BuildError> {
        Discovery::of(&self.issuer).map_err(|why| BuildError::Url { what: "the issuer", url: self.issuer.clone(), why })
    }

    fn fetched(&self, at: KeysAt, allowed: &[Algorithm]) -> Result<Keys, BuildError> {
        let first = match &at {
            KeysAt::Given(place) => place,
            KeysAt::Discovered(discovery, _) => discovery.first(),
        };
        let fetcher = Fetcher::new(self.timeout, self.root_ca.as_deref(), first)?;
        Ok(Keys::Fetched(self.key_cache(at, fetcher, allowed.into())))
    }

    fn key_cache(&self, at: KeysAt, fetcher: Fetcher, allowed: Box<[Algorithm]>) -> Arc<KeyCache> {
        let (clocks, kept_for) = (self.clocks.clone(), self.keys_kept_for);
        KeyCache::new(Settings { at, fetcher, clocks, allowed, kept_for })
    }
}

fn endpoint(what: &'static str, url: &str) -> Result<Endpoint, BuildError> {
    Endpoint::parse(url).map_err(|why| BuildError::Url { what, url: url.to_owned(), why })
}
