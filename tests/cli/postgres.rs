//! `ficha serve` and the commands with everything kept in PostgreSQL.

use ficha_testkit::postgres;
use ficha_tests::{Config, Engine, Server, ficha, secrets, wait_for};

use crate::site::{Site, shown_secret};

#[test]
fn a_command_without_a_server_writes_to_the_database_as_a_node_does() {
    let mut site = Site::new(Config::new().on(Engine::Postgres));
    let (id, secret) = site.client("cards");
    let token = site.token((&id, &secret)).expect(200).access_token();
    assert_eq!(site.server.stop(), 0);

    assert!(site.run("client list").done().stdout.contains(&id));
    let added = shown_secret(&site.json("client add offline --api cards"));
    site.run(&format!("token revoke --client {id}")).done();
    site.run("doctor").done();

    site.server.start();
    site.token(("offline", &added)).expect(200);
    assert!(!site.is_active("cards", &token));
}

#[test]
fn a_second_node_needs_a_data_folder_of_its_own() {
    let site = Site::new(Config::new().on(Engine::Postgres));
    let second = site.server.config().write_at("second.toml", &ficha_tests::Places::own()).display().to_string();
    let said = ficha(site.server.dir(), ["serve", "--config", &second]).expect(1);
    assert!(said.stderr.contains("another node uses the data folder"), "{}", said.stderr);
}

#[test]
fn a_password_comes_from_a_file_and_is_told_to_nobody() {
    let database = postgres::shared().database();
    let password = secrets::fresh("the password of the database");
    let role = format!("role_{}", database.name());
    database.query(&format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'; GRANT ALL ON SCHEMA public TO {role}"));
    let url = database.url().replace(&format!("{}@", postgres::SUPERUSER), &format!("{role}:{password}@"));
    let config = Config::new().with("store", "url_file = \"database.url\"");
    config.write_master("database.url", &format!("{url}\n"));
    let server = Server::serve(config);
    server.cli(&["doctor"]).done();
    drop(server);
    database.query(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));

    let config = Config::new().with("store", &format!("url = \"{url}\""));
    let path = config.write().display().to_string();
    let said = ficha(config.dir(), ["serve", "--config", &path]).expect(2);
    assert!(said.stderr.contains("url_file") && !said.stderr.contains(&password), "{}", said.stderr);
}

#[test]
fn a_node_that_starts_before_its_database_waits_for_it() {
    let postgres = postgres::Server::start();
    let database = postgres.database();
    postgres.stop();
    let mut server = Server::prepared(Config::new().with("store", &format!("url = \"{}\"", database.url())));
    server.launch();
    wait_for("it waits", || server.said("err").contains("waiting for the database").then_some(()));
    postgres.restart();
    wait_for("it is ready", || server.said("out").contains("ficha is ready").then_some(()));
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_database_that_refuses_ends_the_start_and_is_named_without_its_user() {
    let url = postgres::shared().url("nowhere");
    let config = Config::new().with("store", &format!("url = \"{url}\""));
    let path = config.write().display().to_string();
    let said = ficha(config.dir(), ["serve", "--config", &path]).expect(1);
    assert!(said.stderr.contains("/nowhere: it refuses the connection"), "{}", said.stderr);
}
