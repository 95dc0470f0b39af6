//! The `client_id` alone: for `refresh_token` only, and for clients that may. The grant itself is tested in `refresh_token.rs`.

use crate::world::{CASES, DEYEL, LEAN, world};

#[test]
fn it_is_never_enough_for_another_grant() {
    let world = world();
    let client = world.client("deyel", DEYEL);
    let (name, password) = world.user("deyel", CASES);
    let login = [("grant_type", "password"), ("username", name.as_str()), ("password", password.as_str())];
    client.base.post("/oauth/token").basic(&client.id, "").form(&login).send().expect(401);
    client.base.post("/oauth/token").basic(&client.id, &client.secret).form(&login).send().expect(200);
}

#[test]
fn a_dialect_that_does_not_know_it_refuses_it_whatever_the_client_may() {
    let world = world();
    let client = world.client("lean", &format!("{LEAN}\nrefresh_without_secret = true"));
    let token = client.token(&[]).expect(200).refresh_token();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    let refused = client.base.post("/oauth2/token").basic(&client.id, "").form(&refresh).send();
    assert_eq!(refused.verdict(), "401 invalid_client");
    client.refresh(&token).expect(200);
}
