//! What is wrong with how a verifier is set up.

use std::time::Duration;

use ficha_jose::KeyError;
use ficha_types::Seconds;
use thiserror::Error;

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
    /// An introspection's answers are to stand longer than that is safe.
    #[error(
        "answers of an introspection stand for at most 1 s, or 5 min while the revocation feed is followed, not {0:?}"
    )]
    IntrospectionCache(Duration),
    /// An introspection's answers are to stand, and nothing is introspected.
    #[error("an introspection cache needs an introspection")]
    NothingIntrospected,
    /// Tokens are to pass for longer than 24 h without revocations.
    #[error("without revocations tokens pass for 0 to 86400 s, not {0}")]
    StaleFor(Seconds),
    /// The extra root certificates can't be read.
    #[error("the root certificate is refused: {0}")]
    RootCa(String),
    /// The HTTP client can't be made.
    #[error("the HTTP client could not be made: {0}")]
    HttpClient(String),
}
