//! The grant `password`.

use std::time::{Duration, Instant};

use ficha_tests::{Config, Connection, Parts, Server, claims, verified_by};

use super::world::{CASES, DEYEL, World, world};

#[test]
fn a_login_gives_the_two_tokens_of_deyel_exactly() {
    let world = world();
    let client = world.client("deyel", DEYEL);
    let (name, password) = world.user("deyel", CASES);
    let answer = client.login((&name, &password)).expect(200);
    let (access, refresh) = (answer.access_token(), answer.refresh_token());
    assert_eq!(
        answer.text(),
        format!(
            r#"{{"access_token":"{access}","refresh_token":"{refresh}","token_type":"Bearer","expires_in":86400}}"#
        )
    );
    let (iss, id) = (client.base.url(), &client.id);
    let own = claims(&access);
    let sub = own["sub"].as_str().unwrap();
    assert!(sub != name && sub != id, "{sub}");
    let (iat, exp, jti) = (own["iat"].as_i64().unwrap(), own["exp"].as_i64().unwrap(), own["jti"].as_str().unwrap());
    assert_eq!(exp - iat, 86_400);
    assert_eq!(
        Parts::of(&access),
        Parts {
            header: r#"{"kid":"k1","alg":"RS256"}"#.into(),
            claims: format!(
                r#"{{"iss":"{iss}","sub":"{sub}","aud":"https://rest.example","client_id":"{id}","iat":{iat},"exp":{exp},"jti":"{jti}","scope":"cases:read cases:write"}}"#
            )
        }
    );
    let kept = claims(&refresh);
    let (family, until) = (kept["jti"].as_str().unwrap(), kept["exp"].as_i64().unwrap());
    assert!(jti.starts_with(family), "the access token's jti begins with its family's id: {jti} {family}");
    assert_eq!(until - iat, 30 * 86_400);
    assert_eq!(Parts::of(&refresh).header, r#"{"kid":"k1","alg":"RS256"}"#);
    assert_eq!((&kept["aud"], &kept["token_use"]), (&format!("{iss}/oauth/token").into(), &"refresh".into()));

    let keys = client.base.get("/.well-known/jwks.json");
    assert_eq!(keys.json()["keys"].as_array().unwrap().len(), 1, "the key of refresh tokens is never published");
    assert_eq!(verified_by(&keys, &access, "https://rest.example"), Some(own));
    assert_eq!(
        verified_by(&keys, &refresh, &format!("{iss}/oauth/token")),
        None,
        "no API takes it for an access token"
    );
}

#[test]
fn every_refusal_of_a_user_leaves_after_300_ms_at_the_earliest_and_is_the_same() {
    let world = world();
    let client = world.client("deyel", DEYEL);
    let (name, password) = world.user("deyel", CASES);
    let (gone, its_password) = world.user("deyel", &format!("{CASES}\nstatus = \"disabled\""));
    let too_long = "x".repeat(300);
    let mut answers = Vec::new();
    for (name, password) in [
        (name.as_str(), "wrong"),
        ("nobody", password.as_str()),
        (gone.as_str(), its_password.as_str()),
        (too_long.as_str(), "wrong"),
        ("ana\0", "wrong"),
    ] {
        let begun = Instant::now();
        let answer = client.login((name, password));
        assert!(begun.elapsed() >= Duration::from_millis(300), "{name}: {:?}", begun.elapsed());
        answers.push(answer.expect(400).whole());
    }
    assert!(answers.iter().all(|a| *a == answers[0]), "{answers:#?}");
    assert!(answers[0].ends_with(r#"{"error_description":"Invalid client_id","error":"Invalid_request"}"#));
}

#[test]
fn a_user_that_was_guessed_at_waits_and_another_one_does_not() {
    let world = world();
    let client = world.client("deyel", DEYEL);
    let (name, password) = world.user("deyel", CASES);
    let (other, others) = world.user("deyel", CASES);
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| assert_eq!(client.login((&name, "wrong")).status, 400));
        }
    });
    let refused = client.login((&name, &password)).expect(429);
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    client.login((&other, &others)).expect(200);
    // Who does not exist is counted alike.
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| assert_eq!(client.login(("no-such-user", "wrong")).status, 400));
        }
    });
    assert_eq!(client.login(("no-such-user", "wrong")).status, 429);
}

#[test]
fn a_full_queue_of_hashes_is_503_and_never_a_refusal() {
    let limits = "hashing_threads = 1\nhashing_queue = 1\nheader_timeout_s = 60";
    let world = World::with(Config::new().with("limits", limits));
    let client = world.client("deyel", DEYEL);
    let (name, password) = world.user("deyel", CASES);
    let login = client.call(&[("grant_type", "password"), ("username", &name), ("password", &password)]);
    let connected = || {
        let mut connection = login.connect();
        // The handshakes are made before: they take as long as hashes do, and the requests would come one by one.
        connection.write(b"").unwrap();
        connection
    };
    let connections: Vec<_> = (0..24).map(|_| connected()).collect();
    let start = std::sync::Barrier::new(24);
    let ask = |mut connection: Connection| {
        start.wait();
        connection.write(&login.bytes()).unwrap();
        connection.read_answer(false).unwrap()
    };
    let ask = &ask;
    let answers: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = connections.into_iter().map(|one| scope.spawn(move || ask(one))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let statuses: std::collections::BTreeSet<_> = answers.iter().map(|a| a.status).collect();
    assert_eq!(statuses, [200, 503].into(), "some are served, the others told to come again");
    let busy = answers.iter().find(|a| a.status == 503).unwrap();
    assert!(
        busy.header("retry-after").is_some() && busy.text().contains("temporarily_unavailable"),
        "{}",
        busy.whole()
    );
}

#[test]
fn an_imported_hash_is_verified_and_upgraded_at_the_login() {
    let world = world();
    let client = world.client("deyel", DEYEL);
    let hashes = [
        // `deyel123` by bcrypt, cost 5.
        bcrypt::hash("deyel123", 5).unwrap(),
        // The same by PBKDF2 with SHA-256, 1000 iterations.
        pbkdf2("deyel123", b"a salt of 16 byt"),
    ];
    for hash in hashes {
        let name = world.name("imported");
        let text = world.issuer("deyel");
        world
            .server
            .apply(&format!("{text}[[issuer.user]]\nname = \"{name}\"\npassword = {{ hash = '{hash}' }}\n{CASES}\n"));
        assert_eq!(client.login((&name, "deyel124")).status, 400);
        assert!(record(&world.server, &name).contains(&hash), "a wrong password upgrades nothing");
        client.login((&name, "deyel123")).expect(200);
        assert!(record(&world.server, &name).contains("$argon2id$v=19$m=19456,t=2,p=1$"));
        client.login((&name, "deyel123")).expect(200);
        assert_eq!(client.login((&name, "deyel124")).status, 400);
    }
}

fn pbkdf2(password: &str, salt: &[u8; 16]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
    let key = pbkdf2_by_hand(password.as_bytes(), salt, 1000);
    format!("$pbkdf2-sha256$i=1000${}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(key))
}

/// PBKDF2 (RFC 8018 §5.2) with one block, written out: the test's own opinion.
fn pbkdf2_by_hand(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let hmac = |message: &[u8]| {
        let pad = |with: u8| -> Vec<u8> { (0..64).map(|i| password.get(i).copied().unwrap_or(0) ^ with).collect() };
        let inner = ficha_jose::sha256(&[pad(0x36), message.to_vec()].concat());
        ficha_jose::sha256(&[pad(0x5c), inner.to_vec()].concat())
    };
    let mut round = hmac(&[salt, &1_u32.to_be_bytes()].concat());
    let mut key = round;
    for _ in 1..iterations {
        round = hmac(&round);
        key.iter_mut().zip(round).for_each(|(k, r)| *k ^= r);
    }
    key
}

/// What the database holds of a user.
fn record(server: &Server, name: &str) -> String {
    server.query(&format!("SELECT record FROM users WHERE name = '{name}'"))
}
