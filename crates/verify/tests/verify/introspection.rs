//! The issuer is asked about each token.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use ficha_verify::{NotAccess, Rejection, Verifier};
use serde_json::{Value, json};

use crate::{
    issuer::{AUDIENCE, Issuer, Mood, Passed},
    vouch::{claims, set, with},
};

async fn started() -> (Issuer, Verifier) {
    let issuer = Issuer::start(set(&[])).await;
    let url = format!("{}/introspect", issuer.url);
    let verifier = issuer.builder().introspection(&url, "cards api", "s%cret+/".to_owned()).build().unwrap();
    says(&issuer, &json!({}));
    (issuer, verifier)
}

/// The issuer says that the token is active, with these members changed.
fn says(issuer: &Issuer, members: &Value) {
    let active = with(claims(&issuer.url), &json!({"active": true, "token_type": "Bearer"}));
    *issuer.state.introspected.lock().unwrap() = with(active, members);
}

#[tokio::test]
async fn an_opaque_token_is_asked_about_with_the_apis_own_credentials() {
    let (issuer, verifier) = started().await;
    let read = verifier.verify("opaque~token+/==").await.unwrap();
    assert_eq!((read.subject(), read.scopes().to_string().as_str()), (Some("user-1"), "cards:get users:get"));
    let (headers, body) = issuer.state.last.lock().unwrap().take().unwrap();
    assert_eq!(body, "token=opaque%7Etoken%2B%2F%3D%3D&token_type_hint=access_token");
    // RFC 6749 §2.3.1: name and secret each form-encoded.
    let basic = headers["authorization"].to_str().unwrap().strip_prefix("Basic ").unwrap();
    assert_eq!(STANDARD.decode(basic).unwrap(), b"cards+api:s%25cret%2B%2F");
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once() {
    let (issuer, verifier) = started().await;
    assert!(verifier.verify("token").await.is_ok());
    *issuer.state.introspected.lock().unwrap() = json!({"active": false});
    assert_eq!(verifier.verify("token").await.unwrap_err(), Rejection::Inactive);
    assert_eq!(issuer.introspections(), 2);
}

#[tokio::test]
async fn only_true_is_active() {
    let (issuer, verifier) = started().await;
    for active in [json!("true"), json!(1), json!(null), json!([])] {
        says(&issuer, &json!({ "active": active }));
        assert_eq!(verifier.verify("token").await.unwrap_err(), Rejection::Inactive, "{active}");
    }
}

#[tokio::test]
async fn what_the_issuer_says_is_checked_too() {
    let (issuer, verifier) = started().await;
    for (members, why) in [
        (json!({"aud": "other"}), Rejection::WrongAudience),
        (json!({"aud": null}), Rejection::MissingClaim("aud")),
        (json!({"iss": "https://other.example"}), Rejection::WrongIssuer),
        (json!({"exp": issuer.clock.now() - 30}), Rejection::Expired),
        (json!({"token_use": "refresh_token"}), Rejection::NotAnAccessToken(NotAccess::TokenUse)),
        (json!({"cnf": {"jkt": "x"}}), Rejection::SenderBound),
        (json!({"token_type": "DPoP"}), Rejection::SenderBound),
    ] {
        says(&issuer, &members);
        assert_eq!(verifier.verify("token").await.unwrap_err(), why, "{members}");
    }
}

#[tokio::test]
async fn an_answer_need_not_repeat_issuer_and_expiry() {
    let (issuer, verifier) = started().await;
    says(&issuer, &json!({"iss": null, "exp": null, "aud": ["x", AUDIENCE]}));
    let read = verifier.verify("token").await.unwrap();
    assert_eq!((read.issuer(), read.expires_at()), (issuer.url.as_str(), None));
}

#[tokio::test]
async fn an_issuer_that_can_not_be_asked_is_503_and_then_recovers() {
    let (issuer, verifier) = started().await;
    for mood in [Mood::Broken, Mood::Garbled, Mood::Endless, Mood::Moved] {
        issuer.mood(mood);
        let refused = verifier.verify("token").await.unwrap_err();
        assert_eq!((refused.code(), refused.status().as_u16()), ("introspection_unavailable", 503), "{mood:?}");
    }
    assert_eq!(issuer.elsewhere(), 0);
    issuer.mood(Mood::Well);
    assert!(verifier.verify("token").await.is_ok());
}

#[tokio::test]
async fn a_token_too_long_is_not_sent() {
    let (issuer, verifier) = started().await;
    assert_eq!(verifier.verify(&"x".repeat(64 * 1024 + 1)).await.unwrap_err(), Rejection::TooLong);
    assert_eq!(issuer.introspections(), 0);
}

#[tokio::test]
async fn an_answer_stands_for_a_second_where_that_is_set() {
    let issuer = Issuer::start(set(&[])).await;
    let passed = Passed::default();
    let builder = issuer.builder().introspection(&format!("{}/introspect", issuer.url), "a", "s".to_owned());
    let builder = builder.introspection_cache(Duration::from_secs(1)).passed(passed.reading());
    let verifier = builder.build().unwrap();
    says(&issuer, &json!({}));
    for _ in 0..3 {
        assert!(verifier.verify("token").await.is_ok());
        passed.advance(333);
    }
    assert_eq!(issuer.introspections(), 1);
    passed.advance(1);
    *issuer.state.introspected.lock().unwrap() = json!({"active": false});
    assert_eq!(verifier.verify("token").await.unwrap_err(), Rejection::Inactive);
    // A refusal is never kept.
    assert_eq!(verifier.verify("token").await.unwrap_err(), Rejection::Inactive);
    assert_eq!(issuer.introspections(), 3);
}

#[tokio::test]
async fn an_answer_does_not_stand_beyond_the_end_of_the_token() {
    let issuer = Issuer::start(set(&[])).await;
    let passed = Passed::default();
    let builder = issuer.builder().introspection(&format!("{}/introspect", issuer.url), "a", "s".to_owned());
    let builder = builder.introspection_cache(Duration::from_secs(1)).passed(passed.reading());
    let verifier = builder.build().unwrap();
    says(&issuer, &json!({"exp": issuer.clock.now()}));
    assert!(verifier.verify("token").await.is_ok());
    issuer.clock.advance(30);
    assert_eq!(verifier.verify("token").await.unwrap_err(), Rejection::Expired);
    assert_eq!(issuer.introspections(), 1);
}

#[tokio::test]
async fn without_a_word_every_token_is_asked_about() {
    let (issuer, verifier) = started().await;
    for _ in 0..3 {
        assert!(verifier.verify("token").await.is_ok());
    }
    assert_eq!(issuer.introspections(), 3);
}
