//! "Everything issued until now is dead": for a client, for a client at an API, for a user, for an issuer.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_tests::{Config, claims, secrets};

use super::world::{CASES, DEYEL, LEAN, POMELO, STD, World, world};

/// The HS256 secret of an API.
pub(crate) fn exported(world: &World, issuer: &str, api: &str) -> Vec<u8> {
    let shown = world.server.cli(&["key", "export", "--api", api, "--issuer", issuer, "--json"]).done().json();
    let secret = shown["secret"].as_str().unwrap();
    secrets::note("an API's signing secret", secret);
    URL_SAFE_NO_PAD.decode(secret).unwrap()
}

fn revoke(world: &World, args: &[&str]) {
    world.server.cli(&[&["token", "revoke"], args].concat()).done();
}

#[test]
fn a_clients_tokens_end_and_the_next_one_is_good() {
    let world = world();
    let (client, other) = (world.client("lean", LEAN), world.client("lean", LEAN));
    let (before, others) = (client.token(&[]).expect(200), other.token(&[]).expect(200));
    revoke(&world, &["--client", &client.id, "--issuer", "lean"]);
    assert!(!world.is_active(("lean", "core"), &before.access_token()));
    assert_eq!(client.refresh(&before.refresh_token()).verdict(), "400 invalid_grant");
    assert!(world.is_active(("lean", "core"), &others.access_token()));
    let after = client.token(&[]).expect(200);
    assert!(world.is_active(("lean", "core"), &after.access_token()), "no token is born dead");
    assert!(claims(&after.access_token())["iat"].as_i64() > claims(&before.access_token())["iat"].as_i64());
    client.refresh(&after.refresh_token()).expect(200);
}

#[test]
fn at_one_api_only_that_apis_tokens_end() {
    let world = world();
    let client = world.client("std", STD);
    let ask = |api: &str| client.token(&[("audience", &format!("https://{api}.example"))]).expect(200).access_token();
    let (orders, reports) = (ask("orders"), ask("reports"));
    revoke(&world, &["--client", &client.id, "--api", "orders", "--issuer", "std"]);
    assert!(!world.is_active(("std", "orders"), &orders));
    assert!(world.is_active(("std", "reports"), &reports));
    assert!(world.is_active(("std", "orders"), &ask("orders")));
}

#[test]
fn a_users_tokens_end_and_not_another_ones() {
    let world = world();
    let client = world.client("deyel", DEYEL);
    let (ana, ben) = (world.user("deyel", CASES), world.user("deyel", CASES));
    let (hers, his) = (client.login((&ana.0, &ana.1)).expect(200), client.login((&ben.0, &ben.1)).expect(200));
    revoke(&world, &["--user", &ana.0, "--issuer", "deyel"]);
    assert!(!world.is_active(("deyel", "rest"), &hers.access_token()));
    client.refresh(&hers.refresh_token()).expect(401);
    assert!(world.is_active(("deyel", "rest"), &his.access_token()));
    client.refresh(&his.refresh_token()).expect(200);
    let again = client.login((&ana.0, &ana.1)).expect(200);
    assert!(world.is_active(("deyel", "rest"), &again.access_token()));
}

#[test]
fn an_issuers_tokens_end_all_of_them() {
    let world = World::with(Config::new());
    let (client, pomelo) = (world.client("lean", LEAN), world.client("pomelo", POMELO));
    let other = world.client("lean", LEAN);
    let cards = || pomelo.pomelo("/oauth/token", "https://cards.example").expect(200).access_token();
    let (one, two, live) = (client.token(&[]).expect(200), other.token(&[]).expect(200), cards());
    revoke(&world, &["--issuer", "lean"]);
    for answer in [&one, &two] {
        assert!(!world.is_active(("lean", "core"), &answer.access_token()));
        assert_eq!(client.refresh(&answer.refresh_token()).verdict(), "400 invalid_grant");
    }
    assert!(world.is_active(("pomelo", "cards"), &live));
    revoke(&world, &["--issuer", "pomelo"]);
    assert!(!world.is_active(("pomelo", "cards"), &live));
    let next = cards();
    assert!(next != live && world.is_active(("pomelo", "cards"), &next));
}

#[test]
fn one_token_ends_by_its_jti() {
    let world = world();
    let client = world.client("std", STD);
    let (gone, stays) = (client.token(&[]).expect(200).access_token(), client.token(&[]).expect(200).access_token());
    let jti = claims(&gone)["jti"].as_str().unwrap().to_owned();
    revoke(&world, &["--jti", &jti, "--issuer", "std", "--api", "reports"]);
    assert!(world.is_active(("std", "orders"), &gone), "it concerns another API");
    revoke(&world, &["--jti", &jti, "--issuer", "std"]);
    assert!(!world.is_active(("std", "orders"), &gone));
    assert!(world.is_active(("std", "orders"), &stays));
}

#[test]
fn a_refresh_token_ends_by_its_jti_with_the_tokens_beside_it() {
    let world = world();
    let (lean, deyel) = (world.client("lean", LEAN), world.client("deyel", DEYEL));
    let (name, password) = world.user("deyel", CASES);
    let (sealed, jwt) = (lean.token(&[]).expect(200), deyel.login((&name, &password)).expect(200));
    let jti = |token: &str| claims(token)["jti"].as_str().unwrap().to_owned();
    let (of_lean, of_deyel) = (jti(&sealed.access_token())[..22].to_owned(), jti(&jwt.refresh_token()));
    for (client, api, answer, jti) in
        [(&lean, ("lean", "core"), sealed, of_lean), (&deyel, ("deyel", "rest"), jwt, of_deyel)]
    {
        assert!(world.is_active(api, &answer.access_token()));
        revoke(&world, &["--jti", &jti, "--issuer", api.0]);
        assert!(!world.is_active(api, &answer.access_token()), "{api:?}");
        assert!([400, 401].contains(&client.refresh(&answer.refresh_token()).status), "{api:?}");
    }
}

#[test]
fn a_live_token_that_was_revoked_by_its_jti_is_not_handed_out_again() {
    let world = world();
    let client = world.client("pomelo", POMELO);
    let ask = || client.pomelo("/oauth/token", "https://cards.example").expect(200).access_token();
    let first = ask();
    let jti = claims(&first)["jti"].as_str().unwrap().to_owned();
    revoke(&world, &["--jti", &jti, "--issuer", "pomelo"]);
    assert!(!world.is_active(("pomelo", "cards"), &first));
    let next = ask();
    assert!(next != first && world.is_active(("pomelo", "cards"), &next));
}

#[test]
fn disabling_ends_tokens_unless_they_are_to_be_kept() {
    let world = world();
    let client = world.client("lean", LEAN);
    let token = client.token(&[]).expect(200).access_token();
    let command = |args: &[&str]| {
        world.server.cli(&[&["client"], args, &[&client.id, "--issuer", "lean"]].concat()).done();
    };
    command(&["disable", "--keep-tokens"]);
    assert_eq!(client.token(&[]).verdict(), "401 invalid_client");
    command(&["enable"]);
    assert!(world.is_active(("lean", "core"), &token), "it was kept");
    command(&["disable"]);
    assert!(!world.is_active(("lean", "core"), &token));
    command(&["enable"]);
    assert!(!world.is_active(("lean", "core"), &token), "enabling does not undo it");
    let next = client.token(&[]).expect(200).access_token();
    assert!(world.is_active(("lean", "core"), &next));
}

#[test]
fn a_new_password_ends_what_was_issued_unless_it_is_to_be_kept() {
    let world = world();
    let client = world.client("deyel", DEYEL);
    let (name, password) = world.user("deyel", CASES);
    let first = client.login((&name, &password)).expect(200);
    let set = |more: &[&str]| {
        let new = secrets::fresh("a password");
        let file = world.server.file(&format!("{name}.new"), &new);
        let args = ["user", "password", &name, "--issuer", "deyel", "--password-file", &file];
        world.server.cli(&[&args, more].concat()).done();
        new
    };
    let second_password = set(&["--keep-tokens"]);
    assert_eq!(client.login((&name, &password)).status, 400);
    assert!(world.is_active(("deyel", "rest"), &first.access_token()));
    client.refresh(&first.refresh_token()).expect(200);
    client.login((&name, &second_password)).expect(200);
    let third = set(&[]);
    assert!(!world.is_active(("deyel", "rest"), &first.access_token()));
    client.refresh(&first.refresh_token()).expect(401);
    client.login((&name, &third)).expect(200);
}
