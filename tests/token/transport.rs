//! Secure transport: nothing is looked at that did not come by HTTPS, but on the loopback where an issuer allows it.

use ficha_tests::{Call, Config, secrets};

use super::world::{STD, World, world};

const CC: [(&str, &str); 1] = [("grant_type", "client_credentials")];

#[test]
fn plain_http_is_refused_and_told_that_https_is_needed() {
    let world = world();
    let secret = secrets::fresh("a client's secret");
    world.server.apply(&format!(
        "[[issuer]]\nname = \"strict\"\ndialect = \"standard\"\nbase_urls = [\"https://localhost:8443/strict\", \"https://strict.example:*\"]\n\
         [[issuer.api]]\nname = \"a\"\naudience = \"https://a.example\"\nscopes = [\"x\"]\n\
         [[issuer.client]]\nid = \"app\"\ngrants = [\"client_credentials\"]\nsecrets = [\"sha256:{}\"]\nscopes = {{ a = [\"x\"] }}\n",
        secrets::sha256(&secret)
    ));
    for secret in [secret.as_str(), "wrong"] {
        let refused = world.server.http().host("strict.example", "").post("/oauth/token").basic("app", secret);
        let refused = refused.form(&CC).send();
        assert_eq!(refused.verdict(), "400 invalid_request", "the same before credentials are looked at");
        assert!(refused.member("error_description").contains("HTTPS"), "{}", refused.text());
        assert_eq!(refused.header("location"), None, "never redirected");
    }
    let secure = world.server.https().host("strict.example", "").post("/oauth/token").basic("app", &secret);
    secure.form(&CC).send().expect(200);
    world.server.http().host("strict.example", "").get("/.well-known/jwks.json").expect(400);
}

#[test]
fn the_loopback_is_believed_only_without_a_forwarding_header() {
    let world = world();
    let client = world.client("std", STD);
    let call = || world.server.http().base("/std").post("/oauth/token").basic(&client.id, &client.secret).form(&CC);
    call().send().expect(200);
    for (name, value) in [
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "localhost:8443"),
        ("Forwarded", "for=192.0.2.1;proto=https"),
    ] {
        let refused = call().header(name, value).send();
        assert_eq!(refused.verdict(), "400 invalid_request", "{name}");
    }
}

fn behind_a_proxy() -> World {
    World::with(Config::new().with("listen", "trusted_proxies = [\"127.0.0.0/8\"]"))
}

#[test]
fn a_trusted_proxy_says_whether_it_was_secure_and_for_which_host() {
    let world = behind_a_proxy();
    let client = world.client("std", STD);
    let call = |host: &str| -> Call {
        world.server.http().host(host, "/std").post("/oauth/token").basic(&client.id, &client.secret).form(&CC)
    };
    call("localhost:8443").header("X-Forwarded-Proto", "https").send().expect(200);
    call("localhost:8443").header("Forwarded", "for=192.0.2.1;proto=https").send().expect(200);
    let through = call("inside.example").header("X-Forwarded-Proto", "https");
    through.header("X-Forwarded-Host", "localhost:8443").send().expect(200);
    call("inside.example").header("X-Forwarded-Proto", "https").send().expect(421);
    for refused in [
        call("localhost:8443"),
        call("localhost:8443").header("X-Forwarded-Proto", "http"),
        call("localhost:8080").header("X-Forwarded-For", "127.0.0.1"),
    ] {
        assert_eq!(refused.send().verdict(), "400 invalid_request", "a proxy is no loopback peer");
    }
}

#[test]
fn from_anybody_else_forwarding_headers_count_for_nothing() {
    let world = world();
    let client = world.client("std", STD);
    let call = world.server.https().base("/std").post("/oauth/token").basic(&client.id, &client.secret).form(&CC);
    call.header("X-Forwarded-Proto", "http").header("X-Forwarded-Host", "nowhere.example").send().expect(200);
}
