//! Keys that are trusted, each with its one algorithm.

use ficha_jose::{Compact, Jwk, JwkSet, VerifyingKey};
use ficha_types::Algorithm;

use crate::Rejection;

/// Keys that are tried for one token; more with one name, or without any, is no set to choose from.
const MAX_TRIED: usize = 4;

/// Keys that are trusted.
pub(crate) struct KeySet {
    keys: Box<[Named]>,
    /// Whether a token chooses among them by its `kid`.
    by_kid: bool,
}

struct Named {
    kid: Option<Box<str>>,
    key: VerifyingKey,
}

/// A secret shared with the issuer, and its name there if it is known.
pub(crate) type Shared = (Option<Box<str>>, VerifyingKey);

impl KeySet {
    /// The keys of `set` that serve one of `allowed`. A key that does not say its algorithm gets the first of `allowed`
    /// that fits its kind, and keeps it.
    pub(crate) fn of(set: &JwkSet, allowed: &[Algorithm]) -> Self {
        let parsed = |jwk: &Jwk| match jwk.algorithm() {
            Some(named) => allowed.contains(&named).then(|| VerifyingKey::from_jwk(jwk).ok()).flatten(),
            None => allowed.iter().find_map(|algorithm| VerifyingKey::from_jwk_as(jwk, *algorithm).ok()),
        };
        let named = |jwk: &Jwk| parsed(jwk).map(|key| Named { kid: jwk.kid().map(Into::into), key });
        Self { keys: set.keys().iter().filter_map(named).collect(), by_kid: true }
    }

    /// Secrets shared with the issuer; a token's `kid` means nothing to them.
    pub(crate) fn shared(secrets: Vec<Shared>) -> Self {
        Self { keys: secrets.into_iter().map(|(kid, key)| Named { kid, key }).collect(), by_kid: false }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Which of them signed `token` by `algorithm`, the one that the token names: its `kid`, if it has one.
    pub(crate) fn check(&self, token: &Compact<'_>, algorithm: Algorithm) -> Result<Option<&str>, Rejection> {
        let kid = token.header().kid.as_deref().filter(|_| self.by_kid);
        let named = |key: &&Named| kid.is_none() || key.kid.is_none() || key.kid.as_deref() == kid;
        let mut found = self.keys.iter().filter(named).peekable();
        if found.peek().is_none() {
            return Err(Rejection::UnknownKey);
        }
        let mut found = found.filter(|named| named.key.algorithm() == algorithm).peekable();
        if found.peek().is_none() {
            return Err(Rejection::AlgorithmOfAnotherKey);
        }
        if let Some(named) = found.by_ref().take(MAX_TRIED).find(|named| token.verify_with(&named.key)) {
            return Ok(named.kid.as_deref());
        }
        // More keys than are tried: not the signature is known to be wrong, but the name is missing.
        Err(if found.next().is_some() { Rejection::UnknownKey } else { Rejection::BadSignature })
    }
}
