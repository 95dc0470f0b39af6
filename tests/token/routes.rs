//! Which issuer answers where.

use serde_json::json;

use super::world::{LEAN, STD, world};

#[test]
fn the_host_picks_the_issuer_and_an_unknown_one_is_421() {
    let world = world();
    let call = |host: &str| world.server.https().host(host, "/std").get("/.well-known/jwks.json");
    call("localhost:8443").expect(200);
    call("LOCALHOST:8443").expect(200);
    call("localhost:8080").expect(200);
    for unknown in ["localhost:1", "nowhere.example", "127.0.0.1:8443", "localhost.:1"] {
        let refused = call(unknown);
        assert_eq!(refused.status, 421, "{unknown}");
        assert_eq!(refused.header("content-type"), Some("application/json"));
    }
}

#[test]
fn the_host_alone_decides_never_the_name_in_the_handshake() {
    let world = world();
    let door = world.server.https();
    // The certificate is for localhost alone: another name could not be verified, so the Host is what differs.
    door.host("nowhere.example", "/std").get("/.well-known/jwks.json").expect(421);
    door.host("localhost:8443", "/std").get("/.well-known/jwks.json").expect(200);
}

#[test]
fn a_request_without_a_host_or_with_two_is_refused() {
    let world = world();
    let door = world.server.http();
    let answer = door.send(b"GET /std/.well-known/jwks.json HTTP/1.1\r\n\r\n");
    assert_eq!(answer.status, 400, "{}", answer.whole());
    let absolute = b"GET http://localhost:8080/std/.well-known/jwks.json HTTP/1.1\r\n\r\n";
    assert_eq!(door.send(absolute).status, 400);
    // What would be its body is not waited for.
    assert_eq!(door.send(b"GET /std/.well-known/jwks.json HTTP/1.1\r\nContent-Length: 5\r\n\r\n").status, 400);
    let two = b"GET /std/.well-known/jwks.json HTTP/1.1\r\nHost: localhost:8080\r\nHost: nowhere.example\r\n\r\n";
    assert_eq!(door.send(two).status, 400);
}

#[test]
fn an_unknown_path_is_404() {
    let world = world();
    for path in ["/", "/nothing", "/oauth/tokens", "/oauth/token/", "/oauth2/token", "/oauth/token/revoke"] {
        world.base("std").get(path).expect(404);
    }
    world.server.https().base("").get("/nobody/oauth/token").expect(404);
    world.server.https().base("").get("/stdx/oauth/token").expect(404);
}

#[test]
fn the_longest_prefix_wins_by_whole_segments() {
    let world = world();
    let issuer = |name: &str, prefix: &str, audience: &str| {
        format!(
            "[[issuer]]\nname = \"{name}\"\ndialect = \"standard\"\nbase_urls = [\"https://localhost:8443{prefix}\"]\n\
             [[issuer.api]]\nname = \"a\"\naudience = \"{audience}\"\nscopes = [\"x\"]\n"
        )
    };
    let outer = issuer("outer", "/outer", "https://outer.example");
    world.server.apply(&(outer.clone() + &issuer("inner", "/outer/inner", "https://inner.example")));
    let iss = |prefix: &str| {
        world.server.https().base(prefix).get("/.well-known/oauth-authorization-server").expect(200).member("issuer")
    };
    assert_eq!(iss("/outer"), "https://localhost:8443/outer");
    assert_eq!(iss("/outer/inner"), "https://localhost:8443/outer/inner");
    world.server.https().base("/outer/innermost").get("/.well-known/oauth-authorization-server").expect(404);
    let file = world.server.file("hidden.toml", &issuer("hidden", "/outer/oauth", "https://hidden.example"));
    let refused = world.server.cli(&["apply", &file]);
    assert_ne!(refused.code, 0, "a path of the shorter one begins with the longer one's prefix");
    assert!(refused.stderr.contains("/outer/oauth"), "{}", refused.stderr);
    let file = world.server.file("equal.toml", &issuer("equal", "/outer", "https://equal.example"));
    assert_ne!(world.server.cli(&["apply", &file]).code, 0, "two base URLs are equal");
}

#[test]
fn metadata_is_at_both_places_and_names_the_canonical_urls_whatever_was_asked() {
    let world = world();
    let iss = "https://localhost:8443/std";
    let expected = json!({
        "issuer": iss,
        "token_endpoint": format!("{iss}/oauth/token"),
        "jwks_uri": format!("{iss}/.well-known/jwks.json"),
        "revocation_endpoint": format!("{iss}/oauth/revoke"),
        "introspection_endpoint": format!("{iss}/oauth/introspect"),
        "grant_types_supported": ["client_credentials", "refresh_token"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_feed_endpoint": format!("{iss}/oauth/revocations"),
        "revocation_feed_jwks_uri": format!("{iss}/oauth/revocations/jwks.json"),
    });
    for door in [world.server.https(), world.server.http()] {
        for path in ["/.well-known/oauth-authorization-server/std", "/std/.well-known/oauth-authorization-server"] {
            let answer = door.base("").get(path).expect(200);
            assert_eq!(answer.json(), expected);
            assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
        }
    }
    world.server.https().base("").get("/.well-known/oauth-authorization-server/nobody").expect(404);
    world.server.https().base("").get("/.well-known/oauth-authorization-server").expect(404);
    let lean = world.server.https().base("").get("/.well-known/oauth-authorization-server/lean").expect(200);
    assert_eq!(lean.member("token_endpoint"), "https://localhost:8443/lean/oauth2/token");
    assert_eq!(lean.json()["token_endpoint_auth_methods_supported"], json!(["client_secret_basic"]));
}

#[test]
fn an_alias_answers_with_the_canonical_issuer() {
    let world = world();
    let client = world.client("std", STD);
    let alias = world.server.http().base("/std").post("/oauth/token").basic(&client.id, &client.secret);
    let token = alias.form(&[("grant_type", "client_credentials")]).send().expect(200).access_token();
    assert_eq!(ficha_tests::claims(&token)["iss"], "https://localhost:8443/std");
    assert!(world.is_active(("std", "orders"), &token));
}

#[test]
fn issuers_are_kept_apart() {
    let world = world();
    let client = world.client("std", STD);
    let there = world.base("lean").post("/oauth2/token").basic(&client.id, &client.secret);
    assert_eq!(there.form(&[("grant_type", "client_credentials")]).send().verdict(), "401 invalid_client");
    let namesake = world.client("lean", LEAN);
    world.declare_client("std", (&namesake.id, &[(&client.secret, false)]), STD);
    assert_eq!(
        world
            .base("std")
            .post("/oauth/token")
            .basic(&namesake.id, &namesake.secret)
            .form(&[("grant_type", "client_credentials")])
            .send()
            .verdict(),
        "401 invalid_client"
    );
    namesake.token(&[]).expect(200);
}

#[test]
fn one_issuer_may_speak_two_dialects_over_the_same_clients() {
    let world = world();
    let text = r#"
[[issuer]]
name = "both"
dialect = "standard"
base_urls = ["https://localhost:8443/both", { url = "https://localhost:8443/old", dialect = "pomelo" }]
[[issuer.api]]
name = "both-api"
audience = "https://both.example"
scopes = ["x"]
secrets = ["sha256:{sha}"]
[[issuer.client]]
id = "both-app"
secrets = ["sha256:{sha}"]
grants = ["client_credentials"]
scopes = { both-api = ["x"] }
"#;
    let secret = ficha_tests::secrets::fresh("a client's secret");
    world.server.apply(&text.replace("{sha}", &ficha_tests::secrets::sha256(&secret)));
    let door = world.server.https();
    let standard = door.base("/both").post("/oauth/token").basic("both-app", &secret);
    let standard = standard.form(&[("grant_type", "client_credentials")]).send().expect(200).access_token();
    let body = json!({ "client_id": "both-app", "client_secret": secret, "audience": "https://both.example",
        "grant_type": "client_credentials" });
    let pomelo = || door.base("/old").post("/oauth/token").json(&body).send().expect(200).access_token();
    let old = pomelo();
    assert_eq!(old, pomelo());
    let claims = ficha_tests::claims(&old);
    assert_eq!((&claims["iss"], &claims["gty"]), (&"https://localhost:8443/both".into(), &"client-credentials".into()));
    for token in [&standard, &old] {
        for base in ["/both", "/old"] {
            let ask = door.base(base).post("/oauth/introspect").basic("both-api", &secret).form(&[("token", token)]);
            assert_eq!(ask.send().expect(200).json()["active"], true);
        }
    }
}
