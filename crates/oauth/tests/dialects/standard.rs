//! The standard dialect.

use std::collections::BTreeMap;

use ficha_core::{
    ClientFailure, Refusal,
    ports::{Dialect, TokenFacts},
    token::{Credentials, GrantRequest},
};
use ficha_types::{Algorithm, AuthMethod, UnixSeconds};

use super::*;

#[test]
fn the_answer_is_that_of_rfc_6749() {
    let standard = dialect("standard");
    assert_eq!(
        short(&whole(&standard.render_token(&granted(None, None)))),
        r#"200 OK {"access_token":"aaa.bbb.ccc","token_type":"Bearer","expires_in":3599,"scope":"cards:read cards:write"}"#
    );
    assert_eq!(
        short(&whole(&standard.render_token(&granted(Some("r\"r"), None)))),
        r#"200 OK {"access_token":"aaa.bbb.ccc","token_type":"Bearer","expires_in":3599,"refresh_token":"r\"r","scope":"cards:read cards:write"}"#
    );
}

#[test]
fn the_token_is_that_of_rfc_9068() {
    let standard = dialect("standard");
    assert_eq!(standard.header(Algorithm::Es256, "abc"), r#"{"typ":"at+jwt","alg":"ES256","kid":"abc"}"#);
    let none = BTreeMap::new();
    let facts = TokenFacts {
        id: "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(),
        issuer: "https://auth.example",
        client: "app".parse().unwrap(),
        user: None,
        audience: "https://api.example".parse().unwrap(),
        scope: "",
        issued_at: UnixSeconds(1),
        expires_at: UnixSeconds(2),
        grant: GrantKind::ClientCredentials,
        properties: Some(&none),
    };
    assert_eq!(
        standard.claims(&facts),
        r#"{"iss":"https://auth.example","exp":2,"aud":"https://api.example","sub":"app","client_id":"app","iat":1,"jti":"AAAAAAAAAAAAAAAAAAAAAA"}"#
    );
}

#[test]
fn the_password_grant_is_off_and_no_refresh_token_comes_with_client_credentials() {
    let standard = dialect("standard");
    assert_eq!(standard.profile().grants, [GrantKind::ClientCredentials, GrantKind::RefreshToken]);
    assert_eq!(standard.profile().refresh.as_ref().unwrap().with, []);
    assert_eq!(
        short(&refused(&standard, &[FORM], "grant_type=password&username=a&password=b&client_id=c&client_secret=d")),
        r#"400 Bad Request {"error":"unsupported_grant_type","error_description":"This grant_type is not supported here."}"#
    );
}

#[test]
fn credentials_stand_in_the_header_or_in_the_body() {
    let standard = dialect("standard");
    let (request, asked) =
        token(&standard, &[FORM], "grant_type=client_credentials&client_id=a&client_secret=b").unwrap();
    assert!(matches!(request.who, Credentials::Secret { method: AuthMethod::ClientSecretPost, .. }));
    assert!(!asked.basic);
    let answer = whole(&standard.render_refusal(&Refusal::Client(ClientFailure::Unknown), asked));
    assert!(answer.contains("www-authenticate: Basic realm=\"ficha\""), "{answer}");
    let (request, _) = token(&standard, &[FORM], "grant_type=client_credentials&client_id=a&client_secret=").unwrap();
    assert!(matches!(request.who, Credentials::Id(id) if id == "a"));
    let (request, _) = token(&standard, &[FORM], "grant_type=client_credentials").unwrap();
    assert!(matches!(request.who, Credentials::None));
}

#[test]
fn audience_resource_and_scope_are_read() {
    let body = "grant_type=client_credentials&scope=b+a&audience=x&resource=https%3A%2F%2Fa&resource=c";
    let (request, _) = token(&dialect("standard"), &[FORM], body).unwrap();
    let GrantRequest::ClientCredentials { scope, target } = request.grant else { panic!("another grant") };
    assert_eq!(scope.unwrap().to_string(), "a b");
    assert_eq!(
        (target.audience.as_deref(), target.resources),
        (Some("x"), vec!["https://a".to_owned(), "c".to_owned()])
    );
    for bad in ["scope=%22", "scope=+", "scope=a%09b"] {
        let refusal =
            token(&dialect("standard"), &[FORM], &format!("grant_type=client_credentials&{bad}")).unwrap_err();
        assert_eq!(refusal.refusal, Refusal::ScopeGrammar, "{bad}");
    }
}

#[test]
fn the_endpoints_are_the_usual_ones() {
    let standard = dialect("standard");
    let paths: Vec<_> = standard.endpoints().paths().collect();
    assert_eq!(
        paths,
        [
            (Endpoint::Token, "/oauth/token"),
            (Endpoint::Revoke, "/oauth/revoke"),
            (Endpoint::Introspect, "/oauth/introspect"),
            (Endpoint::Jwks, "/.well-known/jwks.json"),
            (Endpoint::Metadata, "/.well-known/oauth-authorization-server"),
            (Endpoint::Feed, "/oauth/revocations"),
            (Endpoint::FeedJwks, "/oauth/revocations/jwks.json"),
        ]
    );
    assert_eq!(standard.endpoints().at("/nowhere"), None);
}
