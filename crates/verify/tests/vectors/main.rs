//! `vectors/*.json`: every case gets the verdict that it asks for, at the first sight and at the second.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::{collections::BTreeMap, fs, path::Path};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_verify::{Builder, JwkSet, Revocations, Seconds, UnixSeconds, Verifier};
use serde::Deserialize;
use serde_json::Value;

const FILES: [&str; 5] = ["algorithms", "structure", "claims", "kinds", "revocations"];

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    rule: String,
    verifier: String,
    at: UnixSeconds,
    verdict: String,
    token: String,
}

#[derive(Deserialize)]
struct Verifiers {
    verifiers: BTreeMap<String, Setup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    issuer: String,
    audience: String,
    algorithms: Vec<String>,
    leeway: i64,
    only_at_jwt: bool,
    sender_bound: bool,
    keys: Option<Value>,
    secrets: Option<Vec<String>>,
    #[serde(default)]
    revoked: Vec<Value>,
}

fn read<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(format!("{name}.json"));
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

fn cases() -> Vec<Case> {
    FILES.iter().flat_map(|name| read::<File>(name).cases).collect()
}

fn verifier(setup: &Setup, at: UnixSeconds) -> Verifier {
    let builder = Verifier::builder(&setup.issuer, &setup.audience).clock(move || at).leeway(Seconds(setup.leeway));
    let builder = builder.algorithms(setup.algorithms.iter().map(|name| name.parse().unwrap()));
    let builder = if setup.only_at_jwt { builder.require_typ_at_jwt() } else { builder };
    let builder = if setup.sender_bound { builder.accept_sender_bound() } else { builder };
    let with_secret =
        |builder: Builder, secret: &String| builder.shared_secret(&URL_SAFE_NO_PAD.decode(secret).unwrap());
    let builder = match (&setup.keys, &setup.secrets) {
        (Some(keys), None) => builder.keys(JwkSet::parse(keys.to_string().as_bytes()).unwrap()),
        (None, Some(secrets)) => secrets.iter().fold(builder, with_secret),
        _ => panic!("either keys or secrets"),
    };
    let known = Revocations::new();
    for entry in &setup.revoked {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let second = |name: &str| UnixSeconds(entry.get(name).unwrap().as_i64().unwrap());
        if let Some(jti) = text("token") {
            known.token(jti, second("until")).unwrap();
        } else if let Some(family) = text("family") {
            known.family(family, second("until")).unwrap();
        } else if let Some(client) = text("client") {
            known.client(client, second("not_before")).unwrap();
        } else if let Some(user) = text("user") {
            known.user(user, second("not_before")).unwrap();
        } else if let Some(kid) = text("key") {
            known.key(kid).unwrap();
        } else {
            assert_eq!(entry.get("issuer"), Some(&Value::Bool(true)), "{entry}");
            known.issuer(second("not_before"));
        }
    }
    builder.revocations(known).build().unwrap()
}

#[tokio::test]
async fn every_case_gets_its_verdict() {
    let setups = read::<Verifiers>("verifiers").verifiers;
    let mut wrong = Vec::new();
    for case in cases() {
        let verifier = verifier(setups.get(&case.verifier).unwrap(), case.at);
        for sight in ["first", "second"] {
            let said = verifier.verify(&case.token).await.map_or_else(|rejection| rejection.code(), |_| "ok");
            if said != case.verdict {
                wrong.push(format!("{} ({}): {said} at {sight} sight, not {}", case.name, case.rule, case.verdict));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_cases_cover_every_code_that_needs_no_network_and_no_request() {
    let cases = cases();
    assert!(cases.len() >= 100);
    for code in [
        "ok",
        "algorithm_not_allowed",
        "algorithm_of_another_key",
        "bad_signature",
        "expired",
        "issued_in_future",
        "key_withdrawn",
        "malformed_claim",
        "malformed_claims",
        "malformed_token",
        "missing_claim",
        "not_an_access_token",
        "not_yet_valid",
        "revoked",
        "sender_bound",
        "token_too_long",
        "too_many_audiences",
        "unknown_key",
        "wrong_audience",
        "wrong_issuer",
    ] {
        assert!(cases.iter().any(|case| case.verdict == code), "{code}");
    }
}
