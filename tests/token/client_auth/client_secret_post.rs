//! The secret in the body.

use serde_json::json;

use crate::world::{LEAN, POMELO, STD, world};

#[test]
fn a_form_may_hold_it_where_the_dialect_says_so() {
    let world = world();
    for (issuer, lines, expected) in [("std", STD, "200"), ("lean", LEAN, "401 invalid_client")] {
        let client = world.client(issuer, lines);
        let body = [
            ("grant_type", "client_credentials"),
            ("client_id", client.id.as_str()),
            ("client_secret", client.secret.as_str()),
        ];
        assert_eq!(client.base.post(client.path()).form(&body).send().verdict(), expected);
    }
}

#[test]
fn json_may_hold_it_where_the_dialect_says_so() {
    let world = world();
    let client = world.client("pomelo", POMELO);
    let body = json!({ "client_id": client.id, "client_secret": client.secret, "grant_type": "client_credentials",
        "audience": "https://cards.example" });
    client.base.post("/oauth/token").json(&body).send().expect(200);
    let wrong = json!({ "client_id": client.id, "client_secret": "wrong", "grant_type": "client_credentials",
        "audience": "https://cards.example" });
    let refused = client.base.post("/oauth/token").json(&wrong).send().expect(401);
    assert_eq!(refused.text(), r#"{"error":"access_denied","error_description":"Unauthorized"}"#);
    client.base.post("/oauth/token").json(&body).header("Authorization", "Basic YTpi").send().expect(400);
}

#[test]
fn the_id_alone_proves_nothing() {
    let world = world();
    let client = world.client("std", STD);
    let body = [("grant_type", "client_credentials"), ("client_id", client.id.as_str())];
    assert_eq!(client.base.post("/oauth/token").form(&body).send().verdict(), "401 invalid_client");
    let empty = [body[0], body[1], ("client_secret", "")];
    assert_eq!(client.base.post("/oauth/token").form(&empty).send().verdict(), "401 invalid_client");
}
