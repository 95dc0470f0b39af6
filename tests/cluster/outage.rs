//! The database is away: each kind of request is answered as the rule on freshness says, and everything goes on by itself
//! afterwards.

use ficha_testkit::postgres::Server as Postgres;
use ficha_tests::{eventually, sum};

use crate::nodes::{Nodes, at_last, is_unavailable, readiness};

/// What is done to a database server.
type Act = fn(&Postgres);

/// What there was before, to be used while the database is away and afterwards.
struct Before {
    /// A client of the issuer `std` that the node has never seen.
    stranger: &'static str,
    access: String,
    refresh: String,
    kept: String,
    live: String,
}

impl Before {
    fn of(nodes: &Nodes, stranger: &'static str) -> Self {
        let answer = nodes.ask(0, "lean").token("app-0").send().expect(200);
        // Clients that the node knows.
        for issuer in ["std", "strict", "brief"] {
            nodes.ask(0, issuer).token("app-0").send().expect(200);
        }
        nodes.ask(0, "pomelo").pomelo("/oauth/token", "app-1").send().expect(200);
        Self {
            stranger,
            access: answer.access_token(),
            refresh: answer.refresh_token(),
            kept: nodes.ask(0, "deyel").login().send().expect(200).refresh_token(),
            live: nodes.ask(0, "pomelo").pomelo("/oauth/token", "app-0").send().expect(200).access_token(),
        }
    }

    /// Only fresh tokens of clients that the node knows and live tokens that it holds go on, and only for the issuer's grace.
    fn while_away(&self, nodes: &Nodes) {
        let (lean, pomelo, deyel) =
            (nodes.ask_once(0, "lean"), nodes.ask_once(0, "pomelo"), nodes.ask_once(0, "deyel"));
        let std = nodes.ask_once(0, "std");
        eventually("the node notes that the database is away", || readiness(&nodes.servers[0]) == "degraded");
        // For a second what it knows still counts as fresh, and it tries to write: a revocation that may be written makes it forget its client.
        let lag = || sum(&nodes.servers[0].metrics(), "ficha_changes_lag_seconds", &[]);
        eventually("what it knows is fresh no more", || lag() > 1.0);
        for _ in 0..2 {
            is_unavailable(&lean.refresh("app-0", &self.refresh).send());
            is_unavailable(&lean.revoke("app-0", &self.access).send());
            is_unavailable(&lean.revoke("app-0", &self.refresh).send());
            is_unavailable(&lean.introspect(&self.access));
            is_unavailable(&pomelo.introspect(&self.live));
            is_unavailable(&deyel.login().send());
            is_unavailable(&deyel.refresh("app-0", &self.kept).send());
            is_unavailable(&deyel.revoke("app-0", &self.kept).send());
            assert_eq!(pomelo.pomelo("/oauth/token/revoke", "app-0").send().status, 503);
            // It has no live token yet, and the node does not know the stranger.
            is_unavailable(&pomelo.pomelo("/oauth/token", "app-3").send());
            is_unavailable(&std.token(self.stranger).send());
            is_unavailable(&nodes.ask_once(0, "strict").token("app-0").send());
            std.token("app-0").send().expect(200);
            lean.token("app-0").send().expect(200);
            let live = pomelo.pomelo("/oauth/token", "app-0").send().expect(200).access_token();
            assert_eq!(live, self.live);
            // Longer than its grace.
            let brief = nodes.ask_once(0, "brief");
            eventually("the grace is over", || match brief.token("app-0").send() {
                answer if answer.status == 200 => false,
                answer => {
                    is_unavailable(&answer);
                    true
                }
            });
        }
        let command = nodes.servers[0].cli(&["token", "revoke", "--client", "app-0", "--issuer", "lean"]);
        assert_eq!(command.code, 1, "{command:?}");
        assert!(
            nodes.servers[0].said("err").contains("\"outage\":true"),
            "what went on without the database is marked in the log"
        );
    }

    /// Nothing was half done, and everything goes on without a restart.
    fn afterwards(&self, nodes: &Nodes) {
        nodes.become_ready();
        let (lean, pomelo, deyel) = (nodes.ask(0, "lean"), nodes.ask(0, "pomelo"), nodes.ask(0, "deyel"));
        for issuer in ["std", "strict", "brief"] {
            nodes.ask(0, issuer).token("app-0").send().expect(200);
        }
        nodes.ask(0, "std").token(self.stranger).send().expect(200);
        assert!(lean.is_active(&self.access), "a revocation that was refused was not made");
        assert_eq!(pomelo.pomelo("/oauth/token", "app-0").send().expect(200).access_token(), self.live);
        assert!(pomelo.is_active(&self.live));
        deyel.login().send().expect(200);
        deyel.refresh("app-0", &self.kept).send().expect(200);
        let next = lean.refresh("app-0", &self.refresh).send().expect(200).refresh_token();
        assert_eq!(lean.refresh("app-0", &self.refresh).send().expect(200).refresh_token(), next);
        lean.refresh("app-0", &next).send().expect(200);
        lean.revoke("app-0", &self.access).send().expect(200);
        assert!(!lean.is_active(&self.access));
    }
}

#[test]
fn a_database_that_dies_or_stands_still_is_our_fault_and_comes_back_by_itself() {
    let postgres = Postgres::start();
    let database = postgres.database();
    let nodes = Nodes::serving(&database.url(), 1);
    for (away, back, stranger) in
        [(Postgres::kill as Act, Postgres::restart as Act, "app-2"), (Postgres::pause, Postgres::resume, "app-3")]
    {
        let before = Before::of(&nodes, stranger);
        away(&postgres);
        before.while_away(&nodes);
        back(&postgres);
        before.afterwards(&nodes);
    }
}

#[test]
fn a_node_that_starts_while_the_database_is_away_waits_for_it() {
    let postgres = Postgres::start();
    let database = postgres.database();
    let mut nodes = Nodes::serving(&database.url(), 1);
    let before = Before::of(&nodes, "app-3");
    assert_eq!(nodes.servers[0].stop(), 0);
    postgres.kill();
    nodes.servers[0].launch();
    at_last("it says what it waits for", || nodes.servers[0].said("err").contains("waiting for the database"));
    assert!(["", "unready"].contains(&&*readiness(&nodes.servers[0])));
    if let Ok(answer) = nodes.ask_once(0, "std").token("app-0").try_send() {
        is_unavailable(&answer);
    }
    postgres.restart();
    nodes.servers[0].await_ready().unwrap();
    before.afterwards(&nodes);
}
