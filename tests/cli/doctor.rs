//! `ficha doctor`.

use std::{fs, os::unix::fs::PermissionsExt};

use ficha_tests::{Addresses, Config, Server};
use serde_json::Value;

use crate::site::Site;

#[test]
fn what_rfc_9700_advises_against_is_named_with_the_way_out() {
    let server = Server::dev(Addresses::Own);
    let findings = server.cli(&["doctor", "--json"]).done().json();
    let findings = findings.as_array().unwrap();
    for (issuer, what) in [
        ("deyel", "may use the grant password"),
        ("deyel", "refreshes without a secret"),
        ("deyel", "keeps refresh tokens unrotated"),
        ("leancore", "verifies by HS256"),
        ("pomelo", "has a secret that somebody chose"),
    ] {
        let found = findings.iter().find(|f| f["issuer"] == issuer && f["what"].as_str().unwrap().contains(what));
        let found = found.unwrap_or_else(|| panic!("{what}: {findings:#?}"));
        assert!(found["severity"] == "warning" && !found["way_out"].as_str().unwrap().is_empty());
    }
    let text = server.cli(&["doctor"]).done().stdout;
    assert!(text.contains("RFC 9700") && text.contains("way out:"), "{text}");
}

#[test]
fn a_secret_file_that_others_may_read_is_an_error() {
    let site = Site::new(Config::new());
    site.run("doctor").done();
    let key = site.server.config().dir().join("server.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let mut site = site;
    site.server.restart();
    let said = site.run("doctor").expect(1);
    assert!(said.stdout.contains("server.key") && said.stdout.contains("ERROR"), "{said:?}");
    assert_eq!(site.run("doctor --json").code, 1);
}

/// What was found of an issuer, or of the server.
fn found<'f>(findings: &'f Value, issuer: Option<&str>, what: &str) -> &'f Value {
    let is = |f: &&Value| f["issuer"].as_str() == issuer && f["what"].as_str().unwrap().contains(what);
    findings.as_array().unwrap().iter().find(is).unwrap_or_else(|| panic!("{what}: {findings:#?}"))
}

#[test]
fn a_host_that_no_certificate_is_for_is_told_unless_a_proxy_ends_tls() {
    let declared = "[[issuer]]\nname = \"far\"\ndialect = \"standard\"\n\
                    base_urls = [\"https://far.example:1\", \"https://localhost:8443/far\"]\n";
    let site = Site::new(Config::new());
    site.server.apply(declared);
    let findings = site.run("doctor --json").expect(1).json();
    let bare = found(&findings, Some("far"), "no certificate is for far.example");
    assert_eq!(bare["severity"], "error");
    assert!(!bare["what"].as_str().unwrap().contains("localhost"), "{bare}");
    assert_eq!(found(&findings, Some("far"), "https://far.example:1")["severity"], "note");

    let site = Site::new(Config::new().with("listen", "trusted_proxies = [\"10.9.8.7\"]"));
    site.server.apply(declared);
    let findings = site.run("doctor --json").done().stdout;
    assert!(!findings.contains("far.example"), "{findings}");
}

#[test]
fn a_certificate_that_can_not_be_loaded_again_is_an_error() {
    let site = Site::new(Config::new());
    fs::write(site.server.config().dir().join("server.pem"), "nonsense").unwrap();
    let findings = site.run("doctor --json").expect(1).json();
    assert_eq!(found(&findings, None, "server.pem")["severity"], "error");
}

#[test]
fn a_row_that_can_not_be_read_is_told_and_all_others_are_looked_at() {
    let site = Site::new(Config::new());
    site.run("client add a-first --api cards --grant client_credentials --grant password").done();
    site.run("client add b-torn --api cards").done();
    let cheap = "$argon2id$v=19$m=1024,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    site.server.apply(&format!("{}[[issuer.user]]\nname = \"cheap\"\npassword = \"{cheap}\"\n", site.issuer()));
    let store = rusqlite::Connection::open(site.server.data.join("ficha.db")).unwrap();
    store.execute_batch("UPDATE clients SET record = '{}' WHERE id = 'b-torn'").unwrap();
    let findings = site.run("doctor --json").expect(1).json();
    assert_eq!(found(&findings, Some("acme"), "clients after a-first can't be read")["severity"], "error");
    found(&findings, Some("acme"), "client a-first may use the grant password");
    found(&findings, Some("acme"), "user cheap has a password hash");
}
