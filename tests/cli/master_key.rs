//! The master key: without the right one nothing starts; exchanging it loses nothing.

use std::fs;

use ficha_tests::{Config, Server, master_key};

use crate::site::Site;

/// A stopped server with a client that had a token: its id, its secret and the token.
fn stopped() -> (Site, String, String, String) {
    let mut site = Site::new(Config::new());
    let (id, secret) = site.client("cards");
    let token = site.token((&id, &secret)).expect(200).access_token();
    assert_eq!(site.server.stop(), 0);
    (site, id, secret, token)
}

#[test]
fn another_master_key_is_refused_with_a_clear_word() {
    let (mut site, id, secret, token) = stopped();
    let own = fs::read_to_string(site.server.config().dir().join("master.key")).unwrap();
    site.server.config().write_master("master.key", &master_key());
    let said = site.server.try_start().expect_err("it starts");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("master key"), "{}", said.stderr);
    let said = site.run("client list").expect(1);
    assert!(said.stderr.contains("master key"), "a command without a server is refused likewise: {}", said.stderr);
    site.server.config().write_master("master.key", &own);
    site.server.start();
    site.token((&id, &secret)).expect(200);
    assert!(site.is_active("cards", &token));
}

#[test]
fn an_exchanged_one_seals_everything_anew_and_the_old_one_is_needed_no_more() {
    let (mut site, id, secret, token) = stopped();
    let dir = site.server.config().dir().to_owned();
    fs::rename(dir.join("master.key"), dir.join("old.key")).unwrap();
    site.server.config().write_master("master.key", &master_key());
    let plain = fs::read_to_string(site.server.config().path()).unwrap();
    let both = plain.replace("[keys]\n", "[keys]\nprevious_master_key_file = \"old.key\"\n");
    fs::write(site.server.config().path(), both).unwrap();
    site.server.start();
    site.token((&id, &secret)).expect(200);
    assert!(site.is_active("cards", &token));
    assert_eq!(site.server.stop(), 0);
    fs::write(site.server.config().path(), plain).unwrap();
    fs::remove_file(dir.join("old.key")).unwrap();
    site.server.start();
    site.token((&id, &secret)).expect(200);
    assert!(site.is_active("cards", &token));
}

#[test]
fn one_that_is_none_or_that_others_may_read_is_refused_and_not_repeated() {
    use std::os::unix::fs::PermissionsExt;
    let config = Config::new();
    let path = config.write_master("master.key", "this-is-no-key-of-32-bytes");
    let mut server = Server::prepared(config);
    let said = server.try_start().expect_err("it starts");
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("master.key") && !said.stderr.contains("this-is-no-key"), "{}", said.stderr);
    fs::write(&path, master_key()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let said = server.try_start().expect_err("it starts");
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("0600") || said.stderr.contains("chmod"), "{}", said.stderr);
    fs::remove_file(&path).unwrap();
    let said = server.try_start().expect_err("it starts");
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("master.key"), "{}", said.stderr);
}
