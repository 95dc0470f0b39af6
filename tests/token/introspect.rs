//! Introspection (RFC 7662).

use ficha_tests::claims;

use super::world::{CASES, DEYEL, LEAN, POMELO, STD, world};

#[test]
fn an_api_learns_what_the_token_says() {
    let world = world();
    let client = world.client("std", STD);
    let token = client.token(&[]).expect(200).access_token();
    let said = claims(&token);
    let answer = world.introspect(("std", "orders"), &token);
    assert_eq!(
        answer.text(),
        format!(
            r#"{{"active":true,"scope":"orders:read orders:write","client_id":"{id}","token_type":"Bearer","exp":{},"iat":{},"sub":"{id}","aud":"https://orders.example","iss":"{}","jti":{}}}"#,
            said["exp"],
            said["iat"],
            client.base.url(),
            said["jti"],
            id = client.id
        )
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn a_users_token_names_the_user() {
    let world = world();
    let client = world.client("deyel", DEYEL);
    let (name, password) = world.user("deyel", CASES);
    let token = client.login((&name, &password)).expect(200).access_token();
    let answer = world.introspect(("deyel", "rest"), &token).json();
    assert_eq!((&answer["username"], &answer["sub"]), (&name.as_str().into(), &claims(&token)["sub"]));
}

#[test]
fn an_api_sees_only_tokens_of_its_own_audience() {
    let world = world();
    let client = world.client("std", STD);
    let token = client.token(&[]).expect(200).access_token();
    let answer = world.introspect(("std", "reports"), &token);
    assert_eq!(answer.text(), r#"{"active":false}"#);
    assert!(world.is_active(("std", "orders"), &token), "and its own is not spoilt by that");
    assert_eq!(world.introspect(("std", "reports"), &token).text(), r#"{"active":false}"#);
}

#[test]
fn everything_else_is_inactive_and_nothing_more_is_said() {
    let world = world();
    let client = world.client("lean", LEAN);
    let answer = client.token(&[]).expect(200);
    let (access, refresh) = (answer.access_token(), answer.refresh_token());
    let (head, signature) = access.rsplit_once('.').unwrap();
    let altered = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", head.split('.').nth(1).unwrap());
    let elsewhere = world.client("std", STD).token(&[]).expect(200).access_token();
    for token in [refresh.as_str(), &altered, &unsigned, &elsewhere, "nonsense", "a.b.c", " ", "\u{f1}"] {
        assert_eq!(world.introspect(("lean", "core"), token).text(), r#"{"active":false}"#, "{token}");
    }
    let deyel = world.client("deyel", DEYEL);
    let (name, password) = world.user("deyel", CASES);
    let kept = deyel.login((&name, &password)).expect(200).refresh_token();
    assert_eq!(world.introspect(("deyel", "rest"), &kept).text(), r#"{"active":false}"#);
}

#[test]
fn an_api_proves_itself_first() {
    let world = world();
    let token = world.client("std", STD).token(&[]).expect(200).access_token();
    let ask = |id: &str, secret: &str| {
        world.base("std").post("/oauth/introspect").basic(id, secret).form(&[("token", &token)]).send()
    };
    assert_eq!(ask("orders", "wrong").verdict(), "401 invalid_client");
    assert_eq!(ask("nobody", &world.api_secret("orders")).verdict(), "401 invalid_client");
    assert_eq!(ask("reports", &world.api_secret("orders")).verdict(), "401 invalid_client");
    let client = world.client("std", STD);
    assert_eq!(ask(&client.id, &client.secret).verdict(), "401 invalid_client", "a client is no API");
    let nobody = world.base("std").post("/oauth/introspect").form(&[("token", &token)]).send().expect(401);
    assert!(nobody.header("www-authenticate").unwrap().starts_with("Basic "));
    let in_body = world.base("std").post("/oauth/introspect");
    let in_body =
        in_body.form(&[("token", &token), ("client_id", "orders"), ("client_secret", &world.api_secret("orders"))]);
    assert_eq!(in_body.send().expect(200).json()["active"], true);
}

#[test]
fn a_token_is_inactive_once_its_client_is_disabled() {
    let world = world();
    let client = world.client("pomelo", POMELO);
    let token = client.pomelo("/oauth/token", "https://cards.example").expect(200).access_token();
    assert!(world.is_active(("pomelo", "cards"), &token));
    let disabled = format!("{POMELO}\nstatus = \"disabled\"");
    world.declare_client("pomelo", (&client.id, &[(&client.secret, false)]), &disabled);
    assert!(!world.is_active(("pomelo", "cards"), &token));
    let enabled = format!("{POMELO}\nstatus = \"enabled\"");
    world.declare_client("pomelo", (&client.id, &[(&client.secret, false)]), &enabled);
    assert!(!world.is_active(("pomelo", "cards"), &token), "enabling does not undo it");
}

#[test]
fn a_request_that_is_not_of_its_grammar_says_what_is_wrong() {
    let world = world();
    let secret = world.api_secret("orders");
    let call = || world.base("std").post("/oauth/introspect").basic("orders", &secret);
    assert_eq!(call().form(&[("token", "")]).send().verdict(), "400 invalid_request");
    assert_eq!(call().form(&[("token", "a"), ("token", "b")]).send().verdict(), "400 invalid_request");
    assert_eq!(call().json(&serde_json::json!({ "token": "a" })).send().status, 415);
    assert_eq!(world.base("std").get("/oauth/introspect").expect(405).header("allow"), Some("POST"));
}
