//! The log: one line per request, and of an issued token who got what.

use ficha_tests::{Config, claims};
use serde_json::Value;

use super::world::{CASES, DEYEL, LEAN, POMELO, STD, World};

/// Who says that the store is away.
const STORE_IS_AWAY: [&str; 2] = ["ficha::upkeep", "ficha_core::feed::away"];

/// The lines of a server that was stopped, so that all are written.
fn lines(world: &mut World) -> Vec<Value> {
    assert_eq!(world.server.stop(), 0);
    world
        .server
        .said("err")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

#[test]
fn issuing_is_one_line_that_says_who_got_what_by_which_secret() {
    let mut world = World::with(Config::new());
    let (std, deyel, pomelo) = (world.client("std", STD), world.client("deyel", DEYEL), world.client("pomelo", POMELO));
    let (name, password) = world.user("deyel", CASES);
    let fresh = claims(&std.token(&[("scope", "orders:read")]).expect(200).access_token());
    let login = claims(&deyel.login((&name, &password)).expect(200).access_token());
    let live =
        [(); 2].map(|()| claims(&pomelo.pomelo("/oauth/token", "https://cards.example").expect(200).access_token()));
    let lines = lines(&mut world);
    let about = |claims: &Value| {
        let of: Vec<_> = lines.iter().filter(|l| l["jti"] == claims["jti"]).cloned().collect();
        assert!(of.iter().all(|l| l["target"] == "access" && l["level"] == "INFO" && l["status"] == 200), "{of:?}");
        of
    };
    let [one] = &about(&fresh)[..] else { panic!("not one line: {:?}", about(&fresh)) };
    for (field, value) in [
        ("issuer", "std"),
        ("dialect", "standard"),
        ("grant", "client_credentials"),
        ("client.id", std.id.as_str()),
        ("api", "orders"),
        ("scope", "orders:read"),
        ("method", "POST"),
        ("path", "/std/oauth/token"),
    ] {
        assert_eq!(one[field], value, "{field}: {one}");
    }
    let secret = one["secret"].as_str().unwrap();
    assert!(secret.len() == 8 && one["reused"] == false && one["duration_us"].is_u64(), "{one}");
    let [one] = &about(&login)[..] else { panic!("not one line: {:?}", about(&login)) };
    assert_eq!((&one["user"], &one["grant"]), (&login["sub"], &"password".into()), "{one}");
    let reused: Vec<_> = about(&live[0]).iter().map(|l| l["reused"].clone()).collect();
    assert_eq!(reused, [false, true]);
}

#[test]
fn a_refusal_is_one_line_with_the_precise_reason() {
    let mut world = World::with(Config::new());
    let client = world.client("std", STD);
    client.token(&[("scope", "orders:cancel")]).expect(400);
    client.token(&[("audience", "https://nowhere.example")]).expect(400);
    world
        .base("std")
        .post("/oauth/token")
        .basic("nobody", "wrong")
        .form(&[("grant_type", "client_credentials")])
        .send();
    world.base("std").get("/nothing").expect(404);
    let mut lines = lines(&mut world);
    // A database that takes too long, as on a machine that stands still, is nothing that a caller did.
    lines.retain(|l| !STORE_IS_AWAY.iter().any(|target| l["target"] == *target) && l["refusal"] != "unavailable");
    let reasons: Vec<_> = lines.iter().filter_map(|l| l["refusal"].as_str()).collect();
    assert_eq!(reasons, ["scope_not_held", "unknown_api", "client_refused", "not_found"]);
    assert!(!lines.iter().any(|l| l["level"] == "ERROR"), "what a caller does wrong is no error of ours");
}

#[test]
fn a_secret_in_the_wrong_place_is_neither_logged_nor_answered() {
    let world = World::with(Config::new());
    let (std, lean, deyel) = (world.client("std", STD), world.client("lean", LEAN), world.client("deyel", DEYEL));
    let (name, password) = world.user("deyel", CASES);
    let refresh = lean.token(&[]).expect(200).refresh_token();
    let client = |more: &[(&str, &str)]| std.token(more);
    let post = |path: &str| std.base.post(path);
    let cc = [("grant_type", "client_credentials")];
    let answers = [
        // In the URL.
        post(&format!("/oauth/token?client_id={}&client_secret={}", std.id, std.secret)).form(&cc).send(),
        post(&format!("/oauth/introspect?token={refresh}")).basic(&std.id, &std.secret).form(&cc).send(),
        // Name and secret exchanged.
        post("/oauth/token").basic(&std.secret, &std.id).form(&cc).send(),
        post("/oauth/token").form(&[cc[0], ("client_id", &std.secret), ("client_secret", &std.id)]).send(),
        deyel.login((&password, &name)),
        // In another parameter.
        client(&[("scope", &std.secret)]),
        client(&[("audience", &std.secret)]),
        client(&[("resource", &std.secret)]),
        std.ask(&[("grant_type", &std.secret)]),
        lean.ask(&[("grant_type", "refresh_token"), ("refresh_token", "frt_AAAA"), ("scope", &refresh)]),
        // Not encoded as it should be.
        post("/oauth/token").header("Authorization", &format!("Basic {}:{}", std.id, std.secret)).form(&cc).send(),
        post("/oauth/token").header("Authorization", &format!("Bearer {}", std.secret)).form(&cc).send(),
        post("/oauth/token").json(&serde_json::json!({ "client_secret": std.secret })).send(),
        // A token where another kind is meant.
        std.revoke(&std.secret),
        world.introspect(("std", "orders"), &refresh),
    ];
    for answer in answers {
        assert!(!answer.text().contains(&refresh) && !answer.text().contains(&password), "{}", answer.whole());
        let scope_may_be_named = answer.verdict() == "400 invalid_scope";
        assert!(scope_may_be_named || !answer.text().contains(&std.secret), "{}", answer.whole());
    }
    // The end of the server searches its log for all of them.
}
