//! The grant `client_credentials`: whole tokens, in every dialect that has it.

use ficha_tests::{Config, Parts, claims, verified_by};
use serde_json::Value;

use super::world::{LEAN, POMELO, STD, World, what_is_left, world};

/// The claims as they stand in the token, with names for what is random.
fn redacted(token: &str) -> (String, String) {
    let Parts { header, mut claims } = Parts::of(token);
    let parsed: Value = serde_json::from_str(&claims).unwrap();
    for member in ["jti", "iat", "exp"] {
        claims = claims.replace(&format!("\"{member}\":{}", parsed[member]), &format!("\"{member}\":_"));
    }
    (header, claims)
}

#[test]
fn a_token_of_leancore_says_exactly_what_it_should() {
    let world = world();
    let client = world.client("lean", LEAN);
    let answer = client.token(&[]).expect(200);
    let token = answer.access_token();
    assert_eq!(
        answer.text(),
        format!(
            r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600,"refresh_token":"{}"}}"#,
            answer.refresh_token()
        )
    );
    let (header, text) = redacted(&token);
    assert_eq!(header, r#"{"alg":"HS256","typ":"JWT"}"#);
    assert_eq!(
        text,
        format!(
            r#"{{"iss":"{}","sub":"{id}","aud":"https://core.example","client_id":"{id}","iat":_,"exp":_,"jti":_,"scope":"loans:read loans:write"}}"#,
            client.base.url(),
            id = client.id
        )
    );
    let claims = claims(&token);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
}

#[test]
fn a_token_of_pomelo_says_exactly_what_it_should() {
    let world = world();
    let client = world.client("pomelo", POMELO);
    let (answer, _) = what_is_left(|| client.pomelo("/oauth/token", "https://cards.example").expect(200));
    let (token, left) = (answer.access_token(), answer.json()["expires_in"].clone());
    assert_eq!(
        answer.text(),
        format!(
            r#"{{"access_token":"{token}","scope":"arg:cards:get-card arg:cards:create-card","expires_in":{left},"token_type":"Bearer"}}"#
        )
    );
    let (header, text) = redacted(&token);
    let kid = serde_json::from_str::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned();
    assert_eq!(kid.len(), 21);
    assert!(kid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{kid}");
    assert_eq!(header, format!(r#"{{"alg":"RS256","typ":"JWT","kid":"{kid}"}}"#));
    assert_eq!(
        text,
        format!(
            r#"{{"https://pomelo.la/client_id":"0000000000000000000000000000000000000000000000000000000000000000","iss":"{}","sub":"{id}@clients","aud":"https://cards.example","iat":_,"exp":_,"azp":"{id}","scope":"arg:cards:get-card arg:cards:create-card","gty":"client-credentials","jti":_}}"#,
            client.base.url(),
            id = client.id
        )
    );
    let claims = claims(&token);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 86_400);
    let keys = client.base.get("/.well-known/jwks.json");
    assert_eq!(verified_by(&keys, &token, "https://cards.example"), Some(claims));
    assert_eq!(verified_by(&keys, &token, "https://other.example"), None);
}

#[test]
fn a_token_of_the_standard_dialect_says_exactly_what_it_should() {
    let world = world();
    let client = world.client("std", STD);
    let answer = client.token(&[]).expect(200);
    let token = answer.access_token();
    assert_eq!(
        answer.text(),
        format!(
            r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600,"scope":"orders:read orders:write"}}"#
        )
    );
    let (header, text) = redacted(&token);
    let kid = serde_json::from_str::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned();
    assert_eq!(header, format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}"}}"#));
    assert_eq!(
        text,
        format!(
            r#"{{"iss":"{}","exp":_,"aud":"https://orders.example","sub":"{id}","client_id":"{id}","iat":_,"jti":_,"scope":"orders:read orders:write"}}"#,
            client.base.url(),
            id = client.id
        )
    );
    let keys = client.base.get("/.well-known/jwks.json");
    assert_eq!(verified_by(&keys, &token, "https://orders.example"), Some(claims(&token)));
}

#[test]
fn every_fresh_token_is_another_one() {
    let world = world();
    let client = world.client("std", STD);
    let tokens = [(); 3].map(|()| claims(&client.token(&[]).access_token())["jti"].clone());
    assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2] && tokens[0] != tokens[2]);
}

#[test]
fn a_client_that_may_not_use_the_grant_is_told_so() {
    let world = world();
    let client = world.client("lean", "grants = [\"refresh_token\"]\nscopes = { core = [\"loans:read\"] }");
    assert_eq!(client.token(&[]).verdict(), "400 unauthorized_client");
}

#[test]
fn a_client_without_the_refresh_grant_gets_no_refresh_token() {
    let world = world();
    let client = world.client("lean", "grants = [\"client_credentials\"]\nscopes = { core = [\"loans:read\"] }");
    let answer = client.token(&[]).expect(200);
    assert!(answer.json().get("refresh_token").is_none(), "{}", answer.text());
}

#[test]
fn issuing_writes_nothing() {
    let world = World::with(Config::new());
    let (std, lean) = (world.client("std", STD), world.client("lean", LEAN));
    let tables = ["families", "live_tokens", "revocations", "marks", "changes", "audit"];
    let before = tables.map(|table| world.count(table));
    for _ in 0..50 {
        std.token(&[]).expect(200);
        lean.token(&[]).expect(200);
    }
    assert_eq!(tables.map(|table| world.count(table)), before, "tables are never bounded by traffic");
    let refresh = lean.token(&[]).expect(200).refresh_token();
    let mut last = refresh;
    for _ in 0..10 {
        last = lean.refresh(&last).expect(200).refresh_token();
    }
    assert_eq!(world.count("families"), 1, "a family is one row however often it is used");
}
