//! A vendor that is data alone: it differs from the built-in ones in everything that a dialect can say.

use std::collections::BTreeMap;

use ficha_core::{
    ClientFailure, Refusal,
    ports::{Dialect, TokenFacts},
    profile::Reuse,
    token::{Credentials, GrantRequest},
};
use ficha_types::{Algorithm, AuthMethod, UnixSeconds};

use super::*;

const BASIC: (&str, &str) = ("authorization", "Basic YTpi");

#[test]
fn its_paths_are_its_own() {
    let acme = dialect("acme");
    assert_eq!(acme.endpoints().at("/api/session"), Some(Endpoint::Token));
    assert_eq!(acme.endpoints().at("/oauth/token"), None);
    assert_eq!(acme.token_endpoint("https://acme.example/v"), "https://acme.example/v/api/v2/session");
    let moved = [
        ("/api/v2/logout", Endpoint::VendorRevoke),
        ("/api/v2/session/look", Endpoint::Introspect),
        ("/keys", Endpoint::Jwks),
        ("/about", Endpoint::Metadata),
        ("/revoked", Endpoint::Feed),
        ("/revoked/keys", Endpoint::FeedJwks),
    ];
    for (path, endpoint) in moved {
        assert_eq!(acme.endpoints().at(path), Some(endpoint));
    }
    assert_eq!(dialect("acme-eu").endpoints().at("/api/v2/logout"), None);
}

#[test]
fn its_requests_are_json_with_names_of_its_own_beside_basic() {
    let acme = dialect("acme");
    let body = r#"{"flow":"person","login":"ana","pass":"p","api":"https://cards","permissions":"a b","grant_type":"ignored"}"#;
    let (request, _) = token(&acme, &[JSON, BASIC], body).unwrap();
    assert!(matches!(request.who, Credentials::Secret { method: AuthMethod::ClientSecretBasic, .. }));
    let GrantRequest::Password { username, password, scope, target } = request.grant else { panic!("another grant") };
    assert_eq!((username.unwrap().as_str(), password.expose()), ("ana", "p"));
    assert_eq!((scope.unwrap().to_string().as_str(), target.audience.as_deref()), ("a b", Some("https://cards")));
    for flow in ["machine", "service"] {
        let (request, _) = token(&acme, &[JSON, BASIC], &format!(r#"{{"flow":"{flow}","api":"x"}}"#)).unwrap();
        assert_eq!(request.grant.kind(), GrantKind::ClientCredentials);
    }
    assert!(token(&dialect("acme-eu"), &[FORM, BASIC], "flow=machine&api=x&scopes=a").is_ok());
    assert!(refused(&acme, &[FORM, BASIC], "flow=machine&api=x").starts_with("415"));
}

#[test]
fn its_answer_is_nested_and_in_its_own_order() {
    let acme = dialect("acme");
    assert_eq!(
        short(&whole(&acme.render_token(&granted(Some("rrr"), Some("u-1"))))),
        r#"200 OK {"data":{"renewal":"rrr","session":{"value":"aaa.bbb.ccc","kind":"bearer","ttl":"3599"}},"permissions":["cards:read","cards:write"],"who":["app","u-1"],"ok":true,"version":2}"#
    );
    assert_eq!(
        short(&whole(&acme.render_token(&granted(None, None)))),
        r#"200 OK {"data":{"session":{"value":"aaa.bbb.ccc","kind":"bearer","ttl":"3599"}},"permissions":["cards:read","cards:write"],"who":["app"],"ok":true,"version":2}"#
    );
}

#[test]
fn its_refusals_are_nested_and_carry_a_header() {
    let acme = dialect("acme");
    insta::assert_snapshot!(refused(&acme, &[JSON, BASIC], r#"{"flow":"machine"}"#), @r#"
    400 Bad Request
    cache-control: no-store
    content-type: application/json
    pragma: no-cache
    x-acme-fault: malformed; invalid_request

    {"fault":{"text":"The parameter api is missing.","code":"invalid_request","status":400},"ok":false}
    "#);
    insta::assert_snapshot!(verdict(&acme, &Refusal::TooMany(Seconds(7)), None), @r#"
    429 Too Many Requests
    cache-control: no-store
    content-type: application/json
    pragma: no-cache
    retry-after: 7
    x-acme-fault: too_many_requests; temporarily_unavailable

    {"fault":{"text":"Too many requests: wait before trying again.","code":"temporarily_unavailable","status":429,"again_in":7},"ok":false}
    "#);
    let refresh = Some(GrantKind::RefreshToken);
    assert_eq!(short(&verdict(&acme, &Refusal::RefreshExpired, refresh)), r#"410 Gone {"fault":"gone","ok":false}"#);
    assert!(verdict(&acme, &Refusal::User, Some(GrantKind::Password)).starts_with("403 Forbidden"));
    assert_eq!(
        short(&verdict(&acme, &Refusal::TooLarge(9), None)),
        r#"413 Payload Too Large {"fault":"too large","ok":false}"#
    );
    let client = verdict(&acme, &Refusal::Client(ClientFailure::Unknown), None);
    assert!(client.contains("www-authenticate: Basic realm=\"Acme Cards\""), "{client}");
    // What is not said for the occasion is taken from the general entries.
    assert!(verdict(&acme, &Refusal::RefreshExpired, refresh).contains("x-acme-fault: refresh_expired; invalid_grant"));
}

#[test]
fn a_dialect_that_extends_it_puts_its_own_entries_first() {
    let eu = dialect("acme-eu");
    let password = Some(GrantKind::Password);
    assert_eq!(short(&verdict(&eu, &Refusal::User, password)), r#"403 Forbidden {"no":"invalid_grant"}"#);
    assert_eq!(
        short(&verdict(&eu, &Refusal::MediaType, password)),
        short(&verdict(&dialect("acme"), &Refusal::MediaType, password))
    );
    assert_eq!(
        short(&verdict(&eu, &Refusal::RefreshExpired, Some(GrantKind::RefreshToken))),
        r#"410 Gone {"fault":"gone","ok":false}"#
    );
    assert_eq!(
        (eu.profile().reuse, dialect("acme").profile().reuse),
        (None, Some(Reuse { min_remaining: Seconds(300) }))
    );
}

#[test]
fn its_own_way_to_revoke_has_its_own_words() {
    let acme = dialect("acme");
    assert_eq!(short(&whole(&acme.render_vendor_revoked())), r#"200 OK {"ok":true,"done":[1,"all"]}"#);
    let asked = Asked { endpoint: Endpoint::VendorRevoke, grant: None, basic: true };
    let answer = acme.render_refusal(&Refusal::Client(ClientFailure::Unknown), asked);
    assert_eq!(short(&whole(&answer)), r#"401 Unauthorized {"ok":false}"#);
    let map = headers(&[JSON, BASIC]);
    let sent = Sent { query: None, headers: &map, body: br#"{"flow":"machine","api":"https://cards"}"# };
    let (request, _) = acme.parse_vendor_revoke(sent).unwrap();
    assert_eq!(
        (request.grant, request.target.audience.as_deref()),
        (GrantKind::ClientCredentials, Some("https://cards"))
    );
}

#[test]
fn its_tokens_are_its_own() {
    let acme = dialect("acme");
    assert_eq!(acme.header(Algorithm::EdDsa, "acme-1"), r#"{"kid":"acme-1","typ":"acme+jwt","alg":"EdDSA"}"#);
    let properties = BTreeMap::from([("tenant".to_owned(), "ü\"1".to_owned())]);
    let facts = TokenFacts {
        id: "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(),
        issuer: "https://acme",
        client: "app".parse().unwrap(),
        user: None,
        audience: "https://cards".parse().unwrap(),
        scope: "a b",
        issued_at: UnixSeconds(1),
        expires_at: UnixSeconds(2),
        grant: GrantKind::ClientCredentials,
        properties: Some(&properties),
    };
    assert_eq!(
        acme.claims(&facts),
        r#"{"acme":{"tenant":"ü\"1","flow":"client_credentials"},"jti":"AAAAAAAAAAAAAAAAAAAAAA","scp":["a","b"],"cid":"app","sub":"app:app","aud":["https://cards"],"iss":"https://acme","exp":2,"iat":1}"#
    );
    assert_eq!(
        acme.refresh_claims(&facts, "https://acme/t"),
        r#"{"use":"renewal","jti":"AAAAAAAAAAAAAAAAAAAAAA","iss":"https://acme","sub":"app:app","aud":"https://acme/t","for":"https://cards","cid":"app","scope":"a b","exp":2,"iat":1}"#
    );
}
