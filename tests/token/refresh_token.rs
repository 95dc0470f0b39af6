//! The grant `refresh_token`: rotating as LeanCore's, kept as Deyel's.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_tests::claims;

use super::world::{CASES, DEYEL, LEAN, world};

#[test]
fn a_refresh_gives_a_successor_and_a_new_access_token() {
    let world = world();
    let client = world.client("lean", LEAN);
    let first = client.token(&[]).expect(200);
    let second = client.refresh(&first.refresh_token()).expect(200);
    assert_ne!(first.refresh_token(), second.refresh_token());
    assert_ne!(first.access_token(), second.access_token());
    let third = client.refresh(&second.refresh_token()).expect(200);
    assert_ne!(second.refresh_token(), third.refresh_token());
    for answer in [&first, &second, &third] {
        assert!(world.is_active(("lean", "core"), &answer.access_token()));
    }
}

#[test]
fn a_refresh_sent_again_gives_the_same_successor_while_that_is_unused() {
    let world = world();
    let client = world.client("lean", LEAN);
    let first = client.token(&[]).expect(200).refresh_token();
    let answers = [(); 3].map(|()| client.refresh(&first).expect(200));
    let [a, b, c] = answers.each_ref().map(ficha_tests::Answer::refresh_token);
    assert!(a == b && b == c, "a client that lost the answer asks again");
    let [a, b, c] = answers.each_ref().map(|x| claims(&x.access_token())["jti"].clone());
    assert!(a != b && b != c && a != c, "with a new access token each");
}

/// Then those that begin, are refreshed and end together lie together in the database.
#[test]
fn a_family_is_called_by_the_moment_at_which_it_began_and_then_by_chance() {
    let world = world();
    let client = world.client("lean", LEAN);
    let began = |_| {
        let claims = claims(&client.token(&[]).expect(200).access_token());
        let id = URL_SAFE_NO_PAD.decode(&claims["jti"].as_str().unwrap()[..22]).unwrap();
        let (ms, chance) = id.split_first_chunk::<6>().unwrap();
        let ms = ms.iter().fold(0, |ms, byte| ms << 8 | i64::from(*byte));
        assert!((ms / 1000 - claims["iat"].as_i64().unwrap()).abs() < 60, "of the same moment as the token");
        (ms, chance.to_vec())
    };
    let families: Vec<_> = (0..8).map(began).collect();
    assert!(families.is_sorted_by_key(|(ms, _)| *ms));
    assert!(families.windows(2).all(|two| two[0].1 != two[1].1));
}

#[test]
fn of_many_at_once_all_get_the_same_successor() {
    let world = world();
    let client = world.client("lean", LEAN);
    let first = client.token(&[]).expect(200).refresh_token();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..12).map(|_| scope.spawn(|| client.refresh(&first).expect(200))).collect();
        all.into_iter().map(|one| one.join().unwrap().refresh_token()).collect()
    });
    assert!(answers.iter().all(|token| *token == answers[0]));
    client.refresh(&answers[0]).expect(200);
}

#[test]
fn a_replay_revokes_the_family_and_every_access_token_beside_it() {
    let world = world();
    let client = world.client("lean", LEAN);
    let other = client.token(&[]).expect(200);
    let first = client.token(&[]).expect(200);
    let second = client.refresh(&first.refresh_token()).expect(200);
    let third = client.refresh(&second.refresh_token()).expect(200);
    let family = [&first, &second, &third];
    assert!(family.iter().all(|a| world.is_active(("lean", "core"), &a.access_token())));

    let replay = client.refresh(&first.refresh_token());
    assert_eq!(replay.verdict(), "400 invalid_grant");
    for answer in family {
        assert_eq!(client.refresh(&answer.refresh_token()).verdict(), "400 invalid_grant");
        assert!(!world.is_active(("lean", "core"), &answer.access_token()), "by the family's id in its jti");
    }
    assert!(world.is_active(("lean", "core"), &other.access_token()), "another family goes on");
    client.refresh(&other.refresh_token()).expect(200);
}

#[test]
fn a_refresh_token_is_its_clients_alone() {
    let world = world();
    let (client, other) = (world.client("lean", LEAN), world.client("lean", LEAN));
    let answer = client.token(&[]).expect(200);
    assert_eq!(other.refresh(&answer.refresh_token()).verdict(), "400 invalid_grant");
    assert_eq!(client.refresh(&answer.access_token()).verdict(), "400 invalid_grant");
    assert_eq!(client.refresh("frt_").verdict(), "400 invalid_grant");
    assert_eq!(client.refresh("").verdict(), "400 invalid_request");
    let altered = answer.refresh_token().replace("frt_A", "frt_B");
    assert_eq!(client.refresh(&altered).verdict(), "400 invalid_grant");
    client.refresh(&answer.refresh_token()).expect(200);
}

#[test]
fn a_refresh_of_another_issuer_is_none() {
    let world = world();
    let client = world.client("lean", LEAN);
    let token = client.token(&[]).expect(200).refresh_token();
    let lines = "grants = [\"client_credentials\", \"refresh_token\"]\nscopes = { orders = [\"orders:read\"] }";
    world.declare_client("std", (&client.id, &[(&client.secret, false)]), lines);
    let there = world.base("std").post("/oauth/token").basic(&client.id, &client.secret);
    let there = there.form(&[("grant_type", "refresh_token"), ("refresh_token", &token)]);
    assert_eq!(there.send().verdict(), "400 invalid_grant");
}

#[test]
fn a_refresh_looks_at_client_and_scope_anew() {
    let world = world();
    let client = world.client("lean", LEAN);
    let token = client.token(&[]).expect(200).refresh_token();
    let less = LEAN.replace("\"loans:read\", \"loans:write\"", "\"loans:read\"");
    world.declare_client("lean", (&client.id, &[(&client.secret, false)]), &less);
    let answer = client.refresh(&token).expect(200);
    assert_eq!(claims(&answer.access_token())["scope"], "loans:read");
    world.declare_client("lean", (&client.id, &[(&client.secret, false)]), "grants = [\"client_credentials\"]");
    assert_eq!(client.refresh(&answer.refresh_token()).verdict(), "400 unauthorized_client");
}

#[test]
fn deyels_refresh_token_comes_back_byte_for_byte() {
    let world = world();
    let client = world.client("deyel", DEYEL);
    let (name, password) = world.user("deyel", CASES);
    let first = client.login((&name, &password)).expect(200);
    let second = client.refresh(&first.refresh_token()).expect(200);
    let third = client.refresh(&first.refresh_token()).expect(200);
    assert_eq!(first.refresh_token(), second.refresh_token());
    assert_eq!(first.refresh_token(), third.refresh_token());
    let [a, b, c] = [&first, &second, &third].map(|x| claims(&x.access_token())["jti"].clone());
    assert!(a != b && b != c && a != c);
}

#[test]
fn deyels_refresh_takes_the_id_alone_from_a_client_that_may() {
    let world = world();
    let client = world.client("deyel", DEYEL);
    let (name, password) = world.user("deyel", CASES);
    let token = client.login((&name, &password)).expect(200).refresh_token();
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    let by = |secret: &str| client.base.post("/oauth/token").basic(&client.id, secret).form(&pairs).send();
    assert_eq!(by("").expect(200).refresh_token(), token);
    let wrong = by("wrong").expect(401);
    assert_eq!(
        wrong.text(),
        r#"{"errors":[{"message":"Unauthorized","attribute-name":""},{"message":"Invalid refresh token.","attribute-name":"refresh_token"}]}"#,
        "a wrong secret is never taken for none"
    );

    let may_not = DEYEL.replace("refresh_without_secret = true", "");
    world.declare_client("deyel", (&client.id, &[(&client.secret, false)]), &may_not);
    assert_eq!(by("").expect(401).text(), wrong.text());
    by(&client.secret).expect(200);
}

#[test]
fn deyels_refresh_ends_with_the_user() {
    let world = world();
    let client = world.client("deyel", DEYEL);
    let (name, password) = world.user("deyel", CASES);
    let token = client.login((&name, &password)).expect(200).refresh_token();
    let text = world.issuer("deyel");
    world.server.apply(&format!(
        "{text}[[issuer.user]]\nname = \"{name}\"\npassword = {{ file = \"{name}.txt\" }}\nstatus = \"disabled\"\n{CASES}\n"
    ));
    assert_eq!(client.refresh(&token).status, 401);
}
