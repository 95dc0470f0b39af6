//! `ficha doctor`.

use std::{fs, os::unix::fs::PermissionsExt};

use ficha_tests::{Addresses, Config, Server};

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
