//! `ficha key`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_tests::{Config, claims, secrets, verified_by};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use crate::site::{Site, site};

fn kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

fn state(site: &Site, kid: &str) -> String {
    let keys = site.json("key list");
    let key = keys.as_array().unwrap().iter().find(|k| k["kid"] == kid);
    key.map_or("gone".to_owned(), |k| k["state"].as_str().unwrap().to_owned())
}

#[test]
fn list_tells_every_key_and_none_of_its_material() {
    let site = site();
    let keys = site.json("key list");
    let algorithms: std::collections::BTreeSet<_> =
        keys.as_array().unwrap().iter().map(|k| k["algorithm"].as_str().unwrap()).collect();
    assert!(algorithms.contains("ES256") && algorithms.contains("HS256"), "{keys}");
    for key in keys.as_array().unwrap() {
        assert!(key.get("secret").is_none() && key.get("sealed").is_none() && key.get("d").is_none(), "{key}");
    }
    assert!(site.run("key list").done().stdout.contains("active"));
}

#[test]
fn a_new_key_is_published_at_once_and_signs_when_it_is_promoted() {
    let site = Site::new(Config::new());
    let (id, secret) = site.client("cards");
    let token = || site.token((&id, &secret)).expect(200).access_token();
    let published = || site.base().get("/.well-known/jwks.json");
    let before = token();
    let made = site.json("key rotate --algorithm ES256");
    let new = made[0]["kid"].as_str().unwrap().to_owned();
    assert_eq!((made.as_array().unwrap().len(), &made[0]["state"]), (1, &"next".into()));
    let day = made[0]["since"].as_i64().unwrap() - made[0]["created_at"].as_i64().unwrap();
    assert!(day >= 86_400, "it is published at least 24 h before it signs: {day}");
    assert!(published().text().contains(&new));
    assert_eq!(kid(&token()), kid(&before), "it does not sign yet");
    assert_eq!(site.run("key rotate --algorithm ES256").code, 1, "a successor waits already");

    let promoted = site.run(&format!("key promote {new} --json")).done();
    assert_eq!(promoted.json()["state"], "active");
    assert!(promoted.stderr.contains("less than 24 hours ago"), "{}", promoted.stderr);
    let after = token();
    assert_eq!((kid(&after), state(&site, &kid(&before)).as_str()), (new.clone(), "retiring"));
    for token in [&before, &after] {
        assert_eq!(verified_by(&published(), token, "https://cards.example"), Some(claims(token)));
        assert!(site.is_active("cards", token));
    }
    let promoted = site.run(&format!("key promote {new}")).expect(1);
    assert!(promoted.stderr.contains(&new), "{}", promoted.stderr);
}

#[test]
fn with_now_it_signs_at_once_and_warns() {
    let site = Site::new(Config::new());
    let (id, secret) = site.client("cards");
    let before = site.token((&id, &secret)).expect(200).access_token();
    let said = site.run("key rotate --algorithm ES256 --now --json").done();
    assert!(said.stderr.contains("key set"), "{}", said.stderr);
    let new = said.json()[0]["kid"].as_str().unwrap().to_owned();
    assert_eq!(kid(&site.token((&id, &secret)).expect(200).access_token()), new);
    assert!(site.is_active("cards", &before));
}

#[test]
fn a_withdrawn_key_is_gone_with_everything_that_it_signed() {
    let site = Site::new(Config::new());
    let (id, secret) = site.client("cards");
    let before = site.token((&id, &secret)).expect(200).access_token();
    let gone = site.json(&format!("key withdraw {}", kid(&before)));
    let successor = gone["successor"]["kid"].as_str().unwrap().to_owned();
    assert!(!site.is_active("cards", &before));
    let after = site.token((&id, &secret)).expect(200).access_token();
    assert_eq!(kid(&after), successor);
    assert!(site.is_active("cards", &after));
    let published = site.base().get("/.well-known/jwks.json");
    assert!(!published.text().contains(&kid(&before)) && published.text().contains(&successor));
    assert_eq!(state(&site, &kid(&before)), "gone");
    assert_eq!(site.run(&format!("key withdraw {}", kid(&before))).code, 1);
}

#[test]
fn the_live_tokens_of_a_withdrawn_key_are_replaced() {
    let site = Site::new(Config::new());
    let (id, secret) = site.client("cards");
    let live = || {
        let body = serde_json::json!({ "client_id": id, "client_secret": secret, "audience": "https://cards.example",
            "grant_type": "client_credentials" });
        site.server.https().base("/acme-pomelo").post("/oauth/token").json(&body).send().expect(200).access_token()
    };
    let before = live();
    assert_eq!(live(), before);
    site.run("key rotate --algorithm ES256 --now").done();
    assert_eq!(live(), before, "a retiring key's live token goes on");
    site.run(&format!("key withdraw {}", kid(&before))).done();
    assert!(!site.is_active("cards", &before));
    let after = live();
    assert!(after != before && site.is_active("cards", &after));
}

#[test]
fn deyels_key_for_refresh_tokens_has_a_name_of_its_own() {
    let site = Site::new(Config::new());
    let (id, secret) = site.client("cards");
    let (name, password) = ("ana", secrets::fresh("a password"));
    let file = site.server.file("ana", &password);
    site.run(&format!("user add ana --password-file {file} --scope cards=cards:read")).done();
    let first = site.login((&id, &secret), (name, &password)).expect(200);
    let keys = site.json("key list");
    let refresh: Vec<_> =
        keys.as_array().unwrap().iter().filter_map(|k| k["kid"].as_str()).filter(|k| k.ends_with("/refresh")).collect();
    let [refresh] = refresh[..] else { panic!("{keys}") };
    let said = site.run(&format!("key withdraw {refresh}")).done();
    assert!(said.stdout.contains("is gone"), "{}", said.stdout);
    let call = site.server.https().base("/acme-deyel").post("/oauth/token").basic(&id, &secret);
    call.form(&[("grant_type", "refresh_token"), ("refresh_token", &first.refresh_token())]).send().expect(401);
    let again = site.login((&id, &secret), (name, &password)).expect(200);
    let call = site.server.https().base("/acme-deyel").post("/oauth/token").basic(&id, &secret);
    call.form(&[("grant_type", "refresh_token"), ("refresh_token", &again.refresh_token())]).send().expect(200);
}

fn verifies(secret: &Value, token: &str) -> bool {
    let text = secret["secret"].as_str().unwrap();
    secrets::note("an API's signing secret", text);
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_audience(&["https://old.example"]);
    let key = DecodingKey::from_secret(&URL_SAFE_NO_PAD.decode(text).unwrap());
    jsonwebtoken::decode::<Value>(token, &key, &rules).is_ok()
}

#[test]
fn an_apis_secret_is_made_exported_and_promoted() {
    let site = Site::new(Config::new());
    let (id, secret) = site.client("old");
    let token = || {
        let call = site.base().post("/oauth/token").basic(&id, &secret);
        call.form(&[("grant_type", "client_credentials"), ("audience", "https://old.example")])
            .send()
            .expect(200)
            .access_token()
    };
    let first = site.json("key export --api old");
    let before = token();
    assert!(verifies(&first, &before));
    let said = site.run("key export --api old").done();
    assert!(said.stderr.contains("audit"), "{}", said.stderr);

    let made = site.json("key rotate --api old");
    let next = made[0]["kid"].as_str().unwrap().to_owned();
    assert!(made[0]["since"].is_null() && made[0]["exported"] == false, "{made}");
    let early = site.run(&format!("key promote {next}")).expect(1);
    assert!(early.stderr.contains("export"), "its API can't know it yet: {}", early.stderr);
    assert!(verifies(&first, &token()), "the old one signs on");
    assert_eq!(site.run("key rotate --api old").code, 1, "verifiers hold at most two");

    let second = site.json(&format!("key export {next}"));
    assert!(!verifies(&second, &before));
    let promoted = site.run(&format!("key promote {next}")).done();
    assert!(!promoted.stderr.contains("key set"), "it is in none: {}", promoted.stderr);
    let after = token();
    assert!(verifies(&second, &after) && !verifies(&first, &after));
    for token in [&before, &after] {
        assert!(site.is_active("old", token));
    }
    assert!(!site.base().get("/.well-known/jwks.json").text().contains(&next), "never in a key set");
    assert_eq!(site.run("key export --api cards").code, 1, "no secret of an API");
}

#[test]
fn an_apis_secret_never_signs_before_the_api_can_know_it() {
    let site = Site::new(Config::new());
    let before = site.json("key list");
    for line in ["key rotate --api old --now", "key rotate --now"] {
        let said = site.run(line).expect(1);
        for word in ["old", "key export", "key promote"] {
            assert!(said.stderr.contains(word), "{word}: {}", said.stderr);
        }
    }
    assert_eq!(site.json("key list"), before, "nothing was made");
}
