//! How a verifier is set up, and what is wrong with that.

use std::{sync::Arc, time::Duration};

use ficha_jose::{JwkSet, KeyError, VerifyingKey};
use ficha_types::{Algorithm, Seconds, Secret, UnixSeconds};
use thiserror::Error;

use crate::{
    Verifier,
    discovery::{Discovery, KeysAt},
    fetch::{Endpoint, Fetcher},
    introspection::Introspection,
    key_cache::{KeyCache, Settings},
    key_set::KeySet,
    rules::Rules,
    verifier::{Clock, Keys, Source, system_clock},
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

/// Why a verifier can't be made as asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The issuer is empty.
    #[error("the issuer is empty: it is what tokens say in `iss`")]
    NoIssuer,
    /// The audience is empty.
    #[error("the audience is empty: it is what tokens for this API say in `aud`")]
    NoAudience,
    /// The leeway is not 0 to 60 s.
    #[error("the leeway is 0 to 60 s, not {0}")]
    Leeway(Seconds),
    /// The time for which keys are kept is not 0 to 24 h.
    #[error("keys are kept for 0 to 86400 s beyond their life, not {0}")]
    KeysKeptFor(Seconds),
    /// A URL that is not asked.
    #[error("{what} {url:?} is refused: {why}")]
    Url {
        /// What it was to be.
        what: &'static str,
        /// The URL.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two ways to check a token were named.
    #[error(
        "name one of a key set's URL, a key set, shared secrets, and introspection: one token has one way to be checked"
    )]
    TwoSources,
    /// A shared secret that is none for HS256.
    #[error("a shared secret is refused: {0}")]
    Secret(KeyError),
    /// More than two shared secrets.
    #[error("at most two shared secrets: the one in use and its successor")]
    TooManySecrets,
    /// The algorithms don't fit the keys.
    #[error("the algorithms do not fit: {0}")]
    Algorithms(&'static str),
    /// The key set that was given holds no key for an allowed algorithm.
    #[error("the key set holds no key for an allowed algorithm")]
    NoUsableKey,
    /// The extra root certificates can't be read.
    #[error("the root certificate is refused: {0}")]
    RootCa(String),
    /// The HTTP client can't be made.
    #[error("the HTTP client could not be made: {0}")]
    HttpClient(String),
}

/// Sets a [`Verifier`] up. Without a word about keys they are found through the issuer's metadata (RFC 8414, then
/// OpenID Connect Discovery).
#[must_use]
pub struct Builder {
    issuer: String,
    audience: String,
    algorithms: Option<Vec<Algorithm>>,
    leeway: Seconds,
    only_at_jwt: bool,
    clock: Clock,
    sources: Vec<Wanted>,
    keys_kept_for: Seconds,
    timeout: Duration,
    root_ca: Option<Vec<u8>>,
}

/// Where the word about a token comes from, as asked.
enum Wanted {
    JwksUrl(String),
    Keys(JwkSet),
    Shared(Vec<VerifyingKey>),
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
            clock: Arc::new(system_clock),
            sources: Vec::new(),
            keys_kept_for: USUAL_KEEP,
            timeout: USUAL_TIMEOUT,
            root_ca: None,
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
        self.clock = Arc::new(now);
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

    /// A secret shared with the issuer, 32 to 1024 bytes, for HS256. Twice while one takes over from the other.
    pub fn shared_secret(mut self, secret: &[u8]) -> Self {
        match (VerifyingKey::from_secret(secret), self.sources.last_mut()) {
            (Ok(key), Some(Wanted::Shared(keys))) => keys.push(key),
            (Ok(key), _) => self.sources.push(Wanted::Shared(vec![key])),
            (Err(why), _) => self.sources.push(Wanted::BadShared(why)),
        }
        self
    }

    /// Asks the issuer about each token (RFC 7662), as the API of this name with this secret; nothing is kept, so that a
    /// revoked token is refused at once. The answer has to hold `aud`.
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
        let allowed = self.allowed(matches!(wanted, Some(Wanted::Shared(_))))?;
        let source = self.source(wanted, &allowed)?;
        let rules = Rules {
            issuer: self.issuer.into(),
            audience: self.audience.into(),
            leeway: self.leeway,
            only_at_jwt: self.only_at_jwt,
        };
        Ok(Verifier::new(rules, allowed, source, self.clock))
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

    fn source(&self, wanted: Option<Wanted>, allowed: &[Algorithm]) -> Result<Source, BuildError> {
        match wanted {
            None => {
                let refused = |why| BuildError::Url { what: "the issuer", url: self.issuer.clone(), why };
                self.fetched(KeysAt::Discovered(Discovery::of(&self.issuer).map_err(refused)?), allowed)
            }
            Some(Wanted::JwksUrl(url)) => self.fetched(KeysAt::Given(endpoint("the key set's URL", &url)?), allowed),
            Some(Wanted::Keys(set)) => {
                let keys = KeySet::of(&set, allowed);
                if keys.len() == 0 { Err(BuildError::NoUsableKey) } else { Ok(Source::Signed(Keys::Fixed(keys))) }
            }
            Some(Wanted::Shared(keys)) if keys.len() > MAX_SECRETS => Err(BuildError::TooManySecrets),
            Some(Wanted::Shared(keys)) => Ok(Source::Signed(Keys::Fixed(KeySet::shared(keys)))),
            Some(Wanted::BadShared(why)) => Err(BuildError::Secret(why)),
            Some(Wanted::Introspection { url, name, secret }) => {
                let at = endpoint("the introspection URL", &url)?;
                let fetcher = Fetcher::new(self.timeout, self.root_ca.as_deref(), &at)?;
                Ok(Source::Asked(Introspection::new(at, name, secret, fetcher)))
            }
        }
    }

    fn fetched(&self, at: KeysAt, allowed: &[Algorithm]) -> Result<Source, BuildError> {
        let first = match &at {
            KeysAt::Given(place) => place,
            KeysAt::Discovered(discovery) => discovery.first(),
        };
        let fetcher = Fetcher::new(self.timeout, self.root_ca.as_deref(), first)?;
        let (clock, kept_for) = (Arc::clone(&self.clock), self.keys_kept_for);
        let settings = Settings { at, fetcher, clock, allowed: allowed.into(), kept_for };
        Ok(Source::Signed(Keys::Fetched(KeyCache::new(settings))))
    }
}

fn endpoint(what: &'static str, url: &str) -> Result<Endpoint, BuildError> {
    Endpoint::parse(url).map_err(|why| BuildError::Url { what, url: url.to_owned(), why })
}
