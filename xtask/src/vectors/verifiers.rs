//! How each verifier of the vectors is set up.

use anyhow::Result;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    draft::{AUDIENCE, ISSUER, NOON},
    keys::Keys,
};

pub(crate) fn all(keys: &Keys) -> Result<Value> {
    let named = |name: &'static str| keys.jwk(name, name);
    let set = json!({"keys": [named("rs256")?, named("ps256")?, named("es256")?, named("ed25519")?]});
    let mut bare = named("rs256")?;
    if let Some(members) = bare.as_object_mut() {
        members.shift_remove("alg");
    }
    let secret = |name| keys.secret(name).map(|secret| URL_SAFE_NO_PAD.encode(secret));
    let every = json!(["RS256", "PS256", "ES256", "EdDSA"]);
    let with = |members: Value| {
        let usual = json!({
            "issuer": ISSUER, "audience": AUDIENCE, "algorithms": every, "leeway": 30, "only_at_jwt": false,
            "sender_bound": false,
        });
        let mut all = usual;
        if let (Some(all), Some(members)) = (all.as_object_mut(), members.as_object()) {
            all.extend(members.clone());
        }
        all
    };
    let until = NOON + 3660;
    let revoked = json!([
        {"token": "dead-token", "until": until},
        {"family": "AAAAAAAAAAAAAAAAAAAAAA", "until": until},
        {"client": "dead-app", "not_before": NOON - 60},
        {"user": "dead-user", "not_before": NOON - 60},
        {"key": "ps256"},
    ]);
    Ok(json!({
        "about": "How the verifiers of the cases are set up; README.md says what the members mean.",
        "verifiers": {
            "usual": with(json!({ "keys": set })),
            "only-rs256": with(json!({ "keys": set, "algorithms": ["RS256"] })),
            "no-alg": with(json!({ "keys": {"keys": [bare]}, "algorithms": ["RS256", "PS256"] })),
            "rotated": with(json!({ "keys": {"keys": [keys.jwk("forger-es256", "es256-2")?] }})),
            "no-leeway": with(json!({ "keys": set, "leeway": 0 })),
            "most-leeway": with(json!({ "keys": set, "leeway": 60 })),
            "only-at-jwt": with(json!({ "keys": set, "only_at_jwt": true })),
            "sender-bound": with(json!({ "keys": set, "sender_bound": true })),
            "secret": with(json!({ "secrets": [secret("secret-1")?], "algorithms": ["HS256"] })),
            "two-secrets": with(json!({ "secrets": [secret("secret-1")?, secret("secret-2")?], "algorithms": ["HS256"] })),
            "revoked": with(json!({ "keys": set, "revoked": revoked })),
            "revoked-issuer": with(json!({ "keys": set, "revoked": [{"issuer": true, "not_before": NOON - 60}] })),
        },
    }))
}
