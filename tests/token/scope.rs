//! Scope, audience and resource.

use super::world::{DEYEL, LEAN, STD, world};

#[test]
fn less_scope_than_held_is_granted_in_the_order_of_the_api() {
    let world = world();
    let client = world.client("std", STD);
    assert_eq!(client.token(&[("scope", "orders:write orders:read")]).member("scope"), "orders:read orders:write");
    assert_eq!(client.token(&[("scope", "orders:write")]).member("scope"), "orders:write");
    assert_eq!(client.token(&[("scope", "orders:write orders:write")]).member("scope"), "orders:write");
}

#[test]
fn more_scope_than_held_is_invalid_and_named() {
    let world = world();
    let client = world.client("std", STD);
    for asked in ["orders:cancel", "orders:read orders:cancel", "reports:read"] {
        let answer = client.token(&[("scope", asked)]);
        assert_eq!(answer.verdict(), "400 invalid_scope");
        assert!(answer.member("error_description").contains(asked.rsplit(' ').next().unwrap()), "{}", answer.text());
    }
}

#[test]
fn audience_and_resource_name_the_api_and_must_agree() {
    let world = world();
    let client = world.client("std", STD);
    let (orders, reports) = ("https://orders.example", "https://reports.example");
    assert_eq!(client.token(&[("audience", reports)]).member("scope"), "reports:read");
    assert_eq!(client.token(&[("resource", reports)]).member("scope"), "reports:read");
    assert_eq!(client.token(&[("resource", reports), ("audience", reports)]).member("scope"), "reports:read");
    for wrong in [
        &[("resource", reports), ("audience", orders)][..],
        &[("resource", reports), ("resource", orders)],
        &[("resource", reports), ("resource", reports)],
        &[("audience", "https://nowhere.example")],
        &[("audience", "https://hs.example")],
    ] {
        assert_eq!(client.token(wrong).verdict(), "400 invalid_target", "{wrong:?}");
    }
    assert_eq!(client.token(&[("audience", orders), ("audience", orders)]).verdict(), "400 invalid_request");
}

#[test]
fn without_a_name_it_is_the_default_api_else_the_only_one_else_nothing() {
    let world = world();
    let only = world.client("std", "grants = [\"client_credentials\"]\nscopes = { reports = [\"reports:read\"] }");
    assert_eq!(only.token(&[]).member("scope"), "reports:read");
    let several = "grants = [\"client_credentials\"]\nscopes = { reports = [\"reports:read\"], rs = [\"x\"] }";
    assert_eq!(world.client("std", several).token(&[]).verdict(), "400 invalid_target");
    assert_eq!(world.client("std", STD).token(&[]).member("scope"), "orders:read orders:write");
}

#[test]
fn a_refresh_may_ask_for_less_and_never_for_more_than_the_first_answer() {
    let world = world();
    let client = world.client("lean", LEAN);
    let first = client.token(&[("scope", "loans:read")]).expect(200);
    let refresh =
        |token: &str, scope| client.ask(&[("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)]);
    assert_eq!(refresh(&first.refresh_token(), "loans:write").verdict(), "400 invalid_scope");
    let again = refresh(&first.refresh_token(), "loans:read").expect(200);
    assert_eq!(ficha_tests::claims(&again.access_token())["scope"], "loans:read");
    let whole = client.token(&[]).expect(200);
    let less = refresh(&whole.refresh_token(), "loans:write").expect(200);
    assert_eq!(ficha_tests::claims(&less.access_token())["scope"], "loans:write");
    // Asking for less once takes nothing from the refresh token itself (RFC 6749 §6).
    let all = client.refresh(&less.refresh_token()).expect(200);
    assert_eq!(ficha_tests::claims(&all.access_token())["scope"], "loans:read loans:write");
}

#[test]
fn a_users_scope_is_what_client_and_user_hold_both() {
    let world = world();
    let client = world.client("deyel", DEYEL);
    let (name, password) = world.user("deyel", "scopes = { rest = [\"cases:read\", \"users:read\"] }");
    let token = client.login((&name, &password)).expect(200).access_token();
    assert_eq!(ficha_tests::claims(&token)["scope"], "cases:read users:read");
}
