//! What is no access token never passes for one.

use ficha_verify::{NotAccess, Rejection, UnixSeconds, Verifier};
use serde_json::{Value, json};

use crate::{
    issuer::{AUDIENCE, NOON},
    vouch::{ISSUER, claims, es256, knows_all, set, signed, with},
};

async fn verdict(header: Value, members: Value) -> Result<(), Rejection> {
    let (verifier, _) = knows_all();
    let header = with(json!({"alg": "ES256", "kid": "ES256"}), &header);
    verifier.verify(&signed(&header, &with(claims(ISSUER), &members), es256())).await.map(|_| ())
}

fn not(why: NotAccess) -> Result<(), Rejection> {
    Err(Rejection::NotAnAccessToken(why))
}

#[tokio::test]
async fn an_access_token_says_so_or_says_nothing() {
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "JWT", "jwt"] {
        assert_eq!(verdict(json!({ "typ": typ }), json!({})).await, Ok(()), "{typ}");
    }
    assert_eq!(verdict(json!({}), json!({})).await, Ok(()));
    assert_eq!(verdict(json!({}), json!({"token_use": "access", "typ": "Bearer"})).await, Ok(()));
}

#[tokio::test]
async fn another_typ_in_the_header_is_refused() {
    for typ in ["logout+jwt", "dpop+jwt", "secevent+jwt", "rt+jwt", "application/jwt", "id_token", ""] {
        assert_eq!(verdict(json!({ "typ": typ }), json!({})).await, not(NotAccess::HeaderType), "{typ}");
    }
}

#[tokio::test]
async fn a_refresh_token_is_refused() {
    assert_eq!(verdict(json!({}), json!({"token_use": "refresh"})).await, not(NotAccess::TokenUse));
    assert_eq!(verdict(json!({"typ": "at+jwt"}), json!({"token_use": "refresh"})).await, not(NotAccess::TokenUse));
    assert_eq!(verdict(json!({}), json!({"token_use": 7})).await, not(NotAccess::TokenUse));
    for typ in ["Refresh", "Offline", "Logout"] {
        assert_eq!(verdict(json!({}), json!({ "typ": typ })).await, not(NotAccess::TokenUse), "{typ}");
    }
}

#[tokio::test]
async fn an_id_token_is_refused() {
    assert_eq!(verdict(json!({}), json!({"token_use": "id"})).await, not(NotAccess::TokenUse));
    assert_eq!(verdict(json!({}), json!({"typ": "ID"})).await, not(NotAccess::TokenUse));
    for claim in ["nonce", "at_hash", "c_hash", "s_hash"] {
        assert_eq!(verdict(json!({"typ": "JWT"}), json!({ claim: "x" })).await, not(NotAccess::IdToken), "{claim}");
    }
    // Typed explicitly, it can not be one (RFC 9068 §4).
    assert_eq!(verdict(json!({"typ": "at+jwt"}), json!({"nonce": "x"})).await, Ok(()));
}

#[tokio::test]
async fn a_logout_token_without_typ_is_refused() {
    let events = json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}});
    assert_eq!(verdict(json!({}), events).await, not(NotAccess::Event));
}

#[tokio::test]
async fn where_it_is_required_only_at_jwt_passes() {
    let verifier = Verifier::builder(ISSUER, AUDIENCE).clock(|| UnixSeconds(NOON)).keys(set(&["k"]));
    let verifier = verifier.require_typ_at_jwt().build().unwrap();
    let by = |header: &Value| signed(&with(json!({"alg": "ES256", "kid": "k"}), header), &claims(ISSUER), es256());
    assert!(verifier.verify(&by(&json!({"typ": "at+jwt"}))).await.is_ok());
    for header in [json!({"typ": "JWT"}), json!({})] {
        let refused = verifier.verify(&by(&header)).await.unwrap_err();
        assert_eq!(refused, Rejection::NotAnAccessToken(NotAccess::HeaderType), "{header}");
    }
}
