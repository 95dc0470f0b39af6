//! Every operation with and without its scope.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode, header},
};
use cards_api::{OPERATIONS, PlainHttp, router};
use ficha_jose::{SigningKey, jws};
use ficha_verify::{Algorithm, Transport, UnixSeconds, Verifier};
use serde_json::{Value, json};
use tower::ServiceExt;

const NOW: i64 = 1_800_000_000;
const SECRET: [u8; 32] = [1; 32];

fn api() -> Router {
    let verifier = Verifier::builder("https://issuer.example", "https://auth-dev.pomelo.la");
    let verifier = verifier.clock(|| UnixSeconds(NOW)).shared_secret(&SECRET).build().unwrap();
    router(verifier, PlainHttp::Refused)
}

fn token(scope: &str) -> String {
    let key = SigningKey::from_private(Algorithm::Hs256, &SECRET).unwrap();
    // Claims as Pomelo's tokens have them.
    let claims = json!({
        "https://pomelo.la/client_id": "0".repeat(64), "iss": "https://issuer.example", "sub": "app@clients",
        "aud": "https://auth-dev.pomelo.la", "iat": NOW, "exp": NOW + 86_400, "azp": "app", "scope": scope,
        "gty": "client-credentials",
    });
    jws::compact(br#"{"alg":"HS256","typ":"JWT","kid":"k"}"#, claims.to_string().as_bytes(), &key).unwrap()
}

async fn ask(api: &Router, (method, path): (&str, &str), scope: &str, body: Option<Value>) -> (StatusCode, Value) {
    let mut request = Request::builder()
        .method(method.parse::<Method>().unwrap())
        .uri(path)
        .extension(Transport::Https)
        .header(header::AUTHORIZATION, format!("Bearer {}", token(scope)));
    let body = match body {
        None => Body::empty(),
        Some(json) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(json.to_string())
        }
    };
    let answer = api.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let status = answer.status();
    let bytes = to_bytes(answer.into_body(), 1_000_000).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn each_operation_needs_its_own_scope() {
    let api = api();
    for (method, path, needed) in OPERATIONS {
        let (path, body) = (path.replace("{id}", "none"), Some(json!({})));
        let others: Vec<&str> = OPERATIONS.iter().map(|row| row.2).filter(|scope| *scope != needed).collect();
        let (status, answer) = ask(&api, (method, &path), &others.join(" "), body.clone()).await;
        assert_eq!((status, answer.get("error")), (StatusCode::FORBIDDEN, Some(&json!("insufficient_scope"))));
        let description = answer.get("error_description").and_then(Value::as_str).unwrap();
        assert!(description.contains(needed), "{description}");
        let (status, _) = ask(&api, (method, &path), needed, body).await;
        // What the handler says to this id and this body; the token has passed.
        let expected = match (method, path.as_str()) {
            ("POST", "/cards" | "/users") => StatusCode::UNPROCESSABLE_ENTITY,
            ("GET", "/cards" | "/users") => StatusCode::OK,
            _ => StatusCode::NOT_FOUND,
        };
        assert_eq!(status, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn a_card_is_made_for_a_user_and_activated() {
    let (api, all) = (api(), OPERATIONS.map(|row| row.2).join(" "));
    let (status, user) = ask(&api, ("POST", "/users"), &all, Some(json!({"name": "Luz", "surname": "Paz"}))).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(user, json!({"data": {"id": "usr-2", "name": "Luz", "surname": "Paz", "status": "ACTIVE"}}));
    assert_eq!(ask(&api, ("GET", "/users/usr-2"), &all, None).await, (StatusCode::OK, user));

    let new = json!({"user_id": "usr-2", "card_type": "PHYSICAL"});
    let (status, card) = ask(&api, ("POST", "/cards"), &all, Some(new)).await;
    assert_eq!(status, StatusCode::CREATED);
    let mut expected = json!({"data": {
        "id": "crd-2", "user_id": "usr-2", "card_type": "PHYSICAL", "last_four": "0002", "status": "CREATED",
        "created_by": "app",
    }});
    assert_eq!(card, expected);
    let (status, card) = ask(&api, ("POST", "/cards/crd-2/activate"), &all, None).await;
    expected.pointer_mut("/data/status").map(|status| *status = json!("ACTIVE")).unwrap();
    assert_eq!((status, &card), (StatusCode::OK, &expected));
    assert_eq!(ask(&api, ("GET", "/cards/crd-2"), &all, None).await, (StatusCode::OK, expected));

    let count = async |path| {
        let (_, found) = ask(&api, ("GET", path), &all, None).await;
        found.pointer("/data").and_then(Value::as_array).map(Vec::len)
    };
    assert_eq!(count("/cards").await, Some(2));
    assert_eq!(count("/cards?user_id=usr-2").await, Some(1));
    assert_eq!(count("/users").await, Some(2));
}

#[tokio::test]
async fn a_bad_body_is_refused_as_json() {
    let (api, all) = (api(), OPERATIONS.map(|row| row.2).join(" "));
    for (path, body) in [
        ("/users", json!({"name": "", "surname": "b"})),
        ("/users", json!({"name": "a\n", "surname": "b"})),
        ("/users", json!({"name": "a".repeat(101), "surname": "b"})),
        ("/users", json!({"name": 7})),
        ("/cards", json!({"user_id": "usr-99", "card_type": "VIRTUAL"})),
        ("/cards", json!({"user_id": "usr-1", "card_type": "GOLD"})),
    ] {
        let (status, answer) = ask(&api, ("POST", path), &all, Some(body.clone())).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(answer.get("error_description").is_some());
    }
    let large = json!({"name": "a".repeat(70_000), "surname": "b"});
    assert_eq!(ask(&api, ("POST", "/users"), &all, Some(large)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(ask(&api, ("POST", "/users"), &all, None).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn nothing_is_served_without_a_word_about_the_transport() {
    let token = token("arg:cards:get-card");
    let request = Request::get("/cards/crd-1").header(header::AUTHORIZATION, format!("Bearer {token}"));
    let answer = api().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn what_makes_something_needs_a_fresh_feed() {
    let options = format!("{:?}", cards_api::feed("cards", "secret".to_owned()));
    assert!(!options.contains("secret"), "{options}");
    let writes = OPERATIONS.iter().filter(|(method, ..)| *method == "POST").count();
    assert_eq!(options.matches("create-").count() + options.matches("activate-").count(), writes, "{options}");
}
