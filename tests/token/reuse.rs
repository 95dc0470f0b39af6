//! The same token until it expires, as Pomelo's.

use ficha_tests::{Answer, Config, eventually};

use super::world::{Client, POMELO, World, what_is_left, world};

const CARDS: &str = "https://cards.example";

fn token(client: &Client) -> String {
    client.pomelo("/oauth/token", CARDS).expect(200).access_token()
}

#[test]
fn every_request_gets_the_same_token_and_what_is_left_of_it() {
    let world = world();
    let client = world.client("pomelo", POMELO);
    let said = |answer: &Answer| answer.json()["expires_in"].as_i64().unwrap();
    let (first, _) = what_is_left(|| client.pomelo("/oauth/token", CARDS).expect(200));
    let own = ficha_tests::claims(&first.access_token());
    assert_eq!(own["exp"].as_i64().unwrap() - own["iat"].as_i64().unwrap(), 86_400);
    let mut left = said(&first);
    eventually("what is left gets less", || {
        let (again, _) = what_is_left(|| client.pomelo("/oauth/v1/token", CARDS).expect(200));
        assert_eq!(again.access_token(), first.access_token());
        let now = said(&again);
        assert!(now <= left, "{now} after {left}");
        left = now;
        now < said(&first)
    });
    assert!(ficha_tests::claims(&token(&client))["exp"] == own["exp"]);
}

#[test]
fn of_fifty_first_requests_at_once_all_get_one_token() {
    let world = world();
    let client = world.client("pomelo", POMELO);
    let start = std::sync::Barrier::new(50);
    let tokens: Vec<_> = std::thread::scope(|scope| {
        let ask = || {
            start.wait();
            token(&client)
        };
        let all: Vec<_> = (0..50).map(|_| scope.spawn(ask)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(tokens.iter().all(|t| *t == tokens[0]));
}

#[test]
fn another_scope_another_api_another_client_have_tokens_of_their_own() {
    let world = world();
    let (client, other) = (world.client("pomelo", POMELO), world.client("pomelo", POMELO));
    let ask = |scope: &str| {
        let body = serde_json::json!({ "client_id": client.id, "client_secret": client.secret, "audience": CARDS,
            "grant_type": "client_credentials", "scope": scope });
        client.base.post("/oauth/token").json(&body).send().expect(200).access_token()
    };
    let all = token(&client);
    assert_ne!(ask("arg:cards:get-card"), all);
    assert_eq!(ask("arg:cards:get-card"), ask("arg:cards:get-card"));
    assert_eq!(ask("arg:cards:create-card arg:cards:get-card"), all, "the same scope in other words");
    assert_ne!(token(&other), all);
    assert_ne!(client.pomelo("/oauth/token", "https://brief.example").expect(200).access_token(), all);
}

#[test]
fn shortly_before_it_expires_there_is_a_new_one_and_the_old_one_stays_valid() {
    let world = world();
    let client = world.client("pomelo", POMELO);
    // It lives 62 s, and 60 s before its end a new one comes.
    let ask = || what_is_left(|| client.pomelo("/oauth/token", "https://brief.example").expect(200));
    let (mut last, _) = ask();
    let first = last.access_token();
    eventually("a new token", || {
        let (answer, left) = ask();
        assert!(left > 60, "nobody is handed a token with no life left: {left}");
        last = answer;
        last.access_token() != first
    });
    assert!(world.is_active(("pomelo", "brief"), &first));
    assert!(world.is_active(("pomelo", "brief"), &last.access_token()));
}

#[test]
fn after_a_restart_it_is_the_same_token() {
    let mut world = World::with(Config::new());
    let client = world.client("pomelo", POMELO);
    let before = token(&client);
    world.server.restart();
    assert_eq!(token(&client), before);
    world.server.kill();
    world.server.start();
    assert_eq!(token(&client), before);
    assert!(world.is_active(("pomelo", "cards"), &before));
}

#[test]
fn a_change_of_the_clients_secret_or_scope_ends_it_at_once() {
    let world = world();
    let client = world.client("pomelo", POMELO);
    let first = token(&client);
    let second_secret = ficha_tests::secrets::fresh("a client's secret");
    let both = [(client.secret.as_str(), false), (second_secret.as_str(), false)];
    world.declare_client("pomelo", (&client.id, &both), POMELO);
    let second = token(&client);
    assert_ne!(second, first);
    let less = POMELO.replace(", \"arg:cards:create-card\"", "");
    world.declare_client("pomelo", (&client.id, &both), &less);
    let third = token(&client);
    assert_ne!(third, second);
    assert_eq!(ficha_tests::claims(&third)["scope"], "arg:cards:get-card");
    world.declare_client("pomelo", (&client.id, &both), &format!("{less}\nstatus = \"disabled\""));
    assert_eq!(client.pomelo("/oauth/token", CARDS).status, 401);
    world.declare_client("pomelo", (&client.id, &both), &format!("{less}\nstatus = \"enabled\""));
    assert_ne!(token(&client), third);
}

#[test]
fn with_a_wrong_secret_nobody_gets_the_live_token() {
    let world = world();
    let client = world.client("pomelo", POMELO);
    token(&client);
    let thief = Client { base: client.base.clone(), id: client.id.clone(), secret: "wrong".into() };
    assert_eq!(thief.pomelo("/oauth/token", CARDS).verdict(), "401 access_denied");
    token(&client);
}

#[test]
fn beyond_sixteen_sets_of_scopes_tokens_are_fresh_and_nothing_more_is_kept() {
    let world = World::with(Config::new());
    let names: Vec<_> = (0..20).map(|n| format!("\"s{n}\"")).collect();
    world.server.apply(&format!(
        "{}[[issuer.api]]\nname = \"many\"\naudience = \"https://many.example\"\nscopes = [{}]\nsecrets = [\"sha256:{}\"]\n",
        world.issuer("pomelo"),
        names.join(", "),
        ficha_tests::secrets::sha256(&world.api_secret("cards"))
    ));
    let client = world.client("pomelo", &format!("grants = [\"client_credentials\"]\nscopes = {{ many = [{}] }}\nproperties = {{ pomelo_client_id = \"0\" }}", names.join(", ")));
    let ask = |scope: &str| {
        let body = serde_json::json!({ "client_id": client.id, "client_secret": client.secret, "scope": scope,
            "audience": "https://many.example", "grant_type": "client_credentials" });
        client.base.post("/oauth/token").json(&body).send().expect(200).access_token()
    };
    let round = || (0..20).map(|n| ask(&format!("s{n}"))).collect::<Vec<_>>();
    let (first, second) = (round(), round());
    assert_eq!(first[..16], second[..16]);
    assert!(first[16..].iter().zip(&second[16..]).all(|(a, b)| a != b), "at most 16 are kept");
    assert_eq!(world.count("live_tokens"), 16);
}
