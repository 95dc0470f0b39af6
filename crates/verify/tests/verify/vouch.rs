//! Keys, and tokens signed by them.

use std::sync::LazyLock;

use ficha_jose::{Jwk, SigningKey, jws};
use ficha_verify::{Algorithm, JwkSet, Verifier};
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, NOON, TestClock};

/// One key of each algorithm, with its private form.
pub(crate) static KEYS: LazyLock<Vec<(SigningKey, Vec<u8>)>> = LazyLock::new(|| {
    let make = |algorithm| SigningKey::generate(algorithm, 2048).map(|(key, private)| (key, private.to_vec())).unwrap();
    Algorithm::ALL.map(make).into()
});

pub(crate) fn key(algorithm: Algorithm) -> &'static SigningKey {
    KEYS.iter().map(|(key, _)| key).find(|key| key.algorithm() == algorithm).unwrap()
}

/// The private form of the key: for HS256 the secret.
pub(crate) fn private(algorithm: Algorithm) -> &'static [u8] {
    KEYS.iter().find(|(key, _)| key.algorithm() == algorithm).map(|(_, private)| private).unwrap()
}

/// The quick key that most tests sign with.
pub(crate) fn es256() -> &'static SigningKey {
    key(Algorithm::Es256)
}

pub(crate) fn jwk(algorithm: Algorithm, kid: &str) -> Jwk {
    key(algorithm).public_jwk(kid).unwrap()
}

/// A set of the quick key under these names.
pub(crate) fn set(kids: &[&str]) -> JwkSet {
    JwkSet::new(kids.iter().map(|kid| jwk(Algorithm::Es256, kid)).collect())
}

/// Claims of a good access token of this issuer.
pub(crate) fn claims(issuer: &str) -> Value {
    json!({
        "iss": issuer, "sub": "user-1", "aud": AUDIENCE, "client_id": "app", "iat": NOON, "exp": NOON + 3600,
        "jti": "token-1", "scope": "cards:get users:get",
    })
}

/// `claims` with these members instead; `null` takes one out.
pub(crate) fn with(mut claims: Value, members: &Value) -> Value {
    let all = claims.as_object_mut().unwrap();
    for (name, value) in members.as_object().unwrap() {
        if value.is_null() {
            all.remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    claims
}

/// A token of the quick key under this name.
pub(crate) fn token(kid: &str, claims: &Value) -> String {
    signed(&json!({"alg": "ES256", "typ": "at+jwt", "kid": kid}), claims, es256())
}

pub(crate) fn signed(header: &Value, claims: &Value, key: &SigningKey) -> String {
    jws::compact(header.to_string().as_bytes(), claims.to_string().as_bytes(), key).unwrap()
}

/// A verifier of `https://issuer.example` that knows every public key of these tests, each under its algorithm's name.
pub(crate) fn knows_all() -> (Verifier, TestClock) {
    let clock = TestClock::at_noon();
    let public = Algorithm::ALL.into_iter().filter(|a| !a.is_symmetric());
    let set = JwkSet::new(public.map(|a| jwk(a, a.as_str())).collect());
    let verifier = Verifier::builder(ISSUER, AUDIENCE).clock(clock.reading()).keys(set).build().unwrap();
    (verifier, clock)
}

/// The issuer of tests without a network.
pub(crate) const ISSUER: &str = "https://issuer.example";
