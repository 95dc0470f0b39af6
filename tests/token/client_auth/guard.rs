//! Who guesses is slowed, and nobody else.

use ficha_tests::{Answer, Config, secrets};

use crate::world::{LEAN, STD, World, world};

const CC: [(&str, &str); 1] = [("grant_type", "client_credentials")];

fn ask(world: &World, id: &str, secret: &str) -> Answer {
    world.base("std").post("/oauth/token").basic(id, secret).form(&CC).send()
}

#[test]
fn after_ten_failures_a_chosen_secret_waits_even_when_it_is_right() {
    let world = world();
    let client = world.client("std", STD);
    for _ in 0..10 {
        assert_eq!(ask(&world, &client.id, "wrong").verdict(), "401 invalid_client");
    }
    for secret in ["wrong", &client.secret] {
        let refused = ask(&world, &client.id, secret).expect(429);
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=301).contains(&wait), "{wait}");
        assert_eq!(refused.header("cache-control"), Some("no-store"));
    }
    let other = world.client("std", STD);
    ask(&world, &other.id, &other.secret).expect(200);
    let elsewhere = world.client("lean", LEAN);
    elsewhere.token(&[]).expect(200);
}

#[test]
fn a_right_generated_secret_never_waits() {
    let world = world();
    let (id, secret) = (world.name("made"), secrets::fresh("a generated secret"));
    world.declare_client("std", (&id, &[(&secret, true)]), STD);
    for _ in 0..12 {
        let status = ask(&world, &id, "wrong").status;
        assert!(status == 401 || status == 429, "{status}");
        ask(&world, &id, &secret).expect(200);
    }
    assert_eq!(ask(&world, &id, "wrong").status, 429);
    ask(&world, &id, &secret).expect(200);
}

#[test]
fn a_client_that_does_not_exist_is_counted_alike() {
    let world = world();
    let name = world.name("nobody");
    let statuses: Vec<_> = (0..12).map(|_| ask(&world, &name, "wrong").status).collect();
    assert_eq!(statuses, [[401; 10].as_slice(), &[429; 2]].concat());
}

#[test]
fn an_api_that_guesses_waits_too() {
    let world = World::with(Config::new());
    let ask =
        |secret: &str| world.base("std").post("/oauth/introspect").basic("orders", secret).form(&[("token", "x")]);
    for _ in 0..10 {
        ask("wrong").send().expect(401);
    }
    ask(&world.api_secret("orders")).send().expect(429);
}

#[test]
fn other_addresses_are_not_slowed() {
    let world = World::with(Config::new().with("listen", "trusted_proxies = [\"127.0.0.0/8\"]"));
    let client = world.client("std", STD);
    let from = |address: &str, secret: &str| {
        let call = world.server.http().base("/std").post("/oauth/token").basic(&client.id, secret).form(&CC);
        call.header("X-Forwarded-For", address).header("X-Forwarded-Proto", "https").send().status
    };
    for _ in 0..10 {
        assert_eq!(from("192.0.2.1", "wrong"), 401);
    }
    assert_eq!(from("192.0.2.1", &client.secret), 429);
    assert_eq!(from("192.0.2.2", &client.secret), 200);
    for n in 0..10 {
        assert_eq!(from(&format!("2001:db8:1:1::{n}"), "wrong"), 401);
    }
    assert_eq!(from("2001:db8:1:1:ffff::1", &client.secret), 429, "IPv6 by /64");
    assert_eq!(from("2001:db8:1:2::1", &client.secret), 200);
}

#[test]
fn a_client_may_have_a_rate() {
    let world = world();
    let client = world.client("std", &format!("{STD}\nmax_per_second = 1"));
    let statuses: Vec<_> = (0..20).map(|_| client.token(&[]).status).collect();
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
}
