//! Algorithms, keys and signatures (RFC 8725 §3.1, §3.2, §3.5; RFC 7515).

use anyhow::Result;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_jose::{SigningKey, jws};
use ficha_types::Algorithm;
use serde_json::{Value, json};

use super::{
    draft::{Draft, case, members},
    keys::Keys,
};

const KEY: &str = "RFC 8725 §3.1: the algorithm is the key's";
const SIGNATURE: &str = "RFC 7515 §5.2: the signature holds";
const KID: &str = "RFC 7515 §4.1.4: the key is the one that is named";
const BROUGHT: &str = "RFC 8725 §3.10: what a token brings along is not trusted";
const SECRET: &str = "HS256: by the API's own secret, at most two, both tried";

pub(crate) fn all() -> Vec<Draft> {
    let mut all = good();
    all.extend(unsigned());
    all.extend(confused());
    all.extend(altered());
    all.extend(named());
    all.extend(brought());
    all.extend(secrets());
    all
}

fn header(alg: &str, kid: &str) -> Value {
    json!({"alg": alg, "typ": "at+jwt", "kid": kid})
}

fn good() -> Vec<Draft> {
    vec![
        case("RS256 passes", KEY, "ok"),
        case("PS256 passes", KEY, "ok").header(&header("PS256", "ps256"), "ps256"),
        case("ES256 passes", KEY, "ok").header(&header("ES256", "es256"), "es256"),
        case("EdDSA passes", KEY, "ok").header(&header("EdDSA", "ed25519"), "ed25519"),
        case("a key without alg serves RS256", KEY, "ok").to("no-alg"),
    ]
}

/// A token without a signature that says `alg`.
fn bare(name: &'static str, alg: &str, verdict: &'static str) -> Draft {
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    let header = json!({"alg": alg, "typ": "at+jwt"}).to_string();
    case(name, "RFC 8725 §3.2: none is no algorithm", verdict).text(&format!(
        "{}.{}.",
        part(header),
        part(members(&json!({})).to_string())
    ))
}

fn unsigned() -> Vec<Draft> {
    vec![
        bare("alg none without a signature", "none", "algorithm_not_allowed"),
        bare("alg None without a signature", "None", "algorithm_not_allowed"),
        bare("alg NONE without a signature", "NONE", "algorithm_not_allowed"),
        bare("alg nOnE without a signature", "nOnE", "algorithm_not_allowed"),
        bare("an empty alg without a signature", "", "algorithm_not_allowed"),
        bare("RS256 without a signature", "RS256", "bad_signature"),
        bare("alg none to a verifier with a secret", "none", "algorithm_not_allowed").to("secret"),
        case("alg none with the kid and signature of a key", KEY, "algorithm_not_allowed")
            .header(&header("none", "rs256"), "rs256"),
    ]
}

/// `token` signed with HS256 by `secret`, its header as it is.
fn by_secret(token: &str, secret: &[u8]) -> Result<String> {
    let [header, payload, _] = Keys::apart(token)?;
    let decode = |part| URL_SAFE_NO_PAD.decode(part);
    let key = SigningKey::from_private(Algorithm::Hs256, secret)?;
    Ok(jws::compact(&decode(header)?, &decode(payload)?, &key)?)
}

fn confused() -> Vec<Draft> {
    let other = "algorithm_of_another_key";
    let unknown = "algorithm_not_allowed";
    vec![
        case("HS256 by the public key as a JWK", KEY, unknown)
            .header(&header("HS256", "rs256"), "rs256")
            .then(|keys, token| by_secret(token, keys.jwk("rs256", "rs256")?.to_string().as_bytes())),
        case("HS256 by the modulus of the public key", KEY, unknown).header(&header("HS256", "rs256"), "rs256").then(
            |keys, token| {
                let jwk = keys.jwk("rs256", "rs256")?;
                by_secret(token, &URL_SAFE_NO_PAD.decode(jwk.get("n").and_then(Value::as_str).unwrap_or_default())?)
            },
        ),
        case("HS256 by another secret to a verifier with keys", KEY, unknown)
            .header(&header("HS256", "rs256"), "secret-1"),
        case("PS256 said of an RS256 signature", KEY, other).header(&header("PS256", "rs256"), "rs256"),
        case("RS256 said of a PS256 key", KEY, other).header(&header("RS256", "ps256"), "ps256"),
        case("ES256 said of an RSA key", KEY, other).header(&header("ES256", "rs256"), "es256"),
        case("RS256 said of a P-256 key", KEY, other).header(&header("RS256", "es256"), "rs256"),
        case("EdDSA said of a P-256 key", KEY, other).header(&header("EdDSA", "es256"), "ed25519"),
        case("PS256 where the key without alg got RS256", KEY, other)
            .header(&header("PS256", "rs256"), "ps256")
            .to("no-alg"),
        case("RS384", KEY, unknown).header(&header("RS384", "rs256"), "rs256"),
        case("RS512", KEY, unknown).header(&header("RS512", "rs256"), "rs256"),
        case("ES384", KEY, unknown).header(&header("ES384", "es256"), "es256"),
        case("HS512", KEY, unknown).header(&header("HS512", "rs256"), "secret-1"),
        case("rs256 in small letters", KEY, unknown).header(&header("rs256", "rs256"), "rs256"),
        case("ES256 where only RS256 is allowed", KEY, unknown)
            .header(&header("ES256", "es256"), "es256")
            .to("only-rs256"),
        case("RS256 where only RS256 is allowed", KEY, "ok").to("only-rs256"),
        case("alg is a number", KEY, "malformed_token").header(&json!({"alg": 256, "kid": "rs256"}), "rs256"),
        case("no alg", KEY, "malformed_token").header(&json!({"kid": "rs256"}), "rs256"),
    ]
}

/// `token` with another signature.
fn resigned(token: &str, signature: &[u8]) -> Result<String> {
    let [header, payload, _] = Keys::apart(token)?;
    Ok(format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn altered() -> Vec<Draft> {
    let es256 = || json!({"alg": "ES256", "typ": "at+jwt", "kid": "es256"});
    let bad = "bad_signature";
    vec![
        case("the payload is altered", SIGNATURE, bad).then(|_, token| {
            let [header, _, signature] = Keys::apart(token)?;
            let payload = members(&json!({"scope": "cards:get users:get admin"})).to_string();
            Ok(format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(payload)))
        }),
        case("the header is altered", SIGNATURE, bad).then(|_, token| {
            let [_, payload, signature] = Keys::apart(token)?;
            let header = json!({"alg": "RS256", "typ": "JWT", "kid": "rs256"}).to_string();
            Ok(format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode(header)))
        }),
        case("the signature is altered", SIGNATURE, bad).then(|_, token| {
            let [.., signature] = Keys::apart(token)?;
            let mut bytes = URL_SAFE_NO_PAD.decode(signature)?;
            bytes.iter_mut().take(1).for_each(|byte| *byte ^= 1);
            resigned(token, &bytes)
        }),
        case("the signature is cut short", SIGNATURE, bad).then(|_, token| {
            let [.., signature] = Keys::apart(token)?;
            let bytes = URL_SAFE_NO_PAD.decode(signature)?;
            resigned(token, bytes.get(..255).unwrap_or_default())
        }),
        case("a byte follows the signature", SIGNATURE, bad).then(|_, token| {
            let [.., signature] = Keys::apart(token)?;
            resigned(token, &[URL_SAFE_NO_PAD.decode(signature)?, vec![0]].concat())
        }),
        case("the signature is of another token", SIGNATURE, bad).then(|keys, token| {
            let other = keys.sign(r#"{"alg":"RS256","kid":"rs256"}"#, b"{}", "rs256")?;
            let [.., signature] = Keys::apart(&other)?;
            resigned(token, &URL_SAFE_NO_PAD.decode(signature)?)
        }),
        case("RS256 by another key", SIGNATURE, bad).header(&header("RS256", "rs256"), "forger-rs256"),
        case("ES256 by another key", SIGNATURE, bad).header(&es256(), "forger-es256"),
        case("ES256 with r and s of zero", "RFC 8725 §3.5, CVE-2022-21449", bad)
            .header(&es256(), "es256")
            .then(|_, token| resigned(token, &[0; 64])),
        case("ES256 with a signature in DER", "RFC 7518 §3.4", bad).header(&es256(), "es256").then(|_, token| {
            let [.., signature] = Keys::apart(token)?;
            resigned(token, &der(&URL_SAFE_NO_PAD.decode(signature)?))
        }),
        case("EdDSA with a signature of zeros", SIGNATURE, bad)
            .header(&header("EdDSA", "ed25519"), "ed25519")
            .then(|_, token| resigned(token, &[0; 64])),
    ]
}

/// The two numbers of a P-256 signature in DER.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let sign: &[u8] = if number.first().is_some_and(|first| *first > 127) { &[0] } else { &[] };
        let length = u8::try_from(sign.len() + number.len()).unwrap_or(u8::MAX);
        [&[2, length], sign, number].concat()
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    let both = [integer(r), integer(s)].concat();
    [vec![0x30, u8::try_from(both.len()).unwrap_or(u8::MAX)], both].concat()
}

fn named() -> Vec<Draft> {
    let kid = |kid: &str| json!({"alg": "RS256", "typ": "at+jwt", "kid": kid});
    let unknown = "unknown_key";
    vec![
        case("no kid, and one key of the algorithm", KID, "ok").header(&json!({"alg": "RS256"}), "rs256"),
        case("no kid, and a signature of no key", KID, "bad_signature")
            .header(&json!({"alg": "RS256"}), "forger-rs256"),
        case("a kid that the set does not have", KID, unknown).header(&kid("other"), "rs256"),
        case("a kid that differs by a capital", KID, unknown).header(&kid("RS256"), "rs256"),
        case("an empty kid", KID, unknown).header(&kid(""), "rs256"),
        case("a kid that is a path", "RFC 8725 §3.10", unknown).header(&kid("../../../../dev/null"), "rs256"),
        case("a kid that is SQL", "RFC 8725 §3.10", unknown).header(&kid("x' UNION SELECT 'key"), "rs256"),
        case("a kid that is a number", KID, "malformed_token").header(&json!({"alg": "RS256", "kid": 7}), "rs256"),
        case("a key that has left the set", KID, unknown)
            .header(&json!({"alg": "ES256", "typ": "at+jwt", "kid": "es256"}), "es256")
            .to("rotated"),
        case("a key that has come into the set", KID, "ok")
            .header(&json!({"alg": "ES256", "typ": "at+jwt", "kid": "es256-2"}), "forger-es256")
            .to("rotated"),
    ]
}

fn brought() -> Vec<Draft> {
    // The forger's own public key, which is no secret.
    let own = json!({"kty": "RSA", "alg": "RS256", "kid": "rs256", "e": "AQAB", "n": "AQAB"});
    let with = |name: &str, value: Value| json!({"alg": "RS256", "typ": "at+jwt", "kid": "rs256", name: value});
    let url = json!("https://evil.example/keys");
    let forged = |name, header: &Value| case(name, BROUGHT, "bad_signature").header(header, "forger-rs256");
    vec![
        forged("a forger's key in jwk", &with("jwk", own)),
        forged("a forger's URL in jku", &with("jku", url.clone())),
        forged("a forger's URL in x5u", &with("x5u", url.clone())),
        forged("a forger's certificate in x5c", &with("x5c", json!(["AAAA"]))),
        case("a good signature, and a URL in jku", BROUGHT, "ok").header(&with("jku", url), "rs256"),
    ]
}

fn secrets() -> Vec<Draft> {
    let leancore = || json!({"alg": "HS256", "typ": "JWT"});
    let hs = |name, verdict| case(name, SECRET, verdict).header(&leancore(), "secret-1").to("secret");
    vec![
        hs("HS256 by the secret", "ok"),
        hs("HS256 by the first of two secrets", "ok").to("two-secrets"),
        hs("HS256 by the second of two secrets", "ok").header(&leancore(), "secret-2").to("two-secrets"),
        hs("HS256 by another secret", "bad_signature").header(&leancore(), "secret-2"),
        hs("HS256 with a kid", "ok").header(&json!({"alg": "HS256", "kid": "any"}), "secret-1"),
        hs("HS256 by an empty secret", "bad_signature").then(|_, token| resigned(token, &[0; 32])),
        hs("HS256 with a code cut short", "bad_signature").then(|_, token| {
            let [.., signature] = Keys::apart(token)?;
            let bytes = URL_SAFE_NO_PAD.decode(signature)?;
            resigned(token, bytes.get(..16).unwrap_or_default())
        }),
        hs("HS384 by the secret", "algorithm_not_allowed").header(&json!({"alg": "HS384"}), "secret-1"),
        hs("RS256 to a verifier with a secret", "algorithm_not_allowed").header(&header("RS256", "rs256"), "rs256"),
        hs("HS256 of another API", "wrong_audience").claims(&json!({"aud": "https://other.example"})),
    ]
}
