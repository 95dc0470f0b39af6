//! The revocation feed, as an API hears it.

use ficha_jose::{Compact, JwkSet, VerifyingKey};
use ficha_tests::{Config, Feed, Said, claims};
use serde_json::Value;

use super::world::{LEAN, POMELO, STD, World, world};

const PATH: &str = "/oauth/revocations";

impl World {
    /// The feed of an API, from the last number that it knows.
    fn feed(&self, (issuer, api): (&str, &str), known: Option<i64>) -> Feed {
        let mut call = self.base(issuer).call("GET", PATH).basic(api, &self.api_secret(api));
        if let Some(known) = known {
            call = call.header("Last-Event-ID", &known.to_string());
        }
        Feed::open(&call)
    }
}

fn tells(event: &Value, name: &str, value: &str) -> bool {
    event["events"].as_array().unwrap().iter().any(|e| e[name] == value)
}

/// Until that is told; everything that comes is chained.
fn heard(feed: &mut Feed, mut last: Value, (name, value): (&str, &str)) -> Value {
    loop {
        let event = feed.event();
        assert_eq!(event["from"], last, "{event}");
        last = event["to"].clone();
        if tells(&event, name, value) {
            return last;
        }
    }
}

#[test]
fn an_api_hears_of_a_revoked_token_within_the_stream_it_began() {
    let world = world();
    let client = world.client("std", STD);
    let mut feed = world.feed(("std", "orders"), None);
    assert_eq!(feed.answer.status, 200);
    for (name, value) in
        [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")]
    {
        assert_eq!(feed.answer.header(name), Some(value));
    }
    assert!(matches!(feed.said(), Some(Said::Retry(500..))), "when to come back is said first");
    let snapshot = feed.event();
    assert_eq!(
        (&snapshot["kind"], &snapshot["iss"], &snapshot["aud"]),
        (&"snapshot".into(), &client.base.url().into(), &"https://orders.example".into())
    );
    let token = client.token(&[]).expect(200).access_token();
    client.revoke(&token).expect(200);
    let jti = claims(&token)["jti"].as_str().unwrap().to_owned();
    heard(&mut feed, snapshot["to"].clone(), ("token", &jti));
    let mut later = world.feed(("std", "orders"), None);
    let snapshot = later.event();
    assert_eq!(snapshot["kind"], "snapshot");
    // It may be one that was made a moment before: then what came since follows it.
    if !tells(&snapshot, "token", &jti) {
        heard(&mut later, snapshot["to"].clone(), ("token", &jti));
    }
}

#[test]
fn a_family_and_a_client_are_told_to_the_api_that_they_concern() {
    let world = world();
    let client = world.client("lean", LEAN);
    let mut feed = world.feed(("lean", "core"), None);
    let begun = feed.event()["to"].clone();
    let answer = client.token(&[]).expect(200);
    client.revoke(&answer.refresh_token()).expect(200);
    let jti = claims(&answer.access_token())["jti"].as_str().unwrap().to_owned();
    let last = heard(&mut feed, begun, ("family", &jti[..22]));
    world.server.cli(&["token", "revoke", "--issuer", "lean", "--client", &client.id]).done();
    heard(&mut feed, last, ("client", &client.id));
}

#[test]
fn every_event_is_signed_by_a_key_that_signs_no_tokens() {
    let world = world();
    let mut feed = world.feed(("std", "orders"), None);
    let keys = world.base("std").get("/oauth/revocations/jwks.json").expect(200);
    assert_eq!(keys.header("cache-control"), Some("public, max-age=300"));
    let set = JwkSet::parse(&keys.body).unwrap();
    let jws = feed.jws();
    let signed = Compact::parse(&jws).unwrap();
    let kid = signed.header().kid.as_deref().unwrap();
    assert!(signed.verify_with(&VerifyingKey::from_jwk(set.find(kid).unwrap()).unwrap()));
    assert_eq!(signed.header().typ.as_deref(), Some("ficha-revocations+jwt"));
    let tokens = JwkSet::parse(&world.base("std").get("/.well-known/jwks.json").expect(200).body).unwrap();
    assert!(tokens.find(kid).is_none());
    let introspected = world.introspect(("std", "orders"), &jws);
    assert_eq!(introspected.text(), r#"{"active":false}"#, "an event is no token");
}

#[test]
fn who_comes_back_goes_on_where_it_was() {
    let world = world();
    let client = world.client("std", STD);
    let known = world.feed(("std", "orders"), None).event()["to"].as_i64().unwrap();
    let token = client.token(&[]).expect(200).access_token();
    client.revoke(&token).expect(200);
    let mut feed = world.feed(("std", "orders"), Some(known));
    let jti = claims(&token)["jti"].as_str().unwrap().to_owned();
    heard(&mut feed, known.into(), ("token", &jti));
}

#[test]
fn an_api_proves_itself_by_its_secret_or_by_a_token_with_the_scope() {
    let world = world();
    let call = || world.base("std").call("GET", PATH);
    let secret = world.api_secret("orders");
    assert_eq!(call().send().verdict(), "401 invalid_client");
    assert_eq!(call().basic("orders", "wrong").send().verdict(), "401 invalid_client");
    assert_eq!(call().basic("reports", &secret).send().verdict(), "401 invalid_client");
    let client = world.client("std", STD);
    assert_eq!(call().basic(&client.id, &client.secret).send().verdict(), "401 invalid_client", "a client is no API");
    assert_eq!(
        call().basic("orders", &secret).header("Authorization", "Bearer x").send().verdict(),
        "400 invalid_request"
    );
    let bearer = |token: &str| call().header("Authorization", &format!("Bearer {token}"));
    let refused = bearer("a.b.c").send();
    assert_eq!(refused.verdict(), "401 invalid_token");
    assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer error=\"invalid_token\""));
    let token = client.token(&[]).expect(200).access_token();
    assert_eq!(bearer(&token).send().verdict(), "403 insufficient_scope");
    let scoped =
        world.client("std", "grants = [\"client_credentials\"]\nscopes = { events = [\"ficha:revocations\"] }");
    let token = scoped.token(&[("audience", "https://events.example")]).expect(200).access_token();
    let mut feed = Feed::open(&bearer(&token));
    assert_eq!(feed.event()["aud"], "https://events.example");
    scoped.revoke(&token).expect(200);
    while feed.said().is_some() {}
    assert_eq!(bearer(&token).send().verdict(), "401 invalid_token");
}

#[test]
fn a_request_that_is_not_of_its_grammar_says_what_is_wrong() {
    let world = world();
    assert_eq!(world.base("std").post(PATH).form(&[]).send().expect(405).header("allow"), Some("GET"));
    let insecure = world.server.http().base("/pomelo").call("GET", PATH).header("X-Forwarded-For", "192.0.2.1");
    assert_eq!(insecure.basic("cards", &world.api_secret("cards")).send().verdict(), "400 invalid_request");
}

#[test]
fn guesses_are_slowed_as_at_introspection() {
    let world = World::with(Config::new());
    let guess = || world.base("std").call("GET", PATH).basic("orders", "wrong").send();
    for _ in 0..10 {
        guess().expect(401);
    }
    assert!(guess().expect(429).header("retry-after").is_some());
    let introspect = world.base("std").post("/oauth/introspect").basic("orders", "wrong").form(&[("token", "x")]);
    introspect.send().expect(429);
}

#[test]
fn a_removed_secret_ends_the_stream() {
    let world = World::with(Config::new());
    let add = ["api", "secret", "add", "orders", "--issuer", "std", "--json"];
    let added = world.server.cli(&add).done().json();
    let (id, secret) = (added["id"].as_str().unwrap().to_owned(), added["secret"].as_str().unwrap().to_owned());
    let mut feed = Feed::open(&world.base("std").call("GET", PATH).basic("orders", &secret));
    assert_eq!(feed.event()["kind"], "snapshot");
    world.server.cli(&["api", "secret", "remove", "orders", &id, "--issuer", "std"]).done();
    while feed.said().is_some() {}
    let again = world.base("std").call("GET", PATH).basic("orders", &secret).send();
    assert_eq!(again.verdict(), "401 invalid_client");
}

#[test]
fn a_stream_holds_up_no_shutdown_and_goes_on_at_the_next_start() {
    let mut world = World::with(Config::new().with("listen", "drain_s = 0\nshutdown_s = 30"));
    let mut feed = world.feed(("std", "orders"), None);
    let known = feed.event()["to"].as_i64().unwrap();
    world.server.signal("TERM");
    let mut last = None;
    while let Some(said) = feed.said() {
        last = Some(said);
    }
    assert!(matches!(last, Some(Said::Retry(_))), "it is told when to come back: {last:?}");
    assert_eq!(world.server.wait(), 0);
    assert!(!world.server.said("err").contains("were dropped"));
    world.server.start();
    let mut feed = world.feed(("std", "orders"), Some(known));
    let next = feed.event();
    assert!(next["kind"] != "snapshot" && next["from"] == known, "{next}");
}

#[test]
fn an_issuer_that_was_made_before_there_was_a_feed_gets_its_key_when_it_is_needed() {
    let mut world = World::with(Config::new());
    let before = world.base("pomelo").get("/oauth/revocations/jwks.json").expect(200).json();
    assert_eq!(before["keys"].as_array().unwrap().len(), 1);
    assert_eq!(world.server.stop(), 0);
    let store = rusqlite::Connection::open(world.server.data.join("ficha.db")).unwrap();
    assert_eq!(store.execute("DELETE FROM sealing_keys WHERE purpose = 'feed'", []).unwrap(), 4);
    drop(store);
    world.server.start();
    let made = world.base("pomelo").get("/oauth/revocations/jwks.json").expect(200).json();
    assert_ne!(made, before);
    assert_eq!(world.base("pomelo").get("/oauth/revocations/jwks.json").expect(200).json(), made, "and keeps it");
    assert_eq!(world.feed(("std", "orders"), None).event()["kind"], "snapshot", "likewise when it is followed first");
    let audit = world.count("audit WHERE record LIKE '%\"key.feed\"%'");
    assert_eq!(audit, 2, "each time it stands in the audit");
    let client = world.client("pomelo", POMELO);
    client.pomelo("/oauth/token", "https://cards.example").expect(200);
}

#[test]
fn no_more_follow_than_may() {
    let limits = "feed_followers = 3\nfeed_followers_per_api = 2";
    let world = World::with(Config::new().with("limits", limits));
    let (one, two) = (world.feed(("std", "orders"), None), world.feed(("std", "orders"), None));
    assert_eq!((one.answer.status, two.answer.status), (200, 200));
    let third = world.feed(("std", "orders"), None);
    assert_eq!((third.answer.status, third.answer.header("retry-after")), (429, Some("5")));
    let other = world.feed(("std", "reports"), None);
    assert_eq!(other.answer.status, 200);
    assert_eq!(world.feed(("lean", "core"), None).answer.status, 503);
    let metrics = world.server.ops().base("").get("/metrics").expect(200);
    assert!(metrics.text().contains("\nficha_feed_followers 3\n"), "{}", metrics.text());
}

#[test]
fn a_stream_outlives_every_limit_of_a_request() {
    let limits = "request_timeout_s = 8\nanswer_timeout_s = 8\nidle_timeout_s = 8\nbody_timeout_s = 8\nmark_wait_s = 8";
    let world = World::with(Config::new().with("limits", limits));
    let mut feed = world.feed(("std", "orders"), None);
    let began = feed.event()["at"].as_i64().unwrap();
    while feed.event()["at"].as_i64().unwrap() < began + 18_000 {}
}
