//! The signing keys of an issuer, parsed once and kept.

use std::sync::{Arc, PoisonError, RwLock};

use ficha_jose::{JwkSet, SigningKey, VerifyingKey, jws};
use ficha_types::{Algorithm, ApiName, DialectName, UnixSeconds};

use crate::{
    ports::Dialect,
    records::{KeyRow, KeyState},
};

/// A signing key that is ready for use.
#[derive(Debug)]
pub struct LoadedKey {
    /// The row, without its sealed material.
    pub row: KeyRow,
    /// The parsed key.
    pub signing: Arc<SigningKey>,
    /// Its public half (or the secret itself, for HS256).
    pub verifying: VerifyingKey,
    /// The encoded header of what it signs in each dialect of its issuer.
    headers: RwLock<Vec<(DialectName, Arc<str>)>>,
}

impl LoadedKey {
    /// A key of a row.
    #[must_use]
    pub fn new(row: KeyRow, signing: SigningKey) -> Self {
        let verifying = signing.verifying();
        let row = KeyRow { sealed: Vec::new(), ..row };
        Self { row, signing: Arc::new(signing), verifying, headers: RwLock::default() }
    }

    /// The first part of every token that it signs in `dialect`, made once.
    pub(crate) fn header(&self, dialect: &dyn Dialect) -> Arc<str> {
        let headers = self.headers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, header)) = headers.iter().find(|(name, _)| name == dialect.name()) {
            return header.clone();
        }
        drop(headers);
        let json = dialect.header(self.row.algorithm, self.row.published_kid());
        let header: Arc<str> = jws::encode_header(json.as_bytes()).into();
        let mut headers = self.headers.write().unwrap_or_else(PoisonError::into_inner);
        if headers.iter().all(|(name, _)| name != dialect.name()) {
            headers.push((dialect.name().clone(), header.clone()));
        }
        header
    }
}

/// The signing keys of an issuer.
#[derive(Debug, Default)]
pub struct KeyRing(Vec<Arc<LoadedKey>>);

impl KeyRing {
    /// Takes the keys over, whatever their states.
    #[must_use]
    pub fn new(keys: Vec<LoadedKey>) -> Self {
        Self(keys.into_iter().map(Arc::new).collect())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<LoadedKey>> {
        self.0.iter()
    }

    /// The key that signs access tokens by `algorithm`, for HS256 that of `api`. A `Next` key that has come of age
    /// (`since` ≤ now) goes before the `Active` one: rotation needs no moment at which somebody acts.
    #[must_use]
    pub fn signer(&self, algorithm: Algorithm, api: &ApiName, now: UnixSeconds) -> Option<&Arc<LoadedKey>> {
        self.newest(now, |row| {
            row.algorithm == algorithm
                && !row.is_for_refresh()
                && (!algorithm.is_symmetric() || row.api.as_ref() == Some(api))
        })
    }

    /// The key that signs refresh tokens.
    #[must_use]
    pub fn refresh_signer(&self, now: UnixSeconds) -> Option<&Arc<LoadedKey>> {
        self.newest(now, KeyRow::is_for_refresh)
    }

    fn newest(&self, now: UnixSeconds, fits: impl Fn(&KeyRow) -> bool) -> Option<&Arc<LoadedKey>> {
        let signs = |row: &KeyRow| match row.state {
            KeyState::Active => true,
            KeyState::Next => row.since <= now,
            KeyState::Retiring => false,
        };
        self.0.iter().filter(|k| fits(&k.row) && signs(&k.row)).max_by_key(|k| (k.row.since, k.row.created_at))
    }

    /// The keys that may have signed an access token with that header; HS256 keys have no `kid`.
    pub fn verifiers<'a>(
        &'a self,
        algorithm: Algorithm,
        kid: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<LoadedKey>> {
        self.0.iter().filter(move |k| {
            k.row.algorithm == algorithm
                && !k.row.is_for_refresh()
                && kid.is_none_or(|kid| k.row.published_kid() == kid)
        })
    }

    /// The keys that may have signed a refresh token with that header.
    pub fn refresh_verifiers<'a>(
        &'a self,
        algorithm: Algorithm,
        kid: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<LoadedKey>> {
        self.0.iter().filter(move |k| {
            k.row.algorithm == algorithm && k.row.is_for_refresh() && kid.is_none_or(|kid| k.row.published_kid() == kid)
        })
    }

    /// The set for verifiers (RFC 7517 §5): no symmetric key, none for refresh tokens.
    #[must_use]
    pub fn published(&self) -> JwkSet {
        let keys = self.0.iter().filter(|k| !k.row.is_for_refresh());
        JwkSet::new(keys.filter_map(|k| k.signing.public_jwk(k.row.published_kid())).collect())
    }
}
