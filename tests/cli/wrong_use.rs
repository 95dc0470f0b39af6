//! Exit codes and words for wrong use.

use ficha_tests::{Addresses, Server, ficha};

use crate::site::site;

#[test]
fn wrong_use_ends_with_2_and_says_what_is_right() {
    let folder = tempfile::tempdir().unwrap();
    for line in [
        "",
        "nonsense",
        "client",
        "client add",
        "key frobnicate",
        "apply",
        "dev --https nowhere",
        "client list --color",
    ] {
        let said = ficha(folder.path(), line.split(' ').filter(|w| !w.is_empty())).expect(2);
        assert!(!said.stderr.is_empty(), "{line}");
    }
    let said = ficha(folder.path(), ["clinet", "list"]).expect(2);
    assert!(said.stderr.contains("client"), "{}", said.stderr);
    for line in ["--help", "--version", "client --help", "dev --help", "completions bash"] {
        let said = ficha(folder.path(), line.split(' ')).done();
        assert!(!said.stdout.is_empty(), "{line}");
    }
}

#[test]
fn the_server_is_found_by_the_folder_one_stands_in() {
    let folder = tempfile::tempdir().unwrap();
    let said = ficha(folder.path(), ["client", "list"]).expect(2);
    assert!(said.stderr.contains("ficha-dev") && said.stderr.contains("--data"), "{}", said.stderr);
    let dev = Server::dev(Addresses::Own);
    assert!(ficha(dev.dir(), ["issuer", "list"]).done().stdout.contains("pomelo"), "./ficha-dev");
    let site = site();
    let here = ficha(site.server.config().dir(), ["issuer", "list"]).done();
    assert!(here.stdout.contains("acme"), "./ficha.toml: {}", here.stdout);
    let data = dev.data.display().to_string();
    let there = ficha(site.server.config().dir(), ["issuer", "list", "--data", &data]).done();
    assert!(there.stdout.contains("pomelo") && !there.stdout.contains("acme"), "--data counts first");
}

#[test]
fn with_several_issuers_one_has_to_say_which_unless_the_name_tells() {
    let dev = Server::dev(Addresses::Own);
    let said = dev.cli(&["client", "list"]).expect(2);
    assert!(said.stderr.contains("--issuer"), "{}", said.stderr);
    dev.cli(&["client", "list", "--issuer", "deyel"]).done();
    dev.cli(&["client", "show", "DEYELBOT"]).done();
    dev.cli(&["client", "list", "--issuer", "nobody"]).expect(1);
}
