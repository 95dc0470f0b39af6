//! What comes, in which order, and by whom.

use ficha_verify::{NotAccess, Rejection, Secret, UnixSeconds};
use serde_json::{Value, json};

use super::{
    following, heard, named,
    server::{KEY, OTHER_KEY, Server, framed, sealed, sealed_by, stated},
    until,
};
use crate::{
    issuer::NOON,
    vouch::{claims, token, with},
};

#[tokio::test]
async fn a_revoked_token_is_refused_as_soon_as_it_is_told() {
    let mut server = Server::start().await;
    let (verifier, connection) = following(&mut server).await;
    let [dead, alive] = ["dead", "alive"].map(|jti| named(&server, jti));
    assert!(verifier.verify(&dead).await.is_ok());
    connection.say(server.batch((5, 6), &json!([{"token": "dead", "until": NOON + 3660}])));
    heard(&verifier, 2).await;
    assert_eq!(verifier.verify(&dead).await.unwrap_err(), Rejection::Revoked);
    assert!(verifier.verify(&alive).await.is_ok());
}

#[tokio::test]
async fn everything_that_can_be_told_is_applied() {
    let family = "AAAAAAAAAAAAAAAAAAAAAA";
    for (entry, refused) in [
        (json!({"token": "AAAAAAAAAAAAAAAAAAAAAAbbbb", "until": NOON + 3660}), Rejection::Revoked),
        (json!({"family": family, "until": NOON + 3660}), Rejection::Revoked),
        (json!({"client": "app", "not_before": NOON}), Rejection::Revoked),
        (json!({"user": "user-1", "not_before": NOON}), Rejection::Revoked),
        (json!({"issuer": true, "not_before": NOON}), Rejection::Revoked),
        (json!({"key": "k"}), Rejection::KeyWithdrawn),
    ] {
        let mut server = Server::start().await;
        let (verifier, connection) = following(&mut server).await;
        let token = named(&server, &format!("{family}bbbb"));
        assert!(verifier.verify(&token).await.is_ok(), "{entry}");
        connection.say(server.batch((5, 6), &json!([entry])));
        heard(&verifier, 2).await;
        assert_eq!(verifier.verify(&token).await.unwrap_err(), refused, "{entry}");
    }
}

#[tokio::test]
async fn a_snapshot_in_parts_counts_when_it_is_whole() {
    let mut server = Server::start().await;
    let verifier = server.follows(Server::options());
    let connection = server.connection().await;
    let part = |part: u32, jti: &str| {
        let event = server.event("snapshot", (0, 5), &json!([{"token": jti, "until": NOON + 3660}]));
        stated(&with(event, &json!({"part": part, "parts": 2})))
    };
    connection.say(part(1, "first"));
    heard(&verifier, 1).await;
    assert!(!verifier.feed_status().unwrap().fresh);
    // What is known to be dead is dead already.
    assert_eq!(verifier.verify(&named(&server, "first")).await.unwrap_err(), Rejection::Revoked);
    connection.say(part(2, "second"));
    heard(&verifier, 2).await;
    let status = verifier.feed_status().unwrap();
    assert_eq!((status.fresh, status.place, status.entries), (true, Some(5), 2));
    assert_eq!(verifier.verify(&named(&server, "second")).await.unwrap_err(), Rejection::Revoked);
}

#[tokio::test]
async fn it_asks_as_the_api_and_goes_on_where_it_was() {
    let mut server = Server::start().await;
    let (verifier, connection) = following(&mut server).await;
    // RFC 6749 §2.3.1: `cards+api:s%25cret%2B%2F`.
    assert_eq!(connection.header("authorization"), Some("Basic Y2FyZHMrYXBpOnMlMjVjcmV0JTJCJTJG"));
    assert_eq!(connection.header("accept"), Some("text/event-stream"));
    assert_eq!(connection.header("last-event-id"), None);
    connection.say(server.batch((5, 7), &json!([])));
    heard(&verifier, 2).await;
    drop(connection);
    let again = server.connection().await;
    assert_eq!(again.header("last-event-id"), Some("7"));
    again.say(server.batch((7, 8), &json!([{"token": "dead", "until": NOON + 3660}])));
    heard(&verifier, 3).await;
    assert_eq!(verifier.verify(&named(&server, "dead")).await.unwrap_err(), Rejection::Revoked);
    assert_eq!(verifier.feed_status().unwrap().connections, 2);
}

#[tokio::test]
async fn it_may_ask_with_a_token() {
    let mut server = Server::start().await;
    let options = ficha_verify::FeedOptions::with_token(|| Secret::from("the.access.token".to_owned()));
    let options = options.at(&format!("{}/feed", server.url), &format!("{}/feed/jwks", server.url));
    let verifier = server.follows(options);
    let connection = server.connection().await;
    assert_eq!(connection.header("authorization"), Some("Bearer the.access.token"));
    connection.say(server.snapshot(1, &json!([])));
    verifier.ready().await.unwrap();
}

/// Says `event` to a verifier at change 5, after which it goes away; answers whether it goes on with a snapshot.
async fn goes_away_after(say: impl Fn(&Server) -> String) -> (bool, String) {
    let mut server = Server::start().await;
    let (verifier, connection) = following(&mut server).await;
    connection.say(say(&server));
    connection.ended().await;
    until(|| verifier.feed_status().unwrap().last_fault.is_some()).await;
    let status = verifier.feed_status().unwrap();
    assert_eq!((status.events, status.entries), (1, 0), "nothing of it was applied");
    assert!(verifier.verify(&named(&server, "dead")).await.is_ok());
    let again = server.connection().await;
    (again.header("last-event-id").is_none(), status.last_fault.unwrap().into())
}

/// A batch that kills the token `dead`, with these members instead.
fn batch_with(server: &Server, members: &Value) -> Value {
    with(server.event("batch", (5, 6), &json!([{"token": "dead", "until": NOON + 3660}])), members)
}

#[tokio::test]
async fn what_was_cut_out_is_a_gap_and_a_snapshot_is_asked_for() {
    let (anew, fault) = goes_away_after(|server| stated(&batch_with(server, &json!({"from": 6, "to": 7})))).await;
    assert!(anew && fault.contains("begins after change 6"), "{fault}");
}

#[tokio::test]
async fn what_is_replayed_is_noticed() {
    let mut server = Server::start().await;
    let (verifier, connection) = following(&mut server).await;
    let batch = server.batch((5, 6), &json!([{"client": "app", "not_before": 1}]));
    connection.say(batch.clone());
    heard(&verifier, 2).await;
    connection.say(batch);
    connection.ended().await;
    // A heartbeat that is replayed is no gap, but it says nothing new.
    let mut server = Server::start().await;
    let (verifier, connection) = following(&mut server).await;
    let old = server.heartbeat(5);
    for events in 2..6 {
        server.pass(1000);
        connection.say(old.clone());
        heard(&verifier, events).await;
    }
    assert!(!verifier.feed_status().unwrap().fresh);
}

#[tokio::test]
async fn what_is_moved_is_noticed() {
    let (_, fault) = goes_away_after(|server| stated(&batch_with(server, &json!({"at": server.at() - 1})))).await;
    assert!(fault.contains("older than the one before"), "{fault}");
}

#[tokio::test]
async fn what_is_forged_is_not_applied() {
    let header =
        |members: &Value| with(json!({"alg": "EdDSA", "typ": "ficha-revocations+jwt", "kid": "feed-1"}), members);
    for (members, key, why) in [
        (json!({}), &OTHER_KEY, "not signed by a key of the feed"),
        (json!({"kid": "feed-2"}), &OTHER_KEY, "not signed by a key of the feed"),
        (json!({"kid": null}), &KEY, "its kid"),
        (json!({"typ": "at+jwt"}), &KEY, "its typ"),
        (json!({"typ": null}), &KEY, "its typ"),
        (json!({"alg": "none"}), &KEY, "its alg"),
        (json!({"alg": "ES256"}), &KEY, "its alg"),
        (json!({"crit": ["x"], "x": 1}), &KEY, "no signed text"),
    ] {
        let forged = goes_away_after(|server| {
            let payload = batch_with(server, &json!({}));
            framed(&payload, &sealed_by(&header(&members), &payload, key))
        });
        let (anew, fault) = forged.await;
        assert!(!anew && fault.contains(why), "{members}: {fault}");
    }
}

#[tokio::test]
async fn what_is_anothers_or_says_two_things_is_not_applied() {
    for (members, why) in [
        (json!({"iss": "https://other.example"}), "its iss"),
        (json!({"aud": "https://other.example"}), "its aud"),
        (json!({"events": [{"scope": "a", "not_before": 7}]}), "can not be read"),
        (json!({"to": 5}), "numbers do not fit"),
    ] {
        let (_, fault) = goes_away_after(|server| stated(&batch_with(server, &members))).await;
        assert!(fault.contains(why), "{members}: {fault}");
    }
    // What stands beside the signed text says something else.
    for (beside, why) in [(json!({"to": 7}), "its number"), (json!({"kind": "heartbeat"}), "its kind")] {
        let (_, fault) = goes_away_after(|server| {
            let payload = batch_with(server, &json!({}));
            framed(&with(payload.clone(), &beside), &sealed(&payload))
        })
        .await;
        assert!(fault.contains(why), "{beside}: {fault}");
    }
    let (_, fault) = goes_away_after(|_| format!("data: {}\n\n", "x".repeat(70_000))).await;
    assert!(fault.contains("longer"), "{fault}");
}

#[tokio::test]
async fn a_new_key_of_the_feed_is_found() {
    let mut server = Server::start().await;
    let (verifier, connection) = following(&mut server).await;
    let set = [("feed-1", &KEY), ("feed-2", &OTHER_KEY)].map(|(kid, key)| key.public_jwk(kid).unwrap()).to_vec();
    *server.state.feed_keys.lock().unwrap() = ficha_verify::JwkSet::new(set);
    let payload = batch_with(&server, &json!({}));
    let header = json!({"alg": "EdDSA", "typ": "ficha-revocations+jwt", "kid": "feed-2"});
    connection.say(framed(&payload, &sealed_by(&header, &payload, &OTHER_KEY)));
    heard(&verifier, 2).await;
    assert_eq!(verifier.verify(&named(&server, "dead")).await.unwrap_err(), Rejection::Revoked);
}

#[tokio::test]
async fn an_event_is_no_token_and_a_token_no_event() {
    let mut server = Server::start().await;
    let keys = KEY.public_jwk("feed-1").unwrap();
    let verifier = server.builder().keys(ficha_verify::JwkSet::new(vec![keys])).build().unwrap();
    let payload = with(claims(&server.url), &batch_with(&server, &json!({})));
    let refused = verifier.verify(&sealed(&payload)).await.unwrap_err();
    assert_eq!(refused, Rejection::NotAnAccessToken(NotAccess::HeaderType));
    let (_, connection) = following(&mut server).await;
    connection.say(framed(&payload, &token("k", &payload)));
    connection.ended().await;
}

#[tokio::test]
async fn an_event_that_is_expired_goes_away_by_itself() {
    let mut server = Server::start().await;
    let (verifier, connection) = following(&mut server).await;
    let short = json!([{"token": "short", "until": NOON + 10}, {"token": "long", "until": NOON + 1000}]);
    connection.say(server.batch((5, 6), &short));
    heard(&verifier, 2).await;
    assert_eq!(verifier.feed_status().unwrap().entries, 2);
    for beat in 0..64 {
        server.pass(1000);
        connection.say(server.heartbeat(6));
        heard(&verifier, 3 + beat).await;
    }
    for beat in 0..64 {
        connection.say(server.heartbeat(6));
        heard(&verifier, 67 + beat).await;
    }
    assert_eq!(verifier.feed_status().unwrap().entries, 1);
}

#[tokio::test]
async fn who_drops_the_verifier_hangs_up() {
    let mut server = Server::start().await;
    let (verifier, connection) = following(&mut server).await;
    let clone = verifier.clone();
    drop(verifier);
    connection.say(server.heartbeat(5));
    heard(&clone, 2).await;
    drop(clone);
    connection.ended().await;
}

#[tokio::test]
async fn it_goes_nowhere_where_a_redirect_sends_it() {
    let server = Server::start().await;
    *server.state.refusal.lock().unwrap() = Some(axum::http::StatusCode::TEMPORARY_REDIRECT);
    let verifier = server.follows(Server::options());
    until(|| verifier.feed_status().unwrap().last_fault.is_some()).await;
    assert_eq!(verifier.feed_status().unwrap().last_fault.as_deref(), Some("307 Temporary Redirect"));
}

#[tokio::test]
async fn marks_are_by_the_second() {
    let mut server = Server::start().await;
    let (verifier, connection) = following(&mut server).await;
    connection.say(server.batch((5, 6), &json!([{"client": "app", "not_before": NOON - 1}])));
    heard(&verifier, 2).await;
    assert!(verifier.verify(&named(&server, "of noon")).await.is_ok());
    let before = token("k", &with(claims(&server.url), &json!({"iat": UnixSeconds(NOON - 1)})));
    assert_eq!(verifier.verify(&before).await.unwrap_err(), Rejection::Revoked);
}
