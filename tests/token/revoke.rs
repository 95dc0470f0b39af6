//! Revocation: RFC 7009, and Pomelo's own way.

use ficha_tests::claims;

use super::world::{CASES, DEYEL, LEAN, POMELO, STD, world};

#[test]
fn a_revoked_token_is_refused_at_once() {
    let world = world();
    let client = world.client("std", STD);
    for _ in 0..20 {
        let token = client.token(&[]).expect(200).access_token();
        assert!(world.is_active(("std", "orders"), &token));
        assert_eq!(client.revoke(&token).expect(200).text(), "{}");
        assert!(!world.is_active(("std", "orders"), &token));
    }
}

#[test]
fn a_token_that_was_never_introspected_is_revoked_too() {
    let world = world();
    let client = world.client("std", STD);
    let token = client.token(&[]).expect(200).access_token();
    client.revoke(&token).expect(200);
    client.revoke(&token).expect(200);
    assert!(!world.is_active(("std", "orders"), &token));
}

#[test]
fn a_client_revokes_only_its_own_and_another_token_is_200_with_nothing_done() {
    let world = world();
    let (client, other) = (world.client("std", STD), world.client("std", STD));
    let token = client.token(&[]).expect(200).access_token();
    other.revoke(&token).expect(200);
    assert!(world.is_active(("std", "orders"), &token));
    let stranger = world.client("lean", LEAN);
    stranger.revoke(&token).expect(200);
    assert!(world.is_active(("std", "orders"), &token));
    for nothing in ["nonsense", "a.b.c", "frt_AAAA", &format!("{token}x")] {
        client.revoke(nothing).expect(200);
    }
    assert!(world.is_active(("std", "orders"), &token));
}

#[test]
fn the_hint_never_decides() {
    let world = world();
    let client = world.client("lean", LEAN);
    for hint in ["access_token", "refresh_token", "nonsense"] {
        let answer = client.token(&[]).expect(200);
        let revoke = |token: &str| {
            let call = client.base.post("/oauth/revoke").basic(&client.id, &client.secret);
            call.form(&[("token", token), ("token_type_hint", hint)]).send().expect(200)
        };
        revoke(&answer.access_token());
        assert!(!world.is_active(("lean", "core"), &answer.access_token()), "{hint}");
        client.refresh(&answer.refresh_token()).expect(200);
        revoke(&answer.refresh_token());
        assert_eq!(client.refresh(&answer.refresh_token()).verdict(), "400 invalid_grant", "{hint}");
    }
}

#[test]
fn revoking_a_refresh_token_revokes_its_family() {
    let world = world();
    let client = world.client("lean", LEAN);
    // An unused one, and one that was used.
    for uses in 0..2 {
        let first = client.token(&[]).expect(200);
        let mut answers = vec![first];
        for _ in 0..uses {
            answers.push(client.refresh(&answers.last().unwrap().refresh_token()).expect(200));
        }
        client.revoke(&answers.last().unwrap().refresh_token()).expect(200);
        for answer in &answers {
            assert!(!world.is_active(("lean", "core"), &answer.access_token()));
            assert_eq!(client.refresh(&answer.refresh_token()).verdict(), "400 invalid_grant");
        }
    }
}

#[test]
fn revoking_deyels_refresh_token_ends_it_and_its_access_tokens() {
    let world = world();
    let client = world.client("deyel", DEYEL);
    let (name, password) = world.user("deyel", CASES);
    let first = client.login((&name, &password)).expect(200);
    let second = client.refresh(&first.refresh_token()).expect(200);
    client.revoke(&first.refresh_token()).expect(200);
    client.refresh(&first.refresh_token()).expect(401);
    for token in [first.access_token(), second.access_token()] {
        assert!(!world.is_active(("deyel", "rest"), &token));
    }
    client.login((&name, &password)).expect(200);
}

#[test]
fn pomelos_revocation_ends_every_token_at_the_api_and_the_next_request_gets_a_new_one() {
    let world = world();
    let client = world.client("pomelo", POMELO);
    let cards = "https://cards.example";
    let narrow = || {
        let body = serde_json::json!({ "client_id": client.id, "client_secret": client.secret, "audience": cards,
            "grant_type": "client_credentials", "scope": "arg:cards:get-card" });
        client.base.post("/oauth/token").json(&body).send().expect(200).access_token()
    };
    let ask = |audience: &str| client.pomelo("/oauth/token", audience).expect(200).access_token();
    let (all, less, elsewhere) = (ask(cards), narrow(), ask("https://brief.example"));
    let done = client.pomelo("/oauth/token/revoke", cards).expect(200);
    assert_eq!(done.text(), r#"{"status":"Success"}"#);
    for old in [&all, &less] {
        assert!(!world.is_active(("pomelo", "cards"), old));
    }
    assert!(world.is_active(("pomelo", "brief"), &elsewhere));
    let (new, new_less) = (ask(cards), narrow());
    assert!(new != all && new_less != less);
    assert!(claims(&new)["iat"].as_i64() > claims(&all)["iat"].as_i64());
    for token in [&new, &new_less] {
        assert!(world.is_active(("pomelo", "cards"), token));
    }
    assert_eq!(ask(cards), new);
    assert!(world.is_active(("pomelo", "brief"), &elsewhere));
}

#[test]
fn pomelos_revocation_with_nothing_to_revoke_is_a_success() {
    let world = world();
    let client = world.client("pomelo", POMELO);
    let ask = || client.pomelo("/oauth/token/revoke", "https://cards.example");
    assert_eq!(ask().expect(200).text(), r#"{"status":"Success"}"#);
    assert_eq!(ask().expect(200).text(), r#"{"status":"Success"}"#);
}

#[test]
fn revocations_stand_after_a_restart() {
    let mut world = super::world::World::with(ficha_tests::Config::new());
    let client = world.client("std", STD);
    let (gone, stays) = (client.token(&[]).access_token(), client.token(&[]).access_token());
    client.revoke(&gone).expect(200);
    world.server.restart();
    assert!(!world.is_active(("std", "orders"), &gone));
    assert!(world.is_active(("std", "orders"), &stays));
}

#[test]
fn beyond_their_bound_the_oldest_revocations_become_a_mark_and_none_is_lost() {
    let world = super::world::World::with(ficha_tests::Config::new());
    let text = world.issuer("std").replace("dialect =", "max_revocations_per_client = 3\ndialect =");
    world.server.apply(&text);
    let (id, secret) = (world.name("app"), ficha_tests::secrets::fresh("a client's secret"));
    let sha = ficha_tests::secrets::sha256(&secret);
    world.server.apply(&format!("{text}[[issuer.client]]\nid = \"{id}\"\nsecrets = [\"sha256:{sha}\"]\n{STD}\n"));
    let client = super::world::Client { base: world.base("std"), id, secret };
    let gone: Vec<_> = (0..6).map(|_| client.token(&[]).expect(200).access_token()).collect();
    let last = claims(gone.last().unwrap())["iat"].as_i64().unwrap();
    let later = ficha_tests::wait_for("another second", || {
        let token = client.token(&[]).expect(200).access_token();
        (claims(&token)["iat"].as_i64().unwrap() > last).then_some(token)
    });
    for token in &gone {
        client.revoke(token).expect(200);
        assert!(!world.is_active(("std", "orders"), token));
    }
    assert!(gone.iter().all(|token| !world.is_active(("std", "orders"), token)));
    assert!(world.is_active(("std", "orders"), &later), "just far enough to get below the bound");
    assert!(world.count("revocations") <= 3);
    assert!(world.server.said("err").contains("max_revocations_per_client"), "with a warning");
}
