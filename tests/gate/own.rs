//! `/verify` of `ficha serve`: the issuer's own process answers.

use ficha_tests::Door;

use crate::site::{Site, verdict};

fn site() -> Site {
    Site::new(|config| {
        let listen = format!("listen = [\"{}:9091\"]\nrules = \"rules.toml\"", config.places.https.ip());
        config.with("gate", &listen)
    })
}

#[test]
fn a_revoked_token_is_refused_at_once() {
    let site = site();
    let token = site.token("cards:read");
    for _ in 0..2 {
        let answer = site.ask("GET", "/cards/7", &token).expect(200);
        assert_eq!(answer.header("x-client-id"), Some("my%20app"));
        assert_eq!(answer.header("x-scope"), Some("cards:read"));
    }
    assert_eq!(verdict(&site.ask("GET", "/cards/7", &site.token("cards:write"))), "403 insufficient_scope");
    assert_eq!(verdict(&site.ask("GET", "/cards/7", "x.y.z")), "401 inactive");
    site.issuer.cli(&["token", "revoke", "--client", "my app"]).done();
    assert_eq!(verdict(&site.ask("GET", "/cards/7", &token)), "401 inactive");
    let metrics = site.issuer.ops().base("").get("/metrics").expect(200);
    for line in [
        "ficha_gate_answers_total{outcome=\"passed\"} 2",
        "ficha_gate_answers_total{outcome=\"scope\"} 1",
        "ficha_gate_answers_total{outcome=\"token\"} 2",
    ] {
        assert!(metrics.text().lines().any(|l| l == line), "{line}");
    }
}

#[test]
fn an_issuer_that_is_not_declared_yet_lets_nothing_pass_and_is_found_once_it_is() {
    let mut issuer = String::new();
    let site = Site::new(|config| {
        let ip = config.places.https.ip();
        issuer = format!("https://{ip}:8443/later");
        let rules = std::fs::read_to_string(config.dir().join("rules.toml")).unwrap().replace("/acme", "/later");
        config.file("rules.toml", &rules);
        config.with("gate", &format!("listen = [\"{ip}:9091\"]\nrules = \"rules.toml\""))
    });
    assert_eq!(verdict(&site.ask("GET", "/cards/7", &site.token("cards:read"))), "503 introspection_unavailable");
    site.issuer.apply(&format!(
        "[[issuer]]\nname = \"later\"\ndialect = \"standard\"\nbase_urls = [\"{issuer}\"]\n\
         [[issuer.api]]\nname = \"cards\"\naudience = \"{}\"\nscopes = [\"cards:read\"]\n",
        crate::site::AUDIENCE
    ));
    assert_eq!(
        verdict(&site.ask("GET", "/cards/7", &site.token("cards:read"))),
        "401 inactive",
        "a token of the other issuer"
    );
}

#[test]
fn verify_is_answered_at_no_other_listener() {
    let site = site();
    for (method, path, status) in [("GET", "/", 404), ("GET", "/oauth/token", 404), ("POST", "/verify", 405)] {
        let answer = Door::plain(site.at(9091)).base("").call(method, path).send();
        assert_eq!(answer.status, status, "{method} {path}");
    }
    let answer = site.issuer.https().base("").get("/verify");
    assert_eq!(answer.status, 421);
}
