//! Deyel 8.3, as its page and `vendors/README.md` say.

use std::collections::BTreeMap;

use ficha_core::{
    ClientFailure, Refusal,
    ports::{Dialect, TokenFacts},
    profile::{KidStyle, RefreshForm, RefreshMode},
    token::{Credentials, GrantRequest},
};
use ficha_types::{Algorithm, UnixSeconds};

use super::*;

const BASIC: (&str, &str) = ("authorization", "Basic REVZRUxCT1Q6Qk9UREVZRUwzMTIh");

#[test]
fn the_request_of_the_page_is_read() {
    let body = "grant_type=password&username=afarias&password=deyel123";
    assert_eq!(body.len(), 54);
    let (request, _) = token(&dialect("deyel"), &[FORM, BASIC], body).unwrap();
    let Credentials::Secret { readings, .. } = request.who else { panic!("no secret") };
    assert_eq!((readings[0].id.as_str(), readings[0].secret.expose()), ("DEYELBOT", "BOTDEYEL312!"));
    let GrantRequest::Password { username, password, scope, .. } = request.grant else { panic!("another grant") };
    assert_eq!((username.unwrap().as_str(), password.expose(), scope), ("afarias", "deyel123", None));
}

#[test]
fn the_answer_is_that_of_the_page() {
    assert_eq!(
        short(&whole(&dialect("deyel").render_token(&granted(Some("rrr"), Some("u-1"))))),
        r#"200 OK {"access_token":"aaa.bbb.ccc","refresh_token":"rrr","token_type":"Bearer","expires_in":3599}"#
    );
}

#[test]
fn a_refused_client_user_password_or_scope_gets_the_answer_of_the_page() {
    let deyel = dialect("deyel");
    let password = Some(GrantKind::Password);
    insta::assert_snapshot!(verdict(&deyel, &Refusal::Client(ClientFailure::Unknown), password), @r#"
    401 Unauthorized
    cache-control: no-store
    content-type: application/json
    pragma: no-cache
    www-authenticate: Basic realm="ficha"

    {"error_description":"Invalid client_id","error":"Invalid_request"}
    "#);
    for refusal in [Refusal::User, Refusal::Scope("a".parse().unwrap()), Refusal::GrantNotAllowed(GrantKind::Password)]
    {
        assert_eq!(
            short(&verdict(&deyel, &refusal, password)),
            r#"400 Bad Request {"error_description":"Invalid client_id","error":"Invalid_request"}"#
        );
    }
}

#[test]
fn what_is_malformed_says_so_in_the_same_two_members() {
    let deyel = dialect("deyel");
    assert_eq!(
        short(&refused(&deyel, &[FORM, BASIC], "grant_type=password&username=a")),
        r#"400 Bad Request {"error_description":"The parameter password is missing.","error":"Invalid_request"}"#
    );
    assert_eq!(
        short(&refused(&deyel, &[FORM, BASIC], "grant_type=client_credentials")),
        r#"400 Bad Request {"error_description":"This grant_type is not supported here.","error":"Invalid_request"}"#
    );
    assert_eq!(
        short(&refused(&deyel, &[FORM, BASIC], "grant_type=refresh_token")),
        r#"400 Bad Request {"error_description":"The parameter refresh_token is missing.","error":"Invalid_request"}"#
    );
    assert_eq!(
        short(&verdict(&deyel, &Refusal::Unavailable, Some(GrantKind::Password))),
        r#"503 Service Unavailable {"error_description":"The service is not available right now: try again.","error":"temporarily_unavailable"}"#
    );
}

#[test]
fn every_refusal_of_a_well_formed_refresh_is_one() {
    let deyel = dialect("deyel");
    let refresh = Some(GrantKind::RefreshToken);
    insta::assert_snapshot!(verdict(&deyel, &Refusal::RefreshExpired, refresh), @r#"
    401 Unauthorized
    cache-control: no-store
    content-type: application/json
    pragma: no-cache
    www-authenticate: Basic realm="ficha"

    {"errors":[{"message":"Unauthorized","attribute-name":""},{"message":"Invalid refresh token.","attribute-name":"refresh_token"}]}
    "#);
    let others = [
        Refusal::Client(ClientFailure::NoSecret),
        Refusal::NoCredentials,
        Refusal::RefreshUnknown,
        Refusal::RefreshRevoked,
        Refusal::GrantNotAllowed(GrantKind::RefreshToken),
        Refusal::Scope("a".parse().unwrap()),
        Refusal::UnknownApi,
        Refusal::User,
    ];
    for refusal in others {
        assert_eq!(
            verdict(&deyel, &refusal, refresh),
            verdict(&deyel, &Refusal::RefreshExpired, refresh),
            "{refusal:?}"
        );
    }
    // Refused by the parser, but well-formed: a client by another way.
    let bearer = refused(&deyel, &[FORM, ("authorization", "Bearer x")], "grant_type=refresh_token&refresh_token=r");
    assert_eq!(bearer, verdict(&deyel, &Refusal::RefreshExpired, refresh));
}

#[test]
fn the_refresh_grant_takes_basic_with_the_id_alone() {
    let deyel = dialect("deyel");
    // DEYELBOT:
    let id = ("authorization", "Basic REVZRUxCT1Q6");
    let (request, _) = token(&deyel, &[FORM, id], "grant_type=refresh_token&refresh_token=r").unwrap();
    assert!(matches!(request.who, Credentials::Id(id) if id == "DEYELBOT"));
    assert!(deyel.profile().refresh_by_id_alone);
}

#[test]
fn the_tokens_are_those_of_the_page_and_the_refresh_token_stays() {
    let deyel = dialect("deyel");
    assert_eq!(deyel.header(Algorithm::Rs256, "k1"), r#"{"kid":"k1","alg":"RS256"}"#);
    let none = BTreeMap::new();
    let facts = TokenFacts {
        id: "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(),
        issuer: "http://localhost:8080",
        client: "DEYELBOT".parse().unwrap(),
        user: Some("u-1".parse().unwrap()),
        audience: "https://deyel".parse().unwrap(),
        scope: "forms:read",
        issued_at: UnixSeconds(100),
        expires_at: UnixSeconds(200),
        grant: GrantKind::Password,
        properties: Some(&none),
    };
    assert_eq!(
        deyel.claims(&facts),
        r#"{"iss":"http://localhost:8080","sub":"u-1","aud":"https://deyel","client_id":"DEYELBOT","iat":100,"exp":200,"jti":"AAAAAAAAAAAAAAAAAAAAAA","scope":"forms:read"}"#
    );
    let refresh = deyel.refresh_claims(&facts, "http://localhost:8080/oauth/token");
    assert_eq!(
        refresh,
        r#"{"iss":"http://localhost:8080","sub":"u-1","aud":"http://localhost:8080/oauth/token","client_id":"DEYELBOT","iat":100,"exp":200,"jti":"AAAAAAAAAAAAAAAAAAAAAA","token_use":"refresh","api_audience":"https://deyel","scope":"forms:read"}"#
    );
    let mut claims: serde_json::Map<_, _> = serde_json::from_str(&refresh).unwrap();
    assert!(deyel.read_refresh_claims(&claims, "http://localhost:8080/oauth/token").is_some());
    claims.insert("token_use".into(), "access".into());
    assert!(deyel.read_refresh_claims(&claims, "http://localhost:8080/oauth/token").is_none());

    let profile = deyel.profile();
    assert_eq!((profile.algorithm, profile.token_lifetime), (Algorithm::Rs256, Seconds(86_400)));
    assert_eq!((&profile.kid, &profile.reuse), (&KidStyle::Numbered("k".into()), &None));
    let refresh = profile.refresh.as_ref().unwrap();
    assert_eq!(
        (refresh.mode, refresh.form, refresh.lifetime),
        (RefreshMode::Keep, RefreshForm::Jwt, Seconds::days(30))
    );
    assert_eq!(refresh.with, [GrantKind::Password]);
}
