//! Keys are fetched once and ahead of time, kept while the issuer is away, and nobody can make us flood it.

use std::time::Duration;

use axum::Router;
use ficha_verify::{Rejection, Seconds, Verifier};
use futures_util::future::join_all;
use serde_json::json;

use crate::{
    issuer::{AUDIENCE, Issuer, Mood, PATIENCE, TestClock, app},
    vouch::{claims, set, token},
};

/// An issuer with the key `k`, a verifier that waits for it for ever, and a token of an hour.
async fn started() -> (Issuer, Verifier, String) {
    let issuer = Issuer::start(set(&["k"])).await;
    let verifier = issuer.builder().jwks_url(&format!("{}/jwks", issuer.url)).build().unwrap();
    let token = token("k", &claims(&issuer.url));
    (issuer, verifier, token)
}

/// Waits until `done`; a background refresh has no other sign.
async fn until(done: impl AsyncFn() -> bool) {
    let waiting = async {
        while !done().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it is done at some time");
}

#[tokio::test]
async fn keys_are_fetched_once_however_many_ask() {
    let (issuer, verifier, token) = started().await;
    let all = join_all((0..100).map(|_| verifier.verify(&token))).await;
    assert!(all.iter().all(Result::is_ok));
    issuer.clock.advance(239);
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(issuer.key_sets(), 1);
}

#[tokio::test]
async fn ready_fetches_before_the_first_token() {
    let (issuer, verifier, token) = started().await;
    verifier.ready().await.unwrap();
    issuer.mood(Mood::Broken);
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(issuer.key_sets(), 1);
}

#[tokio::test]
async fn keys_are_fetched_again_ahead_of_time_and_nobody_waits_for_it() {
    let (issuer, verifier, token) = started().await;
    verifier.ready().await.unwrap();
    // The issuer hangs: who waited for it would not come back.
    issuer.mood(Mood::Silent);
    issuer.clock.advance(240);
    for _ in 0..100 {
        until(async || verifier.verify(&token).await.is_ok()).await;
    }
    until(async || issuer.key_sets() == 2).await;
}

#[tokio::test]
async fn a_set_fetched_ahead_of_time_replaces_the_old_one() {
    let (issuer, verifier, old) = started().await;
    let new = token("new", &claims(&issuer.url));
    verifier.ready().await.unwrap();
    issuer.publish(set(&["new"]));
    issuer.clock.advance(240);
    // The set before is still good, and makes the new one come; the token of the key withdrawn passes until then.
    until(async || verifier.verify(&old).await.is_err()).await;
    assert_eq!(verifier.verify(&old).await.unwrap_err(), Rejection::UnknownKey);
    assert!(verifier.verify(&new).await.is_ok());
}

#[tokio::test]
async fn a_withdrawn_key_is_not_trusted_after_the_life_of_its_set() {
    let (issuer, verifier, token) = started().await;
    verifier.ready().await.unwrap();
    issuer.publish(set(&["other"]));
    issuer.clock.advance(300);
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::UnknownKey);
    assert_eq!(issuer.key_sets(), 2);
}

#[tokio::test]
async fn the_life_of_a_set_has_bounds() {
    for (says, fresh_until) in [("max-age=1", 47), ("no-store", 47), ("max-age=999999", 2879), ("private", 239)] {
        let (issuer, verifier, _) = started().await;
        issuer.cache_control(says);
        verifier.ready().await.unwrap();
        issuer.clock.advance(fresh_until);
        verifier.ready().await.unwrap();
        assert_eq!(issuer.key_sets(), 1, "{says}");
        issuer.clock.advance(1);
        verifier.ready().await.unwrap();
        until(async || issuer.key_sets() == 2).await;
    }
}

#[tokio::test]
async fn keys_are_kept_for_an_hour_beyond_their_life_while_the_issuer_is_away() {
    let (issuer, verifier, _) = started().await;
    let token = token("k", &crate::vouch::with(claims(&issuer.url), &json!({"exp": issuer.clock.now() + 86_400})));
    verifier.ready().await.unwrap();
    issuer.mood(Mood::Broken);
    issuer.clock.advance(300 + 3599);
    assert!(verifier.verify(&token).await.is_ok());
    issuer.clock.advance(1);
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::KeysUnavailable);
    issuer.mood(Mood::Well);
    issuer.clock.advance(30);
    assert!(verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn they_are_kept_as_long_as_is_said() {
    let issuer = Issuer::start(set(&["k"])).await;
    let builder = issuer.builder().jwks_url(&format!("{}/jwks", issuer.url));
    let verifier = builder.keys_kept_for(Seconds(0)).build().unwrap();
    let token = token("k", &claims(&issuer.url));
    verifier.ready().await.unwrap();
    issuer.mood(Mood::Broken);
    issuer.clock.advance(299);
    assert!(verifier.verify(&token).await.is_ok());
    issuer.clock.advance(1);
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::KeysUnavailable);
}

#[tokio::test]
async fn an_issuer_known_to_be_away_is_waited_for_by_nobody() {
    let (issuer, verifier, token) = started().await;
    verifier.ready().await.unwrap();
    issuer.mood(Mood::Broken);
    issuer.clock.advance(300);
    assert!(verifier.verify(&token).await.is_ok());
    issuer.mood(Mood::Silent);
    issuer.clock.advance(30);
    until(async || verifier.verify(&token).await.is_ok()).await;
    until(async || issuer.key_sets() == 3).await;
}

#[tokio::test]
async fn an_unknown_kid_asks_once_per_interval_however_many_arrive() {
    let (issuer, verifier, _) = started().await;
    verifier.ready().await.unwrap();
    let unknown: Vec<String> = (0..500).map(|n| token(&format!("made-up-{n}"), &claims(&issuer.url))).collect();
    for round in 1..=3 {
        let all = join_all(unknown.iter().map(|token| verifier.verify(token))).await;
        assert!(all.into_iter().all(|verdict| verdict.unwrap_err() == Rejection::UnknownKey));
        issuer.clock.advance(29);
        assert_eq!(verifier.verify(&unknown[0]).await.unwrap_err(), Rejection::UnknownKey);
        assert_eq!(issuer.key_sets(), 1 + round);
        issuer.clock.advance(1);
    }
}

#[tokio::test]
async fn an_unknown_kid_at_the_very_start_asks_once() {
    let (issuer, verifier, _) = started().await;
    let unknown = token("made-up", &claims(&issuer.url));
    assert_eq!(verifier.verify(&unknown).await.unwrap_err(), Rejection::UnknownKey);
    assert_eq!(issuer.key_sets(), 1);
}

#[tokio::test]
async fn a_key_that_is_new_passes_with_its_first_token() {
    let (issuer, verifier, token_of_old) = started().await;
    verifier.ready().await.unwrap();
    issuer.publish(set(&["k", "new"]));
    let new = token("new", &claims(&issuer.url));
    let all = join_all((0..100).map(|_| verifier.verify(&new))).await;
    assert!(all.iter().all(Result::is_ok));
    assert!(verifier.verify(&token_of_old).await.is_ok());
    assert_eq!(issuer.key_sets(), 2);
}

#[tokio::test]
async fn a_kid_that_can_not_be_looked_up_is_our_fault() {
    let (issuer, verifier, _) = started().await;
    verifier.ready().await.unwrap();
    issuer.mood(Mood::Broken);
    let unknown = token("new", &claims(&issuer.url));
    for _ in 0..10 {
        assert_eq!(verifier.verify(&unknown).await.unwrap_err(), Rejection::KeysUnavailable);
    }
    assert_eq!(issuer.key_sets(), 2);
}

#[tokio::test]
async fn a_token_of_an_algorithm_not_allowed_asks_nobody() {
    let (issuer, verifier, _) = started().await;
    let header = json!({"alg": "HS256", "kid": "x"});
    let token = crate::vouch::signed(&header, &claims(&issuer.url), crate::vouch::key(ficha_verify::Algorithm::Hs256));
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::AlgorithmNotAllowed);
    assert_eq!(issuer.key_sets(), 0);
}

#[tokio::test]
async fn an_issuer_that_is_away_at_the_start_is_503_and_then_recovers() {
    let (address, socket) = Issuer::away();
    let (url, clock) = (format!("http://{address}"), TestClock::at_noon());
    let verifier = Verifier::builder(&url, AUDIENCE).clock(clock.reading()).jwks_url(&format!("{url}/jwks"));
    let verifier = verifier.timeout(PATIENCE).build().unwrap();
    let token = token("k", &claims(&url));
    let refused = verifier.verify(&token).await.unwrap_err();
    assert_eq!((refused.code(), refused.status().as_u16()), ("keys_unavailable", 503));

    let shared = crate::issuer::Shared::new(set(&["k"]));
    let (listener, routes): (_, Router) = (socket.listen(16).unwrap(), app(shared));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    // The pause after a first failure is not over.
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::KeysUnavailable);
    clock.advance(1);
    assert!(verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn keys_rotated_while_the_issuer_is_away_are_found_when_it_is_back() {
    let (issuer, verifier, old) = started().await;
    let new = token("new", &claims(&issuer.url));
    verifier.ready().await.unwrap();
    issuer.mood(Mood::Broken);
    issuer.publish(set(&["new"]));
    issuer.clock.advance(600);
    // Nobody knows of the new key yet, and that is not the token's fault.
    assert!(verifier.verify(&old).await.is_ok());
    assert_eq!(verifier.verify(&new).await.unwrap_err(), Rejection::KeysUnavailable);
    issuer.mood(Mood::Well);
    issuer.clock.advance(30);
    until(async || verifier.verify(&new).await.is_ok()).await;
    assert_eq!(verifier.verify(&old).await.unwrap_err(), Rejection::UnknownKey);
}

#[tokio::test]
async fn pauses_grow_while_the_issuer_is_away() {
    let (issuer, verifier, token) = started().await;
    issuer.mood(Mood::Broken);
    for _ in 0..120 {
        for _ in 0..10 {
            assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::KeysUnavailable);
        }
        issuer.clock.advance(1);
    }
    // After 0, 1, 3, 7, 15, 31, 61 and 91 seconds.
    assert_eq!(issuer.key_sets(), 8);
}

#[tokio::test]
async fn what_is_no_key_set_changes_nothing() {
    for mood in [Mood::Moved, Mood::Endless, Mood::Garbled, Mood::Broken] {
        let (issuer, verifier, token) = started().await;
        verifier.ready().await.unwrap();
        issuer.mood(mood);
        issuer.clock.advance(300);
        assert!(verifier.verify(&token).await.is_ok(), "{mood:?}");
        assert_eq!((issuer.key_sets(), issuer.elsewhere()), (2, 0), "{mood:?}");
    }
}

#[tokio::test]
async fn an_issuer_that_never_answers_is_given_up() {
    let issuer = Issuer::start(set(&["k"])).await;
    issuer.mood(Mood::Silent);
    let builder = issuer.builder().jwks_url(&format!("{}/jwks", issuer.url)).timeout(Duration::from_millis(50));
    let verifier = builder.build().unwrap();
    let refused = verifier.verify(&token("k", &claims(&issuer.url))).await.unwrap_err();
    assert_eq!(refused, Rejection::KeysUnavailable);
}

#[tokio::test]
async fn who_asked_first_may_go_away() {
    let (issuer, verifier, token) = started().await;
    let first = verifier.verify(&token);
    // Polled once, it has asked; then it is dropped.
    assert!(futures_util::FutureExt::now_or_never(first).is_none());
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(issuer.key_sets(), 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_no_harm() {
    let (issuer, verifier, token) = started().await;
    verifier.ready().await.unwrap();
    issuer.clock.advance(-20);
    for _ in 0..100 {
        assert!(verifier.verify(&token).await.is_ok());
    }
    until(async || issuer.key_sets() == 2).await;
}

#[tokio::test]
async fn keys_are_found_through_either_metadata() {
    for path in ["/.well-known/oauth-authorization-server/tenant", "/tenant/.well-known/openid-configuration"] {
        let issuer = Issuer::start(set(&["k"])).await;
        let name = format!("{}/tenant", issuer.url);
        let document = json!({"issuer": name, "jwks_uri": format!("{}/jwks", issuer.url)});
        *issuer.state.metadata.lock().unwrap() = Some((path.into(), document));
        let builder = Verifier::builder(&name, AUDIENCE).clock(issuer.clock.reading());
        let verifier = builder.timeout(PATIENCE).build().unwrap();
        assert!(verifier.verify(&token("k", &claims(&name))).await.is_ok(), "{path}");
        let asked = issuer.documents();
        issuer.clock.advance(300);
        assert!(verifier.verify(&token("k", &claims(&name))).await.is_ok(), "{path}");
        // Where the set is was found once.
        assert_eq!((issuer.documents(), issuer.key_sets()), (asked, 2), "{path}");
    }
}

#[tokio::test]
async fn metadata_that_speaks_for_another_issuer_is_refused() {
    let issuer = Issuer::start(set(&["k"])).await;
    let good = json!({"issuer": issuer.url, "jwks_uri": format!("{}/jwks", issuer.url)});
    let path = "/.well-known/oauth-authorization-server";
    for (member, value) in [("issuer", "https://other.example"), ("jwks_uri", "http://other.example/jwks")] {
        let document = crate::vouch::with(good.clone(), &json!({ member: value }));
        *issuer.state.metadata.lock().unwrap() = Some((path.into(), document));
        let verifier = issuer.builder().build().unwrap();
        let refused = verifier.verify(&token("k", &claims(&issuer.url))).await.unwrap_err();
        assert_eq!(refused, Rejection::KeysUnavailable, "{member}");
    }
    assert_eq!(issuer.key_sets(), 0);
}
