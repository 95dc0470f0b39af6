//! A token that passed before passes again only while everything holds that could have changed.

use ficha_jose::jws;
use ficha_verify::{Algorithm, Rejection, Revocations, UnixSeconds, Verifier};
use serde_json::{Value, json};

use crate::{
    issuer::{AUDIENCE, Issuer, NOON, TestClock},
    vouch::{ISSUER, claims, key, set, token, with},
};

/// A family, and a token of it.
const FAMILY: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const OF_FAMILY: &str = "AAAAAAAAAAAAAAAAAAAAAAbbbbbbbb";

fn started() -> (Verifier, Revocations, TestClock) {
    let (known, clock) = (Revocations::new(), TestClock::at_noon());
    let builder = Verifier::builder(ISSUER, AUDIENCE).clock(clock.reading()).keys(set(&["k"]));
    (builder.revocations(known.clone()).build().unwrap(), known, clock)
}

#[tokio::test]
async fn time_is_looked_at_again() {
    let (verifier, _, clock) = started();
    let token = token("k", &claims(ISSUER));
    let first = verifier.verify(&token).await.unwrap();
    clock.advance(3629);
    assert_eq!(verifier.verify(&token).await.unwrap().all(), first.all());
    clock.advance(1);
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::Expired);
    clock.advance(-3661);
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::IssuedInFuture);
}

#[tokio::test]
async fn revocations_are_looked_at_again() {
    type Revoke = fn(&Revocations);
    let ways: [(&str, Revoke); 6] = [
        ("token", |known| known.token(OF_FAMILY, UnixSeconds(NOON + 3660)).unwrap()),
        ("family", |known| known.family(FAMILY, UnixSeconds(NOON + 3660)).unwrap()),
        ("client", |known| known.client("app", UnixSeconds(NOON)).unwrap()),
        ("user", |known| known.user("user-1", UnixSeconds(NOON)).unwrap()),
        ("issuer", |known| known.issuer(UnixSeconds(NOON))),
        ("key", |known| known.key("k").unwrap()),
    ];
    for (what, revoke) in ways {
        let (verifier, known, _) = started();
        let old = token("k", &with(claims(ISSUER), &json!({"jti": OF_FAMILY})));
        let newer = json!({"jti": "another", "iat": NOON + 1});
        let newer = token("k", &with(claims(ISSUER), &newer));
        assert!(verifier.verify(&old).await.is_ok());
        revoke(&known);
        let refused = if what == "key" { Rejection::KeyWithdrawn } else { Rejection::Revoked };
        assert_eq!(verifier.verify(&old).await.unwrap_err(), refused, "{what}");
        assert_eq!(verifier.verify(&newer).await.is_ok(), what != "key", "{what}");
    }
}

#[tokio::test]
async fn a_client_is_known_by_azp_too() {
    let (verifier, known, _) = started();
    known.client("app", UnixSeconds(NOON)).unwrap();
    let by_azp = token("k", &with(claims(ISSUER), &json!({"client_id": null, "azp": "app"})));
    assert_eq!(verifier.verify(&by_azp).await.unwrap_err(), Rejection::Revoked);
}

#[tokio::test]
async fn a_named_secret_can_be_withdrawn() {
    let known = Revocations::new();
    let builder = Verifier::builder(ISSUER, AUDIENCE).clock(|| UnixSeconds(NOON)).revocations(known.clone());
    let secret = crate::vouch::private(Algorithm::Hs256);
    let verifier = builder.shared_secret_named("old", secret).shared_secret_named("new", &[7; 32]).build().unwrap();
    let by = |key| jws::compact(br#"{"alg":"HS256","typ":"JWT"}"#, claims(ISSUER).to_string().as_bytes(), key).unwrap();
    let old = by(key(Algorithm::Hs256));
    let new = by(&ficha_jose::SigningKey::from_private(Algorithm::Hs256, &[7; 32]).unwrap());
    assert!(verifier.verify(&old).await.is_ok());
    known.key("old").unwrap();
    assert_eq!(verifier.verify(&old).await.unwrap_err(), Rejection::KeyWithdrawn);
    assert!(verifier.verify(&new).await.is_ok());
}

#[tokio::test]
async fn a_token_altered_after_it_passed_is_another_token() {
    let (verifier, ..) = started();
    let token = token("k", &claims(ISSUER));
    assert!(verifier.verify(&token).await.is_ok());
    for at in [40, token.len() / 2, token.len() - 10] {
        let mut altered = token.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        assert!(verifier.verify(&String::from_utf8(altered).unwrap()).await.is_err(), "{at}");
    }
    assert!(verifier.verify(&token[..token.len() - 1]).await.is_err());
    assert!(verifier.verify(&format!("{token}A")).await.is_err());
    assert!(verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn a_key_gone_from_the_set_takes_its_seen_tokens_with_it() {
    let issuer = Issuer::start(set(&["k", "other"])).await;
    let verifier = issuer.builder().jwks_url(&format!("{}/jwks", issuer.url)).build().unwrap();
    let [first, second] = ["k", "other"].map(|kid| token(kid, &claims(&issuer.url)));
    assert!(verifier.verify(&first).await.is_ok() && verifier.verify(&second).await.is_ok());
    issuer.publish(set(&["other"]));
    issuer.clock.advance(300);
    assert_eq!(verifier.verify(&first).await.unwrap_err(), Rejection::UnknownKey);
    assert!(verifier.verify(&second).await.is_ok());
}

#[tokio::test]
async fn seen_tokens_outlive_no_keys_that_can_not_be_had() {
    let issuer = Issuer::start(set(&["k"])).await;
    let builder = issuer.builder().jwks_url(&format!("{}/jwks", issuer.url));
    let verifier = builder.keys_kept_for(ficha_verify::Seconds(0)).build().unwrap();
    let token = token("k", &claims(&issuer.url));
    assert!(verifier.verify(&token).await.is_ok());
    issuer.mood(crate::issuer::Mood::Broken);
    issuer.clock.advance(300);
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::KeysUnavailable);
}

#[tokio::test]
async fn what_was_refused_is_looked_at_anew_each_time() {
    let (verifier, _, clock) = started();
    let early: Value = json!({"nbf": NOON + 31});
    let early = token("k", &with(claims(ISSUER), &early));
    assert_eq!(verifier.verify(&early).await.unwrap_err(), Rejection::NotYetValid);
    clock.advance(1);
    assert!(verifier.verify(&early).await.is_ok());
}
