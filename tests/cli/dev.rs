//! `ficha dev`.

use ficha_tests::{Addresses, Config, Server, dev, ficha};

fn live(server: &Server) -> String {
    let body = serde_json::json!({ "client_id": "3LBFuOiEHrl4BailkRlsnIMmSctMLb7A",
        "client_secret": "s5u3oYK0-A9CV6TkszPQThUa_qxMfr2yyd3-eJwQ", "audience": "https://auth-dev.pomelo.la",
        "grant_type": "client_credentials" });
    server.https().base("/pomelo").post("/oauth/token").json(&body).send().expect(200).access_token()
}

#[test]
fn started_again_it_goes_on_with_what_there_is() {
    let mut server = Server::dev(Addresses::Own);
    let (token, ca) = (live(&server), std::fs::read(server.ca()).unwrap());
    server.restart();
    assert_eq!(live(&server), token);
    assert_eq!(std::fs::read(server.ca()).unwrap(), ca);
}

#[test]
fn it_listens_on_the_loopback_only() {
    let folder = tempfile::tempdir().unwrap();
    for option in ["--https", "--http", "--api"] {
        let said = ficha(folder.path(), ["dev", option, "0.0.0.0:0"]);
        assert!(said.code == 2 && said.stderr.contains("loopback"), "{option}: {said:?}");
    }
    let said = ficha(folder.path(), ["dev", "--ops", "nowhere"]).expect(2);
    assert!(said.stderr.contains("--ops nowhere"), "{said:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn it_ends_its_print_with_one_line_once_everything_answers() {
    let server = Server::dev(Addresses::Own);
    let said = server.said("out");
    assert_eq!(said.lines().last(), Some("ficha is ready"));
    assert_eq!(said.matches("ficha is ready").count(), 1);
    for url in [
        "https://localhost:8443/leancore",
        "https://localhost:8443/deyel",
        "https://localhost:8443/pomelo",
        "https://localhost:8444/",
    ] {
        assert!(said.contains(url), "{url}: {said}");
    }
}

#[test]
fn its_example_api_takes_tokens_of_pomelo_by_https_alone() {
    let server = Server::dev(Addresses::Own);
    // By its own address it can't reach the issuer, which is known as localhost: what needs no key is all that is seen here.
    let cards = |token: Option<&str>| {
        let call = server.api().base("").call("GET", "/cards/crd-1");
        token.map_or(call.clone(), |t| call.header("Authorization", &format!("Bearer {t}"))).send()
    };
    let nobody = cards(None).expect(401);
    assert_eq!(nobody.header("www-authenticate").map(|w| w.contains("error=")), Some(false));
    let refused = cards(Some("nonsense")).expect(401);
    assert!(refused.header("www-authenticate").unwrap().contains("invalid_token"));
}

#[test]
fn it_leaves_the_folder_of_serve_as_it_was() {
    let mut server = Server::serve(Config::new());
    assert_eq!(server.stop(), 0);
    let files = || {
        let names = std::fs::read_dir(&server.data).unwrap().map(|e| e.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let before = files();
    let said = dev(server.dir(), &server.data).expect(1);
    assert!(said.stderr.contains("was made by `ficha serve`"), "{said:?}");
    assert_eq!(files(), before);
}
