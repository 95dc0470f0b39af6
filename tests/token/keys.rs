//! Key sets, and tokens by every algorithm as an independent library sees them.

use ficha_tests::{claims, verified_by};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use super::world::{LEAN, world};

#[test]
fn a_token_of_every_published_algorithm_is_verified_by_another_library() {
    let world = world();
    let all = "grants = [\"client_credentials\"]\nscopes = { orders = [\"orders:read\"], rs = [\"x\"], ps = [\"x\"], ed = [\"x\"] }";
    let client = world.client("std", all);
    let keys = client.base.get("/.well-known/jwks.json");
    for (api, algorithm) in [("orders", "ES256"), ("rs", "RS256"), ("ps", "PS256"), ("ed", "EdDSA")] {
        let audience = format!("https://{api}.example");
        let token = client.token(&[("audience", &audience)]).expect(200).access_token();
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(format!("{:?}", header.alg), algorithm);
        assert_eq!(verified_by(&keys, &token, &audience), Some(claims(&token)), "{algorithm}");
        assert_eq!(verified_by(&keys, &token, "https://other.example"), None, "{algorithm}");
        let altered = token.replace("eyJ", "eyK");
        assert!(jsonwebtoken::decode_header(&altered).is_err() || verified_by(&keys, &altered, &audience).is_none());
    }
}

#[test]
fn the_set_holds_public_keys_alone_each_with_its_use() {
    let world = world();
    let answer = world.base("std").get("/.well-known/jwks.json").expect(200);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let set = answer.json();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 4, "one for each algorithm but HS256: {set}");
    let mut kids = std::collections::BTreeSet::new();
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{key}");
        }
        assert_eq!(key["use"], "sig", "{key}");
        assert!(["ES256", "RS256", "PS256", "EdDSA"].contains(&key["alg"].as_str().unwrap()), "{key}");
        assert!(kids.insert(key["kid"].as_str().unwrap().to_owned()), "{key}");
    }
}

#[test]
fn leancores_set_is_empty_and_its_secret_verifies_its_tokens() {
    let world = world();
    assert_eq!(world.base("lean").get("/.well-known/jwks.json").expect(200).text(), r#"{"keys":[]}"#);
    let token = world.client("lean", LEAN).token(&[]).expect(200).access_token();
    let secret = super::not_before::exported(&world, "lean", "core");
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_audience(&["https://core.example"]);
    let key = DecodingKey::from_secret(&secret);
    let read = jsonwebtoken::decode::<serde_json::Value>(&token, &key, &rules).unwrap();
    assert_eq!(read.claims, claims(&token));
    let other = DecodingKey::from_secret(&[7; 32]);
    assert!(jsonwebtoken::decode::<serde_json::Value>(&token, &other, &rules).is_err());
}

#[test]
fn a_set_may_be_read_by_head_and_by_nobody_else() {
    let world = world();
    let head = world.base("std").call("HEAD", "/.well-known/jwks.json").send().expect(200);
    assert!(head.body.is_empty() && head.header("content-type") == Some("application/json"));
    let wrong = world.base("std").call("POST", "/.well-known/jwks.json").send().expect(405);
    assert_eq!(wrong.header("allow"), Some("GET, HEAD"));
}
