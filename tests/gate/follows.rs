//! `ficha gate` follows the revocation feed of a real issuer, which goes away and comes back.

use ficha_tests::{Door, Parts, eventually};

use crate::site::{Site, verdict};

const FEED: &str =
    "feed = true\napi_name = \"cards\"\nsecret_file = \"api.secret\"\nrefuse_at_once = \"cards:write\"\n";

/// An issuer, and rules that say that its feed is followed; `cards:write` counts only while it is fresh.
fn site() -> Site {
    Site::new(|config| {
        let rules = std::fs::read_to_string(config.dir().join("rules.toml")).unwrap();
        config.file("rules.toml", &rules.replace("rules = [", &format!("{FEED}rules = [")));
        config
    })
}

impl Site {
    fn reads(&self, token: &str) -> String {
        verdict(&self.ask("GET", "/cards/7", token))
    }

    fn writes(&self, token: &str) -> String {
        verdict(&self.ask("POST", "/cards", token))
    }

    fn gate_says(&self) -> String {
        Door::plain(self.at(9092)).base("").get("/readyz").whole()
    }
}

/// What is said while it is not known what was revoked lately.
const NOT_FRESH: &str = "503 revocations_unavailable";

/// Waits until a verdict that was `before` is `after`; any other on the way fails, but that the feed is not fresh: it is not on a
/// machine that stands still for three seconds.
#[track_caller]
fn turns(before: &str, after: &str, ask: impl Fn() -> String) {
    eventually(&format!("{before} turns to {after}"), || {
        let now = ask();
        assert!([before, after, NOT_FRESH].contains(&&*now), "{now}: neither {before} nor {after}");
        now == after
    });
}

/// Waits until a verdict is `wanted`; any other before it fails, but that the feed is not fresh.
#[track_caller]
fn is(wanted: &str, ask: impl Fn() -> String) {
    turns(NOT_FRESH, wanted, ask);
}

#[test]
fn what_is_revoked_or_signed_by_a_withdrawn_key_is_refused_and_nothing_else() {
    let site = site();
    let _gate = site.gate_by("");
    site.gate_is_ready();
    let [dead, alive] = ["cards:read"; 2].map(|scope| site.token(scope));
    assert_eq!((site.reads(&dead), site.reads(&alive)), ("200".into(), "200".into()));
    site.revoke(&dead);
    turns("200", "401 revoked", || site.reads(&dead));
    assert_eq!(site.reads(&alive), "200");
    let header: serde_json::Value = serde_json::from_str(&Parts::of(&alive).header).unwrap();
    site.issuer.cli(&["key", "withdraw", header["kid"].as_str().unwrap()]).done();
    turns("200", "401 key_withdrawn", || site.reads(&alive));
    let new = site.token("cards:read");
    turns("401 unknown_key", "200", || site.reads(&new));
}

#[test]
fn while_the_issuer_stands_still_what_may_wait_goes_on_and_what_may_not_is_503() {
    let site = site();
    let _gate = site.gate_by("");
    site.gate_is_ready();
    let token = site.token("cards:read cards:write");
    assert_eq!(site.reads(&token), "200");
    is("200", || site.writes(&token));
    site.issuer.signal("STOP");
    turns("200", NOT_FRESH, || site.writes(&token));
    assert_eq!(site.reads(&token), "200");
    eventually("the gate says so", || site.gate_says().contains("degraded"));
    site.issuer.signal("CONT");
    turns(NOT_FRESH, "200", || site.writes(&token));
    eventually("the gate is ready again", || !site.gate_says().contains("degraded"));
    site.revoke(&token);
    turns("200", "401 revoked", || site.writes(&token));
}

#[test]
fn an_issuer_away_at_the_start_or_for_longer_than_allowed_is_503_and_all_recovers_by_itself() {
    let mut site = site();
    let [dead, alive] = ["cards:read"; 2].map(|scope| site.token(scope));
    assert_eq!(site.issuer.stop(), 0);
    let _gate = site.gate_by("feed_stale_for_s = 1\ntimeout_s = 1");
    assert_eq!(site.reads(&alive), "503 keys_unavailable");
    assert!(site.gate_says().starts_with("503"));
    site.issuer.start();
    site.gate_is_ready();
    is("200", || site.reads(&alive));
    site.revoke(&dead);
    turns("200", "401 revoked", || site.reads(&dead));
    site.issuer.kill();
    turns("200", NOT_FRESH, || site.reads(&alive));
    eventually("the gate says so", || site.gate_says().starts_with("503"));
    site.issuer.start();
    site.gate_is_ready();
    is("401 revoked", || site.reads(&dead));
    is("200", || site.reads(&alive));
}
