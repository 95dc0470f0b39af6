//! Commands when no server runs: the command opens the store itself, under its lock.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use ficha_tests::{Config, Server, ficha, program, secrets};

use crate::site::{Site, shown_secret};

#[test]
fn a_command_without_a_server_works_on_the_store_itself() {
    let mut site = Site::new(Config::new());
    let (id, secret) = site.client("cards");
    let token = site.token((&id, &secret)).expect(200).access_token();
    assert_eq!(site.server.stop(), 0);

    assert!(site.run("client list").done().stdout.contains(&id));
    let added = shown_secret(&site.json("client add offline --api cards"));
    let file = site.server.file("ana", &secrets::fresh("a password"));
    site.run(&format!("user add ana --password-file {file}")).done();
    site.run(&format!("token revoke --client {id}")).done();
    let made = site.json("key rotate --algorithm ES256");
    assert!(site.json(&format!("token inspect {token}"))["against"][0].as_str().unwrap().contains("revoked"));
    site.run("doctor").done();

    site.server.start();
    site.token(("offline", &added)).expect(200);
    assert!(!site.is_active("cards", &token));
    assert!(site.base().get("/.well-known/jwks.json").text().contains(made[0]["kid"].as_str().unwrap()));
}

#[test]
fn a_first_declaration_may_be_applied_before_the_first_start() {
    let config = Config::new();
    let path = config.write().display().to_string();
    fs::create_dir(config.data()).unwrap();
    let declaration = config.file(
        "a.toml",
        "[[issuer]]\nname = \"a\"\ndialect = \"standard\"\nbase_urls = [\"https://localhost:8443/a\"]\n",
    );
    ficha(config.dir(), ["apply", &declaration.display().to_string(), "--config", &path]).done();
    let server = Server::serve(config);
    server.https().base("/a").get("/.well-known/jwks.json").expect(200);
}

#[test]
fn while_another_command_works_on_the_store_the_next_one_says_so() {
    let mut site = Site::new(Config::new());
    assert_eq!(site.server.stop(), 0);
    let lock = hold(&site);
    let said = site.run("client list").expect(1);
    assert!(said.stderr.contains("another process uses the database"), "{}", said.stderr);
    drop(lock);
    site.run("client list").done();
}

#[test]
fn a_command_waits_a_little_for_who_has_the_store_but_does_not_listen() {
    let mut site = Site::new(Config::new());
    assert_eq!(site.server.stop(), 0);
    // As a server that has begun and not yet made its socket.
    let lock = hold(&site);
    let mut command = Command::new(program());
    command.args(["client", "list", "--config"]).arg(site.server.config().path());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("waiting until it listens or has ended"), "{said}");
    drop(lock);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_socket_that_a_killed_server_left_behind_is_in_nobodys_way() {
    let mut site = Site::new(Config::new());
    let (id, secret) = site.client("cards");
    site.server.kill();
    assert!(site.server.data.join("admin.sock").exists());
    site.run("client list").done();
    site.server.start();
    site.token((&id, &secret)).expect(200);
    site.run("client list").done();
}

/// Takes the store as every process does that opens it: by the lock of a file, which goes with what is answered.
fn hold(site: &Site) -> fs::File {
    let lock = fs::File::open(site.server.data.join("ficha.db.lock")).unwrap();
    lock.lock().unwrap();
    lock
}
