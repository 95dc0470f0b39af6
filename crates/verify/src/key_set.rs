//! Keys that are trusted, each with its one algorithm.

use ficha_jose::{Compact, Jwk, JwkSet, VerifyingKey};
use ficha_types::Algorithm;

use crate::Rejection;

/// Keys that are tried for one token; more with one name, or without any, is no set to choose from.
const MAX_TRIED: usize = 4;

/// Keys that are trusted.
pub(crate) struct KeySet(Box<[Named]>);

struct Named {
    kid: Option<Box<str>>,
    key: VerifyingKey,
}

impl KeySet {
    /// The keys of `set` that serve one of `allowed`. A key that does not say its algorithm gets the first of `allowed`
    /// that fits its kind, and keeps it.
    pub(crate) fn of(set: &JwkSet, allowed: &[Algorithm]) -> Self {
        let parsed = |jwk: &Jwk| match jwk.algorithm() {
            Some(named) => allowed.contains(&named).then(|| VerifyingKey::from_jwk(jwk).ok()).flatten(),
            None => allowed.iter().find_map(|algorithm| VerifyingKey::from_jwk_as(jwk, *algorithm).ok()),
        };
        let named = |jwk: &Jwk| parsed(jwk).map(|key| Named { kid: jwk.kid().map(Into::into), key });
        Self(set.keys().iter().filter_map(named).collect())
    }

    /// Secrets shared with the issuer; a token's `kid` means nothing to them.
    pub(crate) fn shared(secrets: Vec<VerifyingKey>) -> Self {
        Self(secrets.into_iter().map(|key| Named { kid: None, key }).collect())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of them signed `token` by `algorithm`, which is the one that the token names.
    pub(crate) fn check(&self, token: &Compact<'_>, algorithm: Algorithm) -> Result<(), Rejection> {
        let kid = token.header().kid.as_deref();
        let named = |key: &&Named| kid.is_none() || key.kid.is_none() || key.kid.as_deref() == kid;
        let mut found = self.0.iter().filter(named).peekable();
        if found.peek().is_none() {
            return Err(Rejection::UnknownKey);
        }
        let mut found = found.filter(|named| named.key.algorithm() == algorithm).peekable();
        if found.peek().is_none() {
            return Err(Rejection::AlgorithmOfAnotherKey);
        }
        if found.by_ref().take(MAX_TRIED).any(|named| token.verify_with(&named.key)) {
            return Ok(());
        }
        // More keys than are tried: not the signature is known to be wrong, but the name is missing.
        Err(if found.next().is_some() { Rejection::UnknownKey } else { Rejection::BadSignature })
    }
}
