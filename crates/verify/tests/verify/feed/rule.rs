//! What holds while the feed can't be followed, or is held back.

use std::time::Duration;

use ficha_verify::{FeedOptions, Rejection, Revocations, Seconds, Verifier};
use serde_json::{Value, json};

use super::{
    following, heard, named,
    server::{Server, stated},
    until,
};
use crate::{issuer::NOON, vouch::with};

fn unavailable(verdict: &Result<ficha_verify::Claims, Rejection>) -> bool {
    matches!(verdict, Err(Rejection::RevocationsUnavailable))
}

#[tokio::test]
async fn without_news_tokens_pass_for_so_long_and_no_longer() {
    let mut server = Server::start().await;
    let verifier = server.follows(Server::options().allow_stale_for(Seconds(60)));
    let connection = server.connection().await;
    connection.say(server.snapshot(5, &json!([{"token": "dead", "until": NOON + 3660}])));
    heard(&verifier, 1).await;
    let (alive, dead) = (named(&server, "alive"), named(&server, "dead"));
    server.pass(3000);
    assert!(verifier.feed_status().unwrap().fresh);
    server.pass(1);
    assert!(!verifier.feed_status().unwrap().fresh);
    server.pass(59_999);
    assert!(verifier.verify(&alive).await.is_ok());
    // What was known is known still.
    assert_eq!(verifier.verify(&dead).await.unwrap_err(), Rejection::Revoked);
    server.pass(1);
    assert!(unavailable(&verifier.verify(&alive).await));
    let refused = verifier.verify(&alive).await.unwrap_err();
    assert_eq!((refused.status().as_u16(), refused.retry_after()), (503, Some(5)));
    assert_eq!(verifier.feed_status().unwrap().since, Duration::from_millis(60_001));
    // Back again, all is as before.
    connection.say(server.heartbeat(5));
    heard(&verifier, 2).await;
    assert!(verifier.verify(&alive).await.is_ok());
    assert_eq!(verifier.verify(&dead).await.unwrap_err(), Rejection::Revoked);
    let status = verifier.feed_status().unwrap();
    assert_eq!((status.fresh, status.since, status.confirmed), (true, Duration::ZERO, Some(Duration::ZERO)));
}

#[tokio::test]
async fn some_scopes_are_refused_at_once() {
    let mut server = Server::start().await;
    let verifier = server.follows(Server::options().refuse_at_once("cards:get other".parse().unwrap()));
    let connection = server.connection().await;
    connection.say(server.snapshot(5, &json!([])));
    heard(&verifier, 1).await;
    let token = named(&server, "alive");
    let fresh = verifier.verify(&token).await.unwrap();
    assert_eq!(fresh.scopes().to_string(), "cards:get users:get");
    server.pass(3001);
    let stale = verifier.verify(&token).await.unwrap();
    let verdict = |needed: &str| stale.require(&needed.parse().unwrap());
    assert_eq!(verdict("users:get"), Ok(()));
    assert_eq!(verdict("cards:get"), Err(Rejection::RevocationsUnavailable));
    assert_eq!(verdict("cards:get users:get"), Err(Rejection::RevocationsUnavailable));
    // What the token does not hold is its own fault still.
    assert!(matches!(verdict("other"), Err(Rejection::InsufficientScope(_))));
    assert_eq!(stale.scopes().to_string(), "users:get");
    // Claims that were handed out stay as they were.
    assert_eq!(fresh.scopes().to_string(), "cards:get users:get");
}

#[tokio::test]
async fn a_feed_that_is_held_back_turns_stale() {
    let mut server = Server::start().await;
    let (verifier, connection) = following(&mut server).await;
    let mut held_back = Vec::new();
    for _ in 0..10 {
        server.pass(1000);
        held_back.push(server.heartbeat(5));
    }
    // All arrive, each four seconds after it was said.
    for (events, beat) in (2..).zip(&held_back[..6]) {
        connection.say(beat.clone());
        heard(&verifier, events).await;
    }
    let status = verifier.feed_status().unwrap();
    assert_eq!((status.fresh, status.confirmed), (false, Some(Duration::from_secs(4))));
    // The rest comes in time, and all is known.
    for (events, beat) in (8..).zip(&held_back[6..]) {
        connection.say(beat.clone());
        heard(&verifier, events).await;
    }
    assert!(verifier.feed_status().unwrap().fresh);
}

#[tokio::test]
async fn an_issuer_whose_clock_is_set_back_looks_held_back_for_a_minute_and_is_then_believed() {
    let mut server = Server::start().await;
    let (verifier, connection) = following(&mut server).await;
    // By ten seconds: within what clocks may differ, and more than a stream may be late.
    let beat = |server: &Server| {
        let event = server.event("heartbeat", (5, 5), &json!([]));
        stated(&with(event, &json!({"at": server.at() - 10_000})))
    };
    let fault = |part: &'static str| {
        let verifier = verifier.clone();
        until(move || verifier.feed_status().unwrap().last_fault.is_some_and(|fault| fault.contains(part)))
    };
    server.pass(1000);
    connection.say(beat(&server));
    fault("older than the one before").await;
    let connection = server.connection().await;
    for events in 2..=63 {
        server.pass(1000);
        connection.say(beat(&server));
        heard(&verifier, events).await;
        let status = verifier.feed_status().unwrap();
        // What is known is ten seconds old as far as can be told, two of which are the servers' of the issuer.
        let late = Duration::from_secs(8).min(Duration::from_millis(server.passed.milliseconds().unsigned_abs()));
        assert_eq!((status.fresh, status.confirmed), (late <= Duration::from_secs(3), Some(late)), "{events}");
    }
    server.pass(1000);
    connection.say(beat(&server));
    fault("the issuer's clock was set").await;
    let connection = server.connection().await;
    assert_eq!(connection.header("last-event-id"), Some("5"), "no snapshot is needed");
    let late = beat(&server);
    connection.say(late.clone());
    heard(&verifier, 65).await;
    assert!(verifier.feed_status().unwrap().fresh);
    // From now on by the new time: who holds it back gains nothing.
    server.pass(3001);
    connection.say(late);
    heard(&verifier, 66).await;
    assert!(!verifier.feed_status().unwrap().fresh);
    connection.say(beat(&server));
    heard(&verifier, 67).await;
    assert!(verifier.feed_status().unwrap().fresh);
}

#[tokio::test]
async fn a_clock_20_seconds_off_is_no_fault_and_one_of_31_is() {
    for (off, fits) in [(20, true), (-20, true), (30, true), (31, false), (-31, false), (3600, false)] {
        let mut server = Server::start().await;
        server.clock.advance(off);
        let verifier = server.follows(Server::options());
        let connection = server.connection().await;
        connection.say(server.snapshot(5, &json!([])));
        if fits {
            heard(&verifier, 1).await;
            server.pass(1000);
            connection.say(server.heartbeat(5));
            heard(&verifier, 2).await;
        } else {
            connection.ended().await;
            until(|| verifier.feed_status().unwrap().last_fault.is_some()).await;
            let fault = verifier.feed_status().unwrap().last_fault.unwrap();
            assert!(fault.contains("clocks differ"), "{fault}");
        }
        assert_eq!(verifier.feed_status().unwrap().fresh, fits, "{off}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_away_at_the_start_is_no_other_case() {
    let server = Server::start().await;
    *server.state.refusal.lock().unwrap() = Some(axum::http::StatusCode::SERVICE_UNAVAILABLE);
    let builder =
        |stale| server.builder().keys(crate::vouch::set(&["k"])).follow(Server::options().allow_stale_for(stale));
    let strict = builder(Seconds(0)).build().unwrap();
    let lenient = builder(Seconds(60)).timeout(Duration::from_millis(50)).build().unwrap();
    let token = named(&server, "alive");
    assert!(unavailable(&strict.verify(&token).await));
    assert!(lenient.verify(&token).await.is_ok());
    assert_eq!(lenient.ready().await, Err(Rejection::RevocationsUnavailable));
    server.pass(60_001);
    assert!(unavailable(&lenient.verify(&token).await));
    let status = lenient.feed_status().unwrap();
    assert_eq!((status.place, status.confirmed), (None, None));
}

#[tokio::test]
async fn an_issuer_that_comes_back_is_found_again() {
    let mut server = Server::start().await;
    *server.state.refusal.lock().unwrap() = Some(axum::http::StatusCode::SERVICE_UNAVAILABLE);
    let verifier = server.follows(Server::options().allow_stale_for(Seconds(0)));
    until(|| verifier.feed_status().unwrap().connections > 1).await;
    *server.state.refusal.lock().unwrap() = None;
    let connection = server.connection().await;
    connection.say(server.snapshot(5, &json!([])));
    heard(&verifier, 1).await;
    assert!(verifier.verify(&named(&server, "alive")).await.is_ok());
}

#[tokio::test]
async fn built_outside_of_a_runtime_it_follows_from_the_first_token_on() {
    let mut server = Server::start().await;
    let builder = server.builder().keys(crate::vouch::set(&["k"])).follow(Server::options());
    let verifier = std::thread::spawn(|| builder.build().unwrap()).join().unwrap();
    assert_eq!(verifier.feed_status().unwrap().connections, 0);
    assert!(verifier.verify(&named(&server, "alive")).await.is_ok());
    let connection = server.connection().await;
    connection.say(server.snapshot(5, &json!([])));
    heard(&verifier, 1).await;
}

#[tokio::test]
async fn more_than_there_is_room_for_turns_it_stale() {
    let mut server = Server::start().await;
    let builder = server.builder().keys(crate::vouch::set(&["k"])).revocations(Revocations::with_room_for(3));
    let verifier = builder.follow(Server::options()).build().unwrap();
    let connection = server.connection().await;
    let entries: Vec<Value> = (0..4).map(|n| json!({"token": n.to_string(), "until": NOON + 3660})).collect();
    connection.say(server.snapshot(5, &json!(entries)));
    connection.ended().await;
    until(|| verifier.feed_status().unwrap().last_fault.is_some()).await;
    let status = verifier.feed_status().unwrap();
    assert_eq!((status.fresh, status.entries), (false, 3));
    assert!(status.last_fault.unwrap().contains("no room"));
}

/// A verifier that introspects, keeps answers for a minute, and follows.
fn asks(server: &Server, issuer: &crate::issuer::Issuer, options: FeedOptions) -> Verifier {
    let options = options.at(&format!("{}/feed", server.url), &format!("{}/feed/jwks", server.url));
    let builder = server.builder().introspection(&format!("{}/introspect", issuer.url), "a", "s".to_owned());
    builder.introspection_cache(Duration::from_mins(1)).follow(options).build().unwrap()
}

#[tokio::test]
async fn answers_stand_while_the_feed_is_fresh_and_every_event_ends_them() {
    let mut server = Server::start().await;
    let issuer = crate::issuer::Issuer::start(crate::vouch::set(&[])).await;
    let active = with(crate::vouch::claims(&server.url), &json!({"active": true}));
    *issuer.state.introspected.lock().unwrap() = active;
    let verifier = asks(&server, &issuer, Server::options());
    let connection = server.connection().await;
    connection.say(server.snapshot(5, &json!([])));
    heard(&verifier, 1).await;
    let asked = async |after: i64| {
        server.pass(after);
        verifier.verify("opaque").await.unwrap();
        issuer.introspections()
    };
    assert_eq!((asked(0).await, asked(2999).await), (1, 1));
    // Not fresh: a second is the most.
    assert_eq!((asked(2).await, asked(999).await, asked(1).await), (2, 2, 3));
    connection.say(server.heartbeat(5));
    heard(&verifier, 2).await;
    assert_eq!(asked(2000).await, 3);
    connection.say(server.batch((5, 6), &json!([{"token": "another", "until": NOON + 3660}])));
    heard(&verifier, 3).await;
    assert_eq!((asked(0).await, asked(0).await), (4, 4));
    // What concerns the token refuses it whoever was asked.
    connection.say(stated(&server.event("batch", (6, 7), &json!([{"token": "token-1", "until": NOON + 3660}]))));
    heard(&verifier, 4).await;
    assert_eq!(verifier.verify("opaque").await.unwrap_err(), Rejection::Revoked);
}

#[tokio::test]
async fn who_is_asked_each_time_needs_no_fresh_feed() {
    let server = Server::start().await;
    let issuer = crate::issuer::Issuer::start(crate::vouch::set(&[])).await;
    let active = with(crate::vouch::claims(&server.url), &json!({"active": true}));
    *issuer.state.introspected.lock().unwrap() = active;
    let verifier = asks(&server, &issuer, Server::options().allow_stale_for(Seconds(0)));
    server.pass(10_000);
    assert!(verifier.verify("opaque").await.is_ok());
}
