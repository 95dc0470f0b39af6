//! LeanCore, as its page and `vendors/README.md` say.

use ficha_core::{
    ClientFailure, Refusal,
    ports::Dialect,
    profile::{KidStyle, RefreshForm, RefreshMode},
    token::{Credentials, GrantRequest},
};
use ficha_types::{Algorithm, AuthMethod};

use super::*;

const BASIC: (&str, &str) = ("authorization", "Basic dXNlcm5hbWU6cGFzc3dvcmQ=");

#[test]
fn the_request_of_the_page_is_read() {
    let leancore = dialect("leancore");
    assert_eq!(leancore.endpoints().at("/oauth2/token"), Some(Endpoint::Token));
    assert_eq!(leancore.token_endpoint("https://auth.leancore.co"), "https://auth.leancore.co/oauth2/token");
    let (request, asked) = token(&leancore, &[FORM, BASIC], "grant_type=client_credentials").unwrap();
    let Credentials::Secret { method, readings } = request.who else { panic!("no secret") };
    assert_eq!(method, AuthMethod::ClientSecretBasic);
    assert_eq!((readings[0].id.as_str(), readings[0].secret.expose()), ("username", "password"));
    assert!(matches!(request.grant, GrantRequest::ClientCredentials { scope: None, .. }));
    assert_eq!(asked, Asked { endpoint: Endpoint::Token, grant: Some(GrantKind::ClientCredentials), basic: true });
}

#[test]
fn the_answer_has_the_refresh_token_last() {
    insta::assert_snapshot!(whole(&dialect("leancore").render_token(&granted(Some("rrr"), None))), @r#"
    200 OK
    cache-control: no-store
    content-type: application/json
    pragma: no-cache

    {"access_token":"aaa.bbb.ccc","token_type":"Bearer","expires_in":3599,"refresh_token":"rrr"}
    "#);
}

#[test]
fn the_header_is_exactly_that_of_the_page() {
    assert_eq!(dialect("leancore").header(Algorithm::Hs256, "k9"), r#"{"alg":"HS256","typ":"JWT"}"#);
}

#[test]
fn a_refused_client_gets_the_answer_of_the_page_with_a_challenge() {
    let leancore = dialect("leancore");
    let grant = Some(GrantKind::ClientCredentials);
    insta::assert_snapshot!(verdict(&leancore, &Refusal::Client(ClientFailure::WrongSecret), grant), @r#"
    401 Unauthorized
    cache-control: no-store
    content-type: application/json
    pragma: no-cache
    www-authenticate: Basic realm="ficha"

    {"error":"invalid_client","error_description":"The client credentials are invalid."}
    "#);
    let one_for_all = [ClientFailure::Unknown, ClientFailure::Disabled, ClientFailure::Method, ClientFailure::NoSecret];
    for failure in one_for_all {
        let answer = verdict(&leancore, &Refusal::Client(failure), grant);
        assert_eq!(answer, verdict(&leancore, &Refusal::Client(ClientFailure::WrongSecret), grant));
    }
}

#[test]
fn everything_else_is_rfc_6749_with_what_to_mend() {
    let leancore = dialect("leancore");
    let short = |refusal| short(&verdict(&leancore, &refusal, None));
    assert_eq!(
        short(Refusal::Scope("cards".parse().unwrap())),
        r#"400 Bad Request {"error":"invalid_scope","error_description":"The scope cards is not granted here."}"#
    );
    assert_eq!(
        short(Refusal::RefreshReplayed),
        r#"400 Bad Request {"error":"invalid_grant","error_description":"The refresh token was used before: authenticate again."}"#
    );
    assert_eq!(
        self::short(&refused(&leancore, &[FORM, BASIC], "grant_type=password&username=a&password=b")),
        r#"400 Bad Request {"error":"unsupported_grant_type","error_description":"This grant_type is not supported here."}"#
    );
    assert_eq!(
        self::short(&refused(&leancore, &[FORM, BASIC], "")),
        r#"400 Bad Request {"error":"invalid_request","error_description":"The parameter grant_type is missing."}"#
    );
}

#[test]
fn a_client_that_sends_nothing_is_told_to_use_basic() {
    let leancore = dialect("leancore");
    let (request, asked) = token(&leancore, &[FORM], "grant_type=client_credentials").unwrap();
    assert!(matches!(request.who, Credentials::None));
    let answer = leancore.render_refusal(&Refusal::NoCredentials, asked);
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["www-authenticate"]),
        (401, &HeaderValue::from_static("Basic realm=\"ficha\""))
    );
}

#[test]
fn refresh_tokens_are_sealed_and_rotate_for_seven_days() {
    let leancore = dialect("leancore");
    let profile = leancore.profile();
    assert_eq!((profile.algorithm, profile.token_lifetime, &profile.reuse), (Algorithm::Hs256, Seconds(3600), &None));
    assert_eq!(profile.grants, [GrantKind::ClientCredentials, GrantKind::RefreshToken]);
    assert_eq!(profile.auth_methods, [AuthMethod::ClientSecretBasic]);
    assert_eq!(profile.kid, KidStyle::Thumbprint);
    let refresh = profile.refresh.as_ref().unwrap();
    assert_eq!((refresh.mode, refresh.form), (RefreshMode::Rotate, RefreshForm::Sealed));
    assert_eq!(
        (refresh.lifetime, refresh.family_lifetime, refresh.retry_window),
        (Seconds::days(7), Seconds::days(30), Seconds(120))
    );
    assert_eq!(refresh.with, [GrantKind::ClientCredentials]);
}
