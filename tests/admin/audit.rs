//! Administration is a row of the audit within its own transaction, and one line of the log; neither holds a secret.

use ficha_tests::{Config, Server, secrets};
use serde_json::Value;

/// The rows of an issuer: actor, action, subject.
fn rows(server: &Server) -> Vec<(String, String, String)> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = rusqlite::Connection::open_with_flags(server.data.join("ficha.db"), flags).unwrap();
    let mut query = store.prepare("SELECT record FROM audit WHERE issuer = 'acme' ORDER BY number").unwrap();
    let records = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let word = |record: &Value, name: &str| record[name].as_str().unwrap_or_else(|| panic!("{record}")).to_owned();
    records
        .map(|record| {
            let record: Value = serde_json::from_str(&record.unwrap()).unwrap();
            (word(&record, "actor"), word(&record, "action"), word(&record, "subject"))
        })
        .collect()
}

#[test]
fn every_act_is_a_row_with_who_did_it() {
    let server = Server::serve(Config::new());
    server.apply(
        "[[issuer]]\nname = \"acme\"\ndialect = \"standard\"\nbase_urls = [\"https://localhost:8443/acme\"]\n\
         [[issuer.api]]\nname = \"cards\"\naudience = \"https://cards.example\"\nscopes = [\"cards:read\"]\nalgorithm = \"HS256\"\n",
    );
    let before = rows(&server).len();
    assert!(before >= 3, "issuer, API, key");
    let password = server.file("ana", &secrets::fresh("a password"));
    let shown = |args: &[&str]| {
        let shown = server.cli(args).done().json();
        secrets::note("a generated secret", shown["secret"].as_str().unwrap());
    };
    shown(&["client", "add", "app", "--api", "cards", "--json"]);
    shown(&["client", "secret", "add", "app", "--secret-id", "two", "--json"]);
    shown(&["key", "export", "--api", "cards", "--json"]);
    for line in [
        "client secret remove app two",
        "client disable app",
        "client enable app",
        &format!("user add ana --password-file {password}"),
        &format!("user password ana --password-file {password}"),
        "user disable ana",
        "key rotate",
        "token revoke --client app",
        "token revoke --jti AAAAAAAAAAAAAAAAAAAAAA",
        "token revoke --issuer acme",
    ] {
        server.cli(&line.split(' ').collect::<Vec<_>>()).done();
    }
    let after = rows(&server).split_off(before);
    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(server.data.join("admin.sock")).unwrap());
    assert!(after.iter().all(|(actor, ..)| *actor == format!("uid:{uid}")), "{after:?}");
    assert!(after.len() >= 13, "{after:?}");
    for (action, subject) in [
        ("client.add", "app"),
        ("client.secret.add", "app"),
        ("client.secret.remove", "app"),
        ("client.disable", "app"),
        ("client.enable", "app"),
        ("user.add", "ana"),
        ("user.password", "ana"),
        ("user.disable", "ana"),
    ] {
        assert!(after.iter().any(|(_, a, s)| a == action && s == subject), "{action} {subject}: {after:?}");
    }
    for (kind, least) in [("key.", 2), ("token.", 3)] {
        assert!(after.iter().filter(|(_, a, _)| a.starts_with(kind)).count() >= least, "{kind}: {after:?}");
    }
    let log = server.said("err");
    assert!(log.lines().filter(|l| l.contains("\"administration\"")).count() >= after.len(), "{log}");
}

#[test]
fn what_only_looks_leaves_no_row() {
    let server = Server::serve(Config::new());
    server
        .apply("[[issuer]]\nname = \"acme\"\ndialect = \"standard\"\nbase_urls = [\"https://localhost:8443/acme\"]\n");
    let before = rows(&server);
    for line in ["issuer list", "issuer show acme", "client list", "key list", "doctor", "token inspect x"] {
        server.cli(&line.split(' ').collect::<Vec<_>>()).done();
    }
    assert_eq!(rows(&server), before);
}
