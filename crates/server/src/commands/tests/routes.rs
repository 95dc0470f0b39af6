use axum::{Router, body::Body};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

/// The routes, and the folder that must stay as long as they are asked.
async fn routes() -> (Router, tempfile::TempDir) {
    let Bench { operator, _data: data, .. } = Bench::with("standard").await;
    (ficha_admin::router(Arc::new(operator)), data)
}

async fn ask(router: &Router, (method, path): (Method, &str), body: &str) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
    request.extensions_mut().insert(Actor::uid(7));
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_client_is_added_shown_and_disabled() {
    let (router, _data) = routes().await;
    let new = json!({ "id": "a/b", "grants": ["client_credentials"], "whole_apis": ["cards"] }).to_string();
    let (status, shown) = ask(&router, (Method::POST, "/v1/issuers/acme/clients"), &new).await;
    assert_eq!((status, shown["owner"].as_str()), (StatusCode::OK, Some("a/b")));
    assert!(shown["secret"].as_str().unwrap().starts_with("fcs_"));
    let (status, client) = ask(&router, (Method::GET, "/v1/issuers/acme/clients/a%2Fb"), "").await;
    assert_eq!((status, client["status"].as_str()), (StatusCode::OK, Some("enabled")));
    assert!(!client.to_string().contains("digest"));
    let (status, _) = ask(&router, (Method::POST, "/v1/issuers/acme/clients/a%2Fb/disable"), "{}").await;
    assert_eq!(status, StatusCode::OK);
    let (_, page) = ask(&router, (Method::GET, "/v1/issuers/acme/clients?limit=1"), "").await;
    assert_eq!((page.as_array().unwrap().len(), page[0]["status"].as_str()), (1, Some("disabled")));
}

#[tokio::test]
async fn what_is_wrong_is_told_in_json_with_a_hint() {
    let (router, _data) = routes().await;
    for (method, path, body, status, error) in [
        (Method::GET, "/v1/nothing", "", StatusCode::NOT_FOUND, "not_found"),
        (Method::DELETE, "/v1/issuers", "", StatusCode::METHOD_NOT_ALLOWED, "not_found"),
        (Method::GET, "/v1/issuers/nobody", "", StatusCode::NOT_FOUND, "not_found"),
        (Method::GET, "/v1/issuers/Not%20A%20Name", "", StatusCode::BAD_REQUEST, "malformed"),
        (Method::GET, "/v1/issuers/acme/clients/nobody", "", StatusCode::NOT_FOUND, "not_found"),
        (Method::GET, "/v1/issuers/acme/clients?limit=5000", "", StatusCode::BAD_REQUEST, "malformed"),
        (Method::POST, "/v1/issuers/acme/clients", "{\"id\":", StatusCode::BAD_REQUEST, "malformed"),
        (Method::DELETE, "/v1/issuers/acme/clients/app/secrets/none", "", StatusCode::UNPROCESSABLE_ENTITY, "refused"),
    ] {
        let (got, body) = ask(&router, (method, path), body).await;
        assert_eq!((got, body["error"].as_str()), (status, Some(error)), "{path}");
        assert!(!body["message"].as_str().unwrap().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_understood_is_not_repeated() {
    let (router, _data) = routes().await;
    let body = "{\"password\": \"Tr0ub4dor\", \"keep_tokens\": \"Tr0ub4dor\"}";
    let (status, told) = ask(&router, (Method::POST, "/v1/issuers/acme/users/ana/password"), body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!told.to_string().contains("Tr0ub4dor"), "{told}");
}

#[tokio::test]
async fn no_act_goes_without_a_name() {
    let (router, _data) = routes().await;
    let request = Request::post("/v1/issuers/acme/clients/app/enable").body(Body::empty()).unwrap();
    assert_eq!(router.oneshot(request).await.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
}
