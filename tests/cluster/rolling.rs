//! Two adjacent releases side by side on one database: the older one goes on on the tables of the newer, node after node is
//! exchanged under load, forwards and back, and no request fails.
//!
//! Until there is a release before this one, the newer one is this program with one more migration: what it would do to the tables
//! at its start is done here, in the same way and while the others serve.

use std::sync::Mutex;

use ficha_testkit::postgres::{self, Database};
use ficha_tests::{Ledger, Server};

use crate::{
    balancer::{Balancer, Behind},
    load::{Load, May},
    nodes::Nodes,
};

/// Seconds that a node goes on after the order to stop: longer than the balancer takes to notice, which has to be told twice and
/// waits three seconds for each word.
const DRAIN_S: u32 = 12;

/// What the next release adds: a column to each table that requests use, and a table.
const EXPANDS: &str = "ALTER TABLE families ADD COLUMN next TEXT NOT NULL DEFAULT ''; \
    ALTER TABLE revocations ADD COLUMN next BIGINT; \
    ALTER TABLE live_tokens ADD COLUMN next TEXT NOT NULL DEFAULT ''; \
    ALTER TABLE clients ADD COLUMN next TEXT NOT NULL DEFAULT ''; \
    ALTER TABLE changes ADD COLUMN next TEXT NOT NULL DEFAULT ''; \
    ALTER TABLE counters ADD COLUMN next BIGINT NOT NULL DEFAULT 0; \
    CREATE TABLE next (id BIGINT PRIMARY KEY)";

/// Changes the tables as a release of that many migrations would that leaves those working which know all up to `suits`: it waits
/// for none of their users for long, and tries again.
fn migrate(database: &Database<'_>, to: i64, suits: i64, what: &str) {
    database.query(&format!(
        "DO $$ BEGIN FOR attempt IN 1..30 LOOP BEGIN PERFORM pg_advisory_xact_lock({}); SET LOCAL lock_timeout = '1s'; {what}; \
         INSERT INTO migrations (number, name, checksum, suits) VALUES ({to}, 'next', 'none', {suits}); RETURN; \
         EXCEPTION WHEN lock_not_available OR deadlock_detected THEN NULL; END; END LOOP; \
         RAISE 'the tables are in use'; END $$",
        0x66_6963_6861_i64
    ));
}

fn behind(name: &str, server: &Server) -> Behind {
    Behind { name: name.to_owned(), address: server.places.http, checked: server.places.ops }
}

#[test]
fn two_adjacent_releases_serve_side_by_side_and_no_request_fails_forwards_and_back() {
    let database = postgres::shared().database();
    let mut nodes = Nodes::draining(&database.url(), 2, DRAIN_S);
    let names = ["one", "two"];
    let balancer = Balancer::before(&[0, 1].map(|n| behind(names[n], &nodes.servers[n])), "GET /readyz");
    for name in names {
        balancer.takes(name);
    }
    let known: i64 = database.query("SELECT max(number) FROM migrations").parse().unwrap();
    let ledger = Mutex::new(Ledger { whole: true, ..Ledger::default() });
    let load = Load::new(vec![balancer.door()], &nodes.callers, &ledger, May::NotWait).of_nodes(nodes.logs());
    load.run(None, || {
        load.goes_on(3);
        // Forwards: the first node of the newer release changes the tables. And back: they stay as they are.
        for way in ["forwards", "back"] {
            for (n, name) in names.iter().enumerate() {
                assert_eq!(nodes.servers[n].stop(), 0);
                if way == "forwards" && n == 0 {
                    migrate(&database, known + 1, known, EXPANDS);
                }
                nodes.servers[n].start();
                balancer.takes(name);
                load.goes_on(3);
            }
        }
    });
    nodes.stand_by(&mut ledger.into_inner().unwrap());

    // What suits the newer release alone stops the older one at its start, with a word, and not those that run.
    migrate(&database, known + 2, known + 1, "ALTER TABLE next ADD COLUMN more TEXT");
    nodes.ask(1, "std").token("app-0").send().expect(200);
    assert_eq!(nodes.servers[0].stop(), 0);
    let said = nodes.servers[0].try_start().expect_err("it starts");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("newer than this program"), "{said:?}");
}
