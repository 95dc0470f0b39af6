//! Checks access tokens.

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use ficha_jose::{Compact, jws};
use ficha_types::{Algorithm, UnixSeconds};
use serde_json::{Map, Value};

use crate::{
    Builder, Claims, Rejection,
    claims::read_members,
    introspection::Introspection,
    key_cache::KeyCache,
    key_set::KeySet,
    rules::{Rules, Witness},
};

/// Tells the time.
pub(crate) type Clock = Arc<dyn Fn() -> UnixSeconds + Send + Sync>;

/// Checks access tokens of one issuer for one API. A clone shares everything.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    rules: Rules,
    allowed: Box<[Algorithm]>,
    source: Source,
    clock: Clock,
}

/// Where the word about a token comes from.
pub(crate) enum Source {
    Signed(Keys),
    Asked(Introspection),
}

/// Keys that sign tokens.
pub(crate) enum Keys {
    Fetched(Arc<KeyCache>),
    Fixed(KeySet),
}

impl Keys {
    /// Whether one of them signed `token` by `algorithm`, which is the one that the token names.
    async fn check(&self, token: &Compact<'_>, algorithm: Algorithm) -> Result<(), Rejection> {
        match self {
            Self::Fetched(cache) => cache.check(token, algorithm).await,
            Self::Fixed(keys) => keys.check(token, algorithm),
        }
    }
}

impl Verifier {
    /// Begins a verifier for tokens that say `issuer` in `iss`, and `audience` in `aud` (alone or in a list): both exactly.
    pub fn builder(issuer: &str, audience: &str) -> Builder {
        Builder::new(issuer.to_owned(), audience.to_owned())
    }

    pub(crate) fn new(rules: Rules, allowed: Box<[Algorithm]>, source: Source, clock: Clock) -> Self {
        Self(Arc::new(Inner { rules, allowed, source, clock }))
    }

    /// What `token` says, when it is an access token of the issuer for this API that is valid now.
    ///
    /// # Errors
    /// [`Rejection`]: why not. [`Rejection::KeysUnavailable`] and [`Rejection::IntrospectionUnavailable`] say nothing
    /// about the token.
    pub async fn verify(&self, token: &str) -> Result<Claims, Rejection> {
        if token.len() > jws::MAX_BYTES {
            return Err(Rejection::TooLong);
        }
        let (members, witness) = match &self.0.source {
            Source::Signed(keys) => self.read_signed(token, keys).await?,
            Source::Asked(introspection) => (introspection.ask(token).await?, Witness::Issuer),
        };
        self.0.rules.judge(members, witness, (self.0.clock)())
    }

    /// Has what it needs to check tokens: fetches the keys when there are none. Worth a call before a server is ready; a
    /// verifier that was never asked fetches them with the first token.
    ///
    /// # Errors
    /// [`Rejection::KeysUnavailable`].
    pub async fn ready(&self) -> Result<(), Rejection> {
        match &self.0.source {
            Source::Signed(Keys::Fetched(cache)) => cache.ready().await,
            Source::Signed(Keys::Fixed(_)) | Source::Asked(_) => Ok(()),
        }
    }

    async fn read_signed(&self, token: &str, keys: &Keys) -> Result<(Map<String, Value>, Witness), Rejection> {
        let Inner { rules, allowed, .. } = &*self.0;
        let token = Compact::parse(token)?;
        let named = token.header().alg.parse::<Algorithm>().ok().filter(|named| allowed.contains(named));
        let algorithm = named.ok_or(Rejection::AlgorithmNotAllowed)?;
        let typed = rules.typed(token.header().typ.as_deref())?;
        keys.check(&token, algorithm).await?;
        Ok((read_members(token.payload())?, Witness::Signature(typed)))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rules { issuer, audience, .. } = &self.0.rules;
        f.debug_struct("Verifier").field("issuer", issuer).field("audience", audience).finish_non_exhaustive()
    }
}

/// The system's time; 0 on a clock before 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the library takes the time when it is given no clock"
)]
pub(crate) fn system_clock() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixSeconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
