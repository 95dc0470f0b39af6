//! Pomelo, as its page and `vendors/README.md` say.

use std::collections::BTreeMap;

use ficha_core::{
    ClientFailure, Malformed, Refusal,
    ports::{Dialect, TokenFacts},
    profile::{KidStyle, Reuse},
    token::{Credentials, GrantRequest},
};
use ficha_types::{Algorithm, AuthMethod, UnixSeconds};

use super::*;

const BODY: &str = r#"{
"client_id": "3LBFuOiEHrl4BailkRlsnIMmSctMLb7A",
"client_secret": "s5u3oYK0-A9CV6TkszPQThUa_qxMfr2yyd3-eJwQ",
"audience": "https://auth-dev.pomelo.la",
"grant_type": "client_credentials"
}"#;

fn without(name: &str) -> String {
    let mut body: serde_json::Map<String, serde_json::Value> = serde_json::from_str(BODY).unwrap();
    body.remove(name).unwrap();
    serde_json::Value::Object(body).to_string()
}

fn revoke(body: &str) -> String {
    let map = headers(&[JSON]);
    let pomelo = dialect("pomelo");
    match pomelo.parse_vendor_revoke(Sent { query: None, headers: &map, body: body.as_bytes() }) {
        Ok(_) => whole(&pomelo.render_vendor_revoked()),
        Err(refused) => whole(&pomelo.render_refusal(&refused.refusal, refused.asked)),
    }
}

#[test]
fn the_request_of_the_page_is_read_at_both_paths() {
    let pomelo = dialect("pomelo");
    for path in ["/oauth/token", "/oauth/v1/token"] {
        assert_eq!(pomelo.endpoints().at(path), Some(Endpoint::Token));
    }
    assert_eq!(pomelo.endpoints().at("/oauth/token/revoke"), Some(Endpoint::VendorRevoke));
    assert_eq!(pomelo.endpoints().at("/oauth/token/"), None);
    let (request, _) = token(&pomelo, &[JSON], BODY).unwrap();
    let Credentials::Secret { method, readings } = request.who else { panic!("no secret") };
    assert_eq!((method, readings[0].id.as_str()), (AuthMethod::ClientSecretPost, "3LBFuOiEHrl4BailkRlsnIMmSctMLb7A"));
    let GrantRequest::ClientCredentials { scope: None, target } = request.grant else { panic!("another grant") };
    assert_eq!(target.audience.as_deref(), Some("https://auth-dev.pomelo.la"));
}

#[test]
fn the_answer_is_in_the_order_of_the_page() {
    assert_eq!(
        short(&whole(&dialect("pomelo").render_token(&granted(None, None)))),
        r#"200 OK {"access_token":"aaa.bbb.ccc","scope":"cards:read cards:write","expires_in":3599,"token_type":"Bearer"}"#
    );
}

#[test]
fn all_four_members_are_required() {
    let pomelo = dialect("pomelo");
    for name in ["audience", "client_secret", "client_id", "grant_type"] {
        let expected = format!(
            r#"400 Bad Request {{"error":"invalid_request","error_description":"The parameter {name} is missing."}}"#
        );
        assert_eq!(short(&refused(&pomelo, &[JSON], &without(name))), expected);
    }
}

#[test]
fn refusals_are_those_of_the_hosted_service() {
    let pomelo = dialect("pomelo");
    let asked = Asked { endpoint: Endpoint::Token, grant: Some(GrantKind::ClientCredentials), basic: false };
    insta::assert_snapshot!(whole(&pomelo.render_refusal(&Refusal::Client(ClientFailure::WrongSecret), asked)), @r#"
    401 Unauthorized
    cache-control: no-store
    content-type: application/json
    pragma: no-cache
    www-authenticate: client_secret_post realm="ficha"

    {"error":"access_denied","error_description":"Unauthorized"}
    "#);
    assert_eq!(
        short(&verdict(&pomelo, &Refusal::UnknownApi, asked.grant)),
        r#"403 Forbidden {"error":"access_denied","error_description":"The client has no access to an API of this audience."}"#
    );
    let other_grant = BODY.replace("client_credentials", "password");
    assert_eq!(
        short(&refused(&pomelo, &[JSON], &other_grant)),
        r#"403 Forbidden {"error":"unauthorized_client","error_description":"This grant_type is not supported here."}"#
    );
    assert_eq!(
        short(&verdict(&pomelo, &Refusal::GrantNotAllowed(GrantKind::ClientCredentials), asked.grant)),
        r#"403 Forbidden {"error":"unauthorized_client","error_description":"The client may not use the grant client_credentials."}"#
    );
    assert_eq!(
        short(&verdict(&pomelo, &Refusal::Scope("arg:x".parse().unwrap()), asked.grant)),
        r#"400 Bad Request {"error":"invalid_scope","error_description":"The scope arg:x is not granted here."}"#
    );
    assert_eq!(
        short(&refused(&pomelo, &[JSON], "{'client_id'")),
        r#"400 Bad Request {"error":"invalid_request","error_description":"The body is not valid JSON: expected one object, with nothing behind it."}"#
    );
    assert!(refused(&pomelo, &[FORM], "grant_type=client_credentials").starts_with("415 Unsupported Media Type"));
}

#[test]
fn revocation_says_success_or_error() {
    assert_eq!(short(&revoke(BODY)), r#"200 OK {"status":"Success"}"#);
    assert_eq!(short(&revoke("{")), r#"400 Bad Request {"status":"Error"}"#);
    for name in ["audience", "client_secret", "client_id", "grant_type"] {
        assert_eq!(short(&revoke(&without(name))), r#"400 Bad Request {"status":"Error"}"#);
    }
    let other_grant = BODY.replace("client_credentials", "password");
    assert_eq!(short(&revoke(&other_grant)), r#"400 Bad Request {"status":"Error"}"#);

    let pomelo = dialect("pomelo");
    let asked = Asked { endpoint: Endpoint::VendorRevoke, grant: Some(GrantKind::ClientCredentials), basic: false };
    let short = |refusal: Refusal| short(&whole(&pomelo.render_refusal(&refusal, asked)));
    assert_eq!(short(Refusal::Client(ClientFailure::Unknown)), r#"401 Unauthorized {"status":"Error"}"#);
    assert_eq!(short(Refusal::NoCredentials), r#"401 Unauthorized {"status":"Error"}"#);
    assert_eq!(short(Refusal::UnknownApi), r#"400 Bad Request {"status":"Error"}"#);
    assert_eq!(short(Refusal::Unavailable), r#"503 Service Unavailable {"status":"Error"}"#);
    assert_eq!(short(Malformed::CredentialsInQuery.into()), r#"400 Bad Request {"status":"Error"}"#);
}

#[test]
fn the_token_is_that_of_the_page() {
    let pomelo = dialect("pomelo");
    assert_eq!(
        pomelo.header(Algorithm::Rs256, "Z2NfNQ40YUk5xtZsQD9Ga"),
        r#"{"alg":"RS256","typ":"JWT","kid":"Z2NfNQ40YUk5xtZsQD9Ga"}"#
    );
    let properties = BTreeMap::from([("pomelo_client_id".to_owned(), "2ff1".to_owned())]);
    let mut facts = TokenFacts {
        id: "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(),
        issuer: "https://api.pomelo.la",
        client: "3LBF".parse().unwrap(),
        user: None,
        audience: "https://auth-dev.pomelo.la".parse().unwrap(),
        scope: "arg:cards:get-card",
        issued_at: UnixSeconds(1_631_035_043),
        expires_at: UnixSeconds(1_631_121_443),
        grant: GrantKind::ClientCredentials,
        properties: Some(&properties),
    };
    assert_eq!(
        pomelo.claims(&facts),
        r#"{"https://pomelo.la/client_id":"2ff1","iss":"https://api.pomelo.la","sub":"3LBF@clients","aud":"https://auth-dev.pomelo.la","iat":1631035043,"exp":1631121443,"azp":"3LBF","scope":"arg:cards:get-card","gty":"client-credentials","jti":"AAAAAAAAAAAAAAAAAAAAAA"}"#
    );
    facts.properties = None;
    assert!(pomelo.claims(&facts).starts_with(r#"{"iss":"#));
}

#[test]
fn the_same_token_is_handed_out_until_a_minute_is_left() {
    let pomelo = dialect("pomelo");
    let profile = pomelo.profile();
    assert_eq!(profile.reuse, Some(Reuse { min_remaining: Seconds(60) }));
    assert_eq!((profile.algorithm, profile.token_lifetime), (Algorithm::Rs256, Seconds(86_400)));
    assert_eq!((&profile.kid, &profile.refresh), (&KidStyle::Random(21), &None));
    assert_eq!(profile.grants, [GrantKind::ClientCredentials]);
}
