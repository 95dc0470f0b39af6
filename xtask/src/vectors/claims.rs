//! Issuer, audience, times, scope.

use serde_json::{Value, json};

use super::draft::{AUDIENCE, Draft, ISSUER, NOON, case};

const ISS: &str = "RFC 8725 §3.8: the issuer is required, and compared exactly";
const AUD: &str = "RFC 8725 §3.9: the audience is required, and compared exactly";
const EXP: &str = "RFC 7519 §4.1.4: not on or after exp, with 30 s of leeway";
const NBF: &str = "RFC 7519 §4.1.5: not before nbf, with 30 s of leeway";
const IAT: &str = "RFC 7519 §4.1.6: not issued in the future, with 30 s of leeway";
const LEEWAY: &str = "the leeway is 0 to 60 s";
const SCOPE: &str = "RFC 9068 §2.2.3: the scope is a text or a list";

pub(crate) fn all() -> Vec<Draft> {
    let mut all = issuers();
    all.extend(audiences());
    all.extend(times());
    all.extend(rest());
    all
}

fn issuers() -> Vec<Draft> {
    let wrong = |name, iss: Value| case(name, ISS, "wrong_issuer").claims(&json!({ "iss": iss }));
    vec![
        case("no iss", ISS, "missing_claim").claims(&json!({"iss": null})),
        wrong("another issuer", json!("https://other.example")),
        wrong("the issuer with a slash more", json!("https://issuer.example/")),
        wrong("the issuer in capitals", json!("https://ISSUER.example")),
        wrong("the issuer by http", json!("http://issuer.example")),
        wrong("a longer issuer", json!("https://issuer.example.evil")),
        wrong("an empty issuer", json!("")),
        wrong("a list of issuers", json!([ISSUER])),
        wrong("the issuer is a number", json!(7)),
    ]
}

fn audiences() -> Vec<Draft> {
    let wrong = |name, aud: Value| case(name, AUD, "wrong_audience").claims(&json!({ "aud": aud }));
    vec![
        case("no aud", AUD, "missing_claim").claims(&json!({"aud": null})),
        case("the audience in a list of others", AUD, "ok")
            .claims(&json!({"aud": ["https://other.example", AUDIENCE]})),
        wrong("another audience", json!("https://other.example")),
        wrong("a list without the audience", json!(["https://other.example", "api"])),
        wrong("an empty list of audiences", json!([])),
        wrong("an empty audience", json!("")),
        wrong("a longer audience", json!("https://api.example.com.evil")),
        wrong("a shorter audience", json!("https://api.example")),
        wrong("the audience with a slash more", json!("https://api.example.com/")),
        wrong("two audiences in one text", json!("https://api.example.com https://other.example")),
        wrong("the audience in a list in a list", json!([[AUDIENCE]])),
        wrong("the audience as the name of a member", json!({ AUDIENCE: true })),
        wrong("the audience is a number", json!(7)),
    ]
}

fn times() -> Vec<Draft> {
    let claim = |name, rule, verdict, claims: Value| case(name, rule, verdict).claims(&claims);
    vec![
        case("no exp", EXP, "missing_claim").claims(&json!({"exp": null})),
        case("29 s after exp", EXP, "ok").after(3629),
        case("30 s after exp", EXP, "expired").after(3630),
        case("a year after exp", EXP, "expired").after(31_536_000),
        claim("exp with a fraction", EXP, "ok", json!({"exp": 1_800_000_000.5})),
        claim("exp is a text", EXP, "malformed_claim", json!({"exp": "1900000000"})),
        claim("exp is a list", EXP, "malformed_claim", json!({"exp": [1_900_000_000]})),
        claim("exp is true", EXP, "malformed_claim", json!({"exp": true})),
        claim("exp is negative", EXP, "expired", json!({"exp": -1})),
        claim("exp is 0", EXP, "expired", json!({"exp": 0})),
        claim("exp beyond every calendar", EXP, "ok", json!({"exp": 9_007_199_254_740_991_i64})),
        claim("30 s before nbf", NBF, "ok", json!({"nbf": NOON + 30})),
        claim("31 s before nbf", NBF, "not_yet_valid", json!({"nbf": NOON + 31})),
        claim("nbf is a text", NBF, "malformed_claim", json!({"nbf": "1800000000"})),
        claim("30 s before iat", IAT, "ok", json!({"iat": NOON + 30})),
        claim("31 s before iat", IAT, "issued_in_future", json!({"iat": NOON + 31})),
        claim("iat is a text", IAT, "malformed_claim", json!({"iat": "1800000000"})),
        claim("no iat", IAT, "ok", json!({"iat": null})),
        case("the last second without a leeway", LEEWAY, "ok").to("no-leeway").after(3599),
        case("at exp without a leeway", LEEWAY, "expired").to("no-leeway").after(3600),
        case("59 s after exp with the most leeway", LEEWAY, "ok").to("most-leeway").after(3659),
        case("60 s after exp with the most leeway", LEEWAY, "expired").to("most-leeway").after(3660),
    ]
}

fn rest() -> Vec<Draft> {
    vec![
        case("no sub, no jti, no client", "RFC 9068 §2.2: what this library does not need", "ok")
            .claims(&json!({"sub": null, "jti": null, "client_id": null})),
        case("no scope", SCOPE, "ok").claims(&json!({"scope": null})),
        case("the scope is a list", SCOPE, "ok").claims(&json!({"scope": ["cards:get", "users:get"]})),
        case("the scope is a number", SCOPE, "malformed_claim").claims(&json!({"scope": 7})),
        case("the scope is an object", SCOPE, "malformed_claim").claims(&json!({"scope": {"cards:get": true}})),
    ]
}
