//! The layer, spoken to over HTTP.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use axum::{
    Extension, Router,
    body::Body,
    http::{HeaderMap, Request},
    routing::{get, post},
};
use ficha_verify::{Claims, ProtectLayer, ScopeTable, Transport, Verifier};
use futures_util::StreamExt;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::{
    issuer::{AUDIENCE, TestClock},
    vouch::{ISSUER, claims, knows_all, set, token, with},
};

fn layer(verifier: Verifier) -> ProtectLayer {
    let rows = [("GET", "/cards/{id}", "cards:get"), ("POST", "/cards/{id}", "cards:create"), ("GET", "/me", "")];
    ProtectLayer::new(verifier, ScopeTable::new(rows).unwrap())
}

/// The API under `layer`, on a port of its own.
async fn serve(layer: ProtectLayer, transport: Option<Transport>) -> String {
    async fn who(claims: Claims) -> String {
        claims.subject().unwrap_or_default().to_owned()
    }
    let mut app: Router = Router::new()
        .route("/cards/{id}", get(who).post(who).delete(who))
        .route("/me", get(who))
        .layer(layer)
        .route("/open", get(who));
    if let Some(transport) = transport {
        app = app.layer(Extension(transport));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

async fn https() -> (String, String) {
    let (verifier, _) = knows_all();
    (serve(layer(verifier), Some(Transport::Https)).await, token("ES256", &claims(ISSUER)))
}

/// Status, challenge and `code` of the answer.
async fn refused(request: RequestBuilder) -> (u16, Option<String>, String) {
    let answer = request.send().await.unwrap();
    let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    (status, challenge, body.get("code").and_then(Value::as_str).unwrap().to_owned())
}

#[tokio::test]
async fn a_token_with_the_scope_gets_in() {
    let (url, token) = https().await;
    let answer = Client::new().get(format!("{url}/cards/7")).bearer_auth(&token).send().await.unwrap();
    assert_eq!((answer.status(), answer.text().await.unwrap().as_str()), (StatusCode::OK, "user-1"));
    for scheme in ["bearer", "BEARER", "Bearer "] {
        let request = Client::new().get(format!("{url}/me")).header("authorization", format!("{scheme} {token}"));
        assert_eq!(request.send().await.unwrap().status(), 200, "{scheme}");
    }
    let head = Client::new().head(format!("{url}/cards/7")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(head.status(), 200);
}

#[tokio::test]
async fn without_a_token_the_challenge_says_no_error() {
    let (url, token) = https().await;
    let request = || Client::new().get(format!("{url}/cards/7"));
    let bare = (401, Some(r#"Bearer realm="api""#.to_owned()), "no_token".to_owned());
    assert_eq!(refused(request()).await, bare);
    assert_eq!(refused(request().header("authorization", "Basic YTpi")).await, bare);
    assert_eq!(refused(request().header("authorization", format!("DPoP {token}"))).await, bare);
    let body: Value = request().send().await.unwrap().json().await.unwrap();
    assert_eq!(body.get("error"), None);
}

#[tokio::test]
async fn a_bad_token_is_401_invalid_token() {
    let (url, _) = https().await;
    let expired = token("ES256", &with(claims(ISSUER), &json!({"exp": 7})));
    let answer = refused(Client::new().get(format!("{url}/cards/7")).bearer_auth(expired)).await;
    let challenge =
        r#"Bearer realm="api", error="invalid_token", error_description="The token has expired: get a new one.""#;
    assert_eq!(answer, (401, Some(challenge.to_owned()), "expired".to_owned()));
}

#[tokio::test]
async fn a_missing_scope_is_403_and_named() {
    let (url, token) = https().await;
    let (status, challenge, code) = refused(Client::new().post(format!("{url}/cards/7")).bearer_auth(token)).await;
    assert_eq!((status, code.as_str()), (403, "insufficient_scope"));
    let challenge = challenge.unwrap();
    assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
    assert!(challenge.ends_with(r#", scope="cards:create""#), "{challenge}");
}

#[tokio::test]
async fn what_has_no_row_is_refused_after_the_token_was_seen() {
    let (url, token) = https().await;
    for (method, path) in [("DELETE", "/cards/7"), ("GET", "/nothing"), ("GET", "/cards/7/"), ("OPTIONS", "/me")] {
        let request = || Client::new().request(method.parse().unwrap(), format!("{url}{path}"));
        let (status, _, code) = refused(request().bearer_auth(&token)).await;
        assert_eq!((status, code.as_str()), (403, "no_route"), "{method} {path}");
        let (status, _, code) = refused(request()).await;
        assert_eq!((status, code.as_str()), (401, "no_token"), "{method} {path}");
    }
}

#[tokio::test]
async fn a_malformed_header_is_400() {
    let (url, token) = https().await;
    let request = || Client::new().get(format!("{url}/cards/7"));
    for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer ===", "Bearer a,b", "Bearer a\u{e9}", "Bearer \"a\""] {
        let value = reqwest::header::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        let (status, challenge, code) = refused(request().header("authorization", value.clone())).await;
        assert_eq!((status, code.as_str()), (400, "malformed_header"), "{value:?}");
        assert!(challenge.unwrap().contains(r#"error="invalid_request""#));
    }
    let twice = request().bearer_auth(&token).header("authorization", format!("Bearer {token}"));
    assert_eq!(refused(twice).await.2, "malformed_header");
}

#[tokio::test]
async fn a_token_in_the_url_is_400_and_one_in_a_form_is_none() {
    let (url, token) = https().await;
    for name in ["access_token", "access%5Ftoken"] {
        let request = || Client::new().get(format!("{url}/cards/7?{name}={token}"));
        assert_eq!(refused(request()).await.2, "token_in_query");
        let (status, _, code) = refused(request().bearer_auth(&token)).await;
        assert_eq!((status, code.as_str()), (400, "token_in_query"));
    }
    let form = Client::new().post(format!("{url}/cards/7")).form(&[("access_token", &token)]);
    assert_eq!(refused(form).await.2, "no_token");
}

#[tokio::test]
async fn what_did_not_come_by_https_is_refused_before_the_token_is_looked_at() {
    let (verifier, _) = knows_all();
    let token = token("ES256", &claims(ISSUER));
    for transport in [None, Some(Transport::Http), Some(Transport::LoopbackHttp)] {
        let url = serve(layer(verifier.clone()), transport).await;
        let request = Client::new().get(format!("{url}/cards/7?access_token=x")).bearer_auth(&token);
        let (status, _, code) = refused(request).await;
        assert_eq!((status, code.as_str()), (400, "insecure_transport"), "{transport:?}");
    }
}

#[tokio::test]
async fn loopback_passes_where_it_is_allowed_and_plain_http_never() {
    let (verifier, _) = knows_all();
    let token = token("ES256", &claims(ISSUER));
    for (transport, status) in [(Transport::LoopbackHttp, 200), (Transport::Http, 400), (Transport::Https, 200)] {
        let url = serve(layer(verifier.clone()).allow_loopback_http(), Some(transport)).await;
        let answer = Client::new().get(format!("{url}/cards/7")).bearer_auth(&token).send().await.unwrap();
        assert_eq!(answer.status(), status, "{transport:?}");
    }
}

#[tokio::test]
async fn the_server_may_tell_the_transport_itself() {
    let (verifier, _) = knows_all();
    let told = layer(verifier).transport_by(|parts| match parts.headers.get("x-came-by") {
        Some(value) if value == "https" => Transport::Https,
        _ => Transport::Http,
    });
    let url = serve(told, None).await;
    let token = token("ES256", &claims(ISSUER));
    let request = || Client::new().get(format!("{url}/me")).bearer_auth(&token);
    assert_eq!(request().header("x-came-by", "https").send().await.unwrap().status(), 200);
    assert_eq!(request().send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn an_issuer_that_is_away_is_503_and_no_challenge() {
    let (address, _kept) = crate::issuer::Issuer::away();
    let verifier = Verifier::builder(ISSUER, AUDIENCE).clock(TestClock::at_noon().reading());
    let verifier = verifier.jwks_url(&format!("http://{address}/jwks")).build().unwrap();
    let url = serve(layer(verifier), Some(Transport::Https)).await;
    let request = || Client::new().get(format!("{url}/me")).bearer_auth(token("k", &claims(ISSUER)));
    assert_eq!(refused(request()).await, (503, None, "keys_unavailable".to_owned()));
    assert_eq!(request().send().await.unwrap().headers()["retry-after"], "5");
}

/// How many pieces of 64 KiB are read of a refused request's body that has so many.
async fn pieces_read(of: usize) -> usize {
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    let pieces = futures_util::stream::iter(0..of).map(move |_| {
        counted.fetch_add(1, Relaxed);
        Ok::<_, Infallible>(vec![b'x'; 64 * 1024])
    });
    let (verifier, _) = knows_all();
    let app: Router = Router::new().route("/cards/{id}", post(|| async {})).layer(layer(verifier));
    let request = Request::post("/cards/7").extension(Transport::Https).body(Body::from_stream(pieces)).unwrap();
    assert_eq!(app.oneshot(request).await.unwrap().status(), 401);
    read.load(Relaxed)
}

#[tokio::test]
async fn the_body_of_a_refused_request_is_read_first_within_bounds() {
    assert_eq!(pieces_read(16).await, 16);
    assert_eq!(pieces_read(10_000).await, 17);
}

#[tokio::test]
async fn a_route_that_is_not_protected_has_no_claims() {
    let (url, token) = https().await;
    let answer = Client::new().get(format!("{url}/open")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), 500);
}

#[tokio::test]
async fn who_prints_the_headers_further_in_prints_no_token() {
    let (verifier, _) = knows_all();
    let headers = get(|headers: HeaderMap| async move { format!("{headers:?}") });
    let app: Router = Router::new().route("/me", headers).layer(layer(verifier));
    let token = token("ES256", &claims(ISSUER));
    let request = Request::get("/me").header("authorization", format!("Bearer {token}"));
    let request = request.extension(Transport::Https).body(Body::empty()).unwrap();
    let answer = app.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let printed = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
    assert!(!String::from_utf8_lossy(&printed).contains(&token));
}

#[tokio::test]
async fn a_kid_no_longer_in_a_fixed_set_is_no_key() {
    let verifier = Verifier::builder(ISSUER, AUDIENCE).clock(TestClock::at_noon().reading()).keys(set(&["k"]));
    let url = serve(layer(verifier.build().unwrap()), Some(Transport::Https)).await;
    let request = Client::new().get(format!("{url}/me")).bearer_auth(token("gone", &claims(ISSUER)));
    assert_eq!(refused(request).await.2, "unknown_key");
}
