//! The primary dies under load and its synchronous standby takes over.

use std::sync::Mutex;

use ficha_testkit::postgres::{SUPERUSER, Server};
use ficha_tests::{Ledger, eventually};

use crate::{
    load::{Load, May},
    nodes::Nodes,
};

/// A primary whose commits wait for its standby.
fn pair() -> (Server, Server) {
    let primary = Server::start();
    let standby = primary.standby("second");
    primary.query("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'second'");
    primary.query("postgres", "SELECT pg_reload_conf()");
    let state = "SELECT sync_state FROM pg_stat_replication";
    eventually("the standby is synchronous", || primary.query("postgres", state) == "sync");
    primary.query("postgres", "CREATE DATABASE ficha");
    (primary, standby)
}

#[test]
fn nothing_that_was_answered_is_lost_and_no_session_dies_when_a_standby_is_promoted() {
    let (primary, standby) = pair();
    // Whichever of both takes writes.
    let url = format!("postgres://{SUPERUSER}@127.0.0.1:{},127.0.0.1:{}/ficha", primary.port(), standby.port());
    let nodes = Nodes::serving(&url, 2);
    let ledger = Mutex::new(Ledger { whole: true, ..Ledger::default() });
    ledger.lock().unwrap().check_keys(&|issuer| nodes.ask(0, issuer));
    let load = Load::new(nodes.doors(), &nodes.callers, &ledger, May::Wait);
    load.run(Some(&nodes.servers[0]), || {
        load.goes_on(3);
        primary.kill();
        standby.promote();
        load.goes_on(3);
    });
    load.waits().print("a standby promoted at once");
    let mut ledger = ledger.into_inner().unwrap();
    nodes.stand_by(&mut ledger);
    assert!(ledger.checked["secrets removed"] > 0 && ledger.checked["secrets added"] > 0);
}
