//! `ficha move`: an embedded database that was used is carried over to PostgreSQL, and what was answered before stays true there.

use std::sync::Mutex;

use ficha_testkit::postgres;
use ficha_tests::{Callers, Chain, Config, Ledger, Server};

use crate::{
    load::{Load, May},
    nodes::Nodes,
};

#[test]
fn what_was_answered_from_the_embedded_database_holds_on_postgresql_after_a_move() {
    let mut server = Server::serve(Config::new());
    let callers = Callers::new();
    callers.declare(&server);
    let ledger = Mutex::new(Ledger { whole: true, ..Ledger::default() });
    let load = Load::new(vec![server.http()], &callers, &ledger, May::NotWait);
    load.run(Some(&server), || load.goes_on(5));
    let mut ledger = ledger.into_inner().unwrap();
    let ask = |issuer: &str| callers.ask(&server.http(), issuer);
    ledger.check_keys(&ask);
    // A refresh token that was not used yet has no row.
    let unused = ask("lean").token("app-0").send().expect(200).refresh_token();
    ledger.chains.push(Chain { client: "app-0".into(), before: None, last: unused, doubtful: false });

    let database = postgres::shared().database();
    let url = database.url();
    let carry = ["move", "--to", &url, "--json"];
    let refused = server.cli(&carry).expect(1);
    assert!(refused.stderr.contains("stop it first"), "{}", refused.stderr);
    assert_eq!(server.stop(), 0);
    let moved = server.cli(&carry).done().json();
    let mut rows = std::collections::BTreeMap::new();
    for table in moved["tables"].as_array().unwrap() {
        let (name, carried) = (table["name"].as_str().unwrap(), table["rows"].to_string());
        let count = format!("SELECT count(*) FROM {name}");
        assert_eq!((server.query(&count), database.query(&count)), (carried.clone(), carried.clone()), "{name}");
        rows.insert(name, carried);
    }
    println!("carried over: {rows:?}");
    for name in ["clients", "users", "signing_keys", "families", "revocations", "live_tokens"] {
        assert!(rows.get(name).is_some_and(|n| n != "0"), "nothing to carry over: {name}");
    }

    let key = std::fs::read_to_string(server.config().dir().join("master.key")).unwrap();
    let nodes = Nodes::of(&url, (2, 0), &key, callers);
    nodes.stand_by(&mut ledger);
    assert!(["keys", "secrets added", "secrets removed"].iter().all(|what| ledger.checked[what] > 0));
    // And it goes on: what is new is kept there.
    nodes.ask(0, "lean").token("app-1").send().expect(200);
    nodes.servers[1].cli(&["client", "disable", "app-1", "--issuer", "lean"]).done();
    nodes.ask(0, "lean").token("app-1").send().expect(401);
}
