//! The issuer goes away, and its keys change meanwhile. Nothing that can't be checked passes, and none of it is said to be
//! the token's fault.

use serde_json::json;

use crate::site::{Key, Question, Site};

#[tokio::test]
async fn an_issuer_that_is_away_at_the_start_is_503_until_it_comes() {
    let site = Site::new().await;
    site.issuer.goes_away(true);
    let answer = site.card(&site.token("cards:read")).await;
    assert_eq!((answer.verdict().as_str(), answer.header("retry-after")), ("503 keys_unavailable", Some("5")));
    assert!(!site.is_ready().await);
    // What needs no token, and who has none, is answered as ever.
    assert_eq!(site.ask(&Question::of("GET", "/health")).await.verdict(), "200");
    assert_eq!(site.ask(&Question::of("GET", "/cards/7")).await.verdict(), "401 no_token");
    site.issuer.goes_away(false);
    site.advance(2);
    assert_eq!(site.card(&site.token("cards:read")).await.verdict(), "200");
    assert!(site.is_ready().await);
}

#[tokio::test]
async fn an_issuer_that_goes_away_later_is_not_missed_until_its_keys_are_too_old() {
    let site = Site::new().await;
    let token = site.token("cards:read");
    assert_eq!(site.card(&token).await.verdict(), "200");
    site.issuer.goes_away(true);
    // The life of a set whose answer says none is 5 minutes, and 10 more it is kept here.
    for _ in 0..2 {
        site.advance(290);
        assert_eq!(site.card(&token).await.verdict(), "200");
        assert!(site.is_ready().await);
    }
    site.advance(330);
    assert_eq!(site.card(&token).await.verdict(), "503 keys_unavailable");
    assert!(!site.is_ready().await);
    assert_eq!(site.card("x.y.z").await.verdict(), "401 malformed_token");
    site.issuer.goes_away(false);
    site.advance(60);
    assert_eq!(site.card(&token).await.verdict(), "200");
}

#[tokio::test]
async fn a_key_that_is_new_while_the_issuer_is_away_is_503_and_known_when_it_is_back() {
    let site = Site::new().await;
    let old = site.token("cards:read");
    assert_eq!(site.card(&old).await.verdict(), "200");
    let second = Key::new("two");
    site.issuer.publish(&[&second]);
    site.issuer.goes_away(true);
    let new = second.token(&site.issuer.url, "cards:read");
    assert_eq!(site.card(&new).await.verdict(), "503 keys_unavailable");
    assert_eq!(site.card(&old).await.verdict(), "200", "the old key counts until the set is read again");
    site.issuer.goes_away(false);
    site.advance(60);
    assert_eq!(site.card(&new).await.verdict(), "200");
    assert_eq!(site.card(&old).await.verdict(), "401 unknown_key", "the old key is out of the set");
}

#[tokio::test]
async fn a_token_that_is_asked_about_is_refused_as_soon_as_the_issuer_says_so() {
    let means = "introspection_url = \"{ISSUER}/introspect\"\napi_name = \"cards\"\nsecret_file = \"api.secret\"";
    let site = Site::with(means).await;
    let aud = crate::site::AUDIENCE;
    let active = json!({"active": true, "iss": site.issuer.url, "aud": aud, "scope": "cards:read", "client_id": "app"});
    site.issuer.says(active);
    let answer = site.card("opaque").await;
    assert_eq!((answer.verdict().as_str(), answer.caller()), ("200", ["app", "cards:read", ""]));
    site.issuer.says(json!({"active": false}));
    assert_eq!(site.card("opaque").await.verdict(), "401 inactive");
    site.issuer.goes_away(true);
    assert_eq!(site.card("opaque").await.verdict(), "503 introspection_unavailable");
}
