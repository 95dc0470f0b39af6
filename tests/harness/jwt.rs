//! Tokens, taken apart, and an independent opinion on them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::JwkSet};
use serde_json::Value;

use super::Answer;

/// Header and claims as they stand in a token, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The header's JSON text.
    pub header: String,
    /// The claims' JSON text.
    pub claims: String,
}

impl Parts {
    /// Takes a JWT apart.
    pub fn of(token: &str) -> Self {
        let [header, claims, _] = token.split('.').collect::<Vec<_>>()[..] else { panic!("no JWT: {token}") };
        let text = |part: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        Self { header: text(header), claims: text(claims) }
    }
}

/// The claims of a token, not verified.
pub fn claims(token: &str) -> Value {
    serde_json::from_str(&Parts::of(token).claims).unwrap()
}

/// The signature of a token.
pub fn signature(token: &str) -> &str {
    token.rsplit_once('.').unwrap().1
}

/// The claims of `token`, verified by jsonwebtoken with the published key set; `None` when it refuses.
pub fn verified_by(jwks: &Answer, token: &str, audience: &str) -> Option<Value> {
    let set: JwkSet = serde_json::from_slice(&jwks.body).unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    let key = DecodingKey::from_jwk(set.find(header.kid.as_deref()?)?).unwrap();
    let published = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];
    assert!(published.contains(&header.alg), "{:?} in a published set", header.alg);
    let mut rules = Validation::new(header.alg);
    rules.set_audience(&[audience]);
    rules.leeway = 0;
    decode(token, &key, &rules).ok().map(|token| token.claims)
}
