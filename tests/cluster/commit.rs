//! A connection to the database that is cut exactly at the commit: the caller gets 503, nothing is half done, and the same sent again
//! is answered as if nothing had happened.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use ficha_testkit::postgres;
use ficha_tests::{Call, Shared, bear_with, eventually};

use crate::{
    nodes::{Nodes, is_unavailable},
    proxy::{
        Proxy,
        Side::{self, After, Before},
    },
};

/// A node that reaches its database through a proxy.
struct Proxied {
    nodes: Nodes,
    proxy: Proxy,
    database: postgres::Database<'static>,
}

static SHARED: Shared<Mutex<Proxied>> = Shared::new();

/// The node of all these tests; one after the other has it, each with clients of its own.
fn behind_a_proxy<T>(test: impl FnOnce(&Proxied) -> T) -> T {
    let shared = SHARED.get(|| {
        let server = postgres::shared();
        let (database, proxy) = (server.database(), Proxy::before(server.port()));
        let url = format!("postgres://{}@127.0.0.1:{}/{}", postgres::SUPERUSER, proxy.port(), database.name());
        Mutex::new(Proxied { nodes: Nodes::serving(&url, 1), proxy, database })
    });
    let proxied = shared.lock().unwrap_or_else(PoisonError::into_inner);
    test(&proxied)
}

impl Proxied {
    /// Sends a request that writes to the table, and whose commit is cut: it is answered 503. Where the database took too long to
    /// come to the commit it is sent again.
    #[track_caller]
    fn cuts(&self, (side, table): (Side, &'static str), call: &Call) {
        self.proxy.cut(side, table);
        eventually(&format!("it is cut: {side:?}, {table}"), || {
            let sent = Instant::now();
            let answer = call.send();
            is_unavailable(&answer);
            let cut = !self.proxy.is_armed();
            if !cut {
                bear_with(&answer, sent.elapsed(), &self.nodes.logs());
            }
            cut
        });
    }
}

#[test]
fn a_refresh_whose_answer_was_lost_at_the_commit_gets_its_successor_when_it_is_sent_again() {
    behind_a_proxy(|proxied| {
        let nodes = &proxied.nodes;
        let (lean, once) = (nodes.ask(0, "lean"), nodes.ask_once(0, "lean"));
        for side in [Before, After] {
            let first = lean.token("app-0").send().expect(200).refresh_token();
            let mut used = first.clone();
            // The first use writes the family's row, a later one moves it.
            for step in 0..3 {
                proxied.cuts((side, "families"), &once.refresh("app-0", &used));
                let next = lean.refresh("app-0", &used).send().expect(200).refresh_token();
                let again = lean.refresh("app-0", &used).send().expect(200).refresh_token();
                assert_eq!(next, again, "{side:?}, step {step}");
                used = next;
            }
            let last = lean.refresh("app-0", &used).send().expect(200).refresh_token();
            // A replay is a replay all the same.
            proxied.cuts((side, "families"), &once.refresh("app-0", &first));
            assert_eq!(lean.refresh("app-0", &first).send().verdict(), "400 invalid_grant");
            assert_eq!(lean.refresh("app-0", &last).send().verdict(), "400 invalid_grant");
        }
    });
}

#[test]
fn a_revocation_that_was_cut_at_the_commit_is_made_or_not_and_is_made_when_it_is_sent_again() {
    behind_a_proxy(|proxied| {
        let nodes = &proxied.nodes;
        let (lean, once) = (nodes.ask(0, "lean"), nodes.ask_once(0, "lean"));
        for side in [Before, After] {
            let given = lean.token("app-0").send().expect(200);
            let (access, refresh) = (given.access_token(), given.refresh_token());
            assert!(lean.is_active(&access));
            for (table, token) in [("revocations", &access), ("families", &refresh)] {
                proxied.cuts((side, table), &once.revoke("app-0", token));
                if table == "revocations" {
                    match side {
                        Before => assert!(lean.is_active(&access)),
                        After => eventually("it is revoked", || !lean.is_active(&access)),
                    }
                }
                lean.revoke("app-0", token).send().expect(200);
                assert!(!lean.is_active(&access));
            }
            assert_eq!(lean.refresh("app-0", &refresh).send().verdict(), "400 invalid_grant");
        }
    });
}

#[test]
fn a_kept_refresh_token_is_revoked_when_that_is_sent_again() {
    behind_a_proxy(|proxied| {
        let nodes = &proxied.nodes;
        let (deyel, once) = (nodes.ask(0, "deyel"), nodes.ask_once(0, "deyel"));
        for side in [Before, After] {
            let kept = deyel.login().send().expect(200).refresh_token();
            deyel.refresh("app-0", &kept).send().expect(200);
            proxied.cuts((side, "families"), &once.revoke("app-0", &kept));
            deyel.revoke("app-0", &kept).send().expect(200);
            deyel.refresh("app-0", &kept).send().expect(401);
        }
    });
}

#[test]
fn a_live_token_is_one_whatever_became_of_the_first_offer() {
    behind_a_proxy(|proxied| {
        let nodes = &proxied.nodes;
        let (pomelo, once) = (nodes.ask(0, "pomelo"), nodes.ask_once(0, "pomelo"));
        for (side, client) in [(Before, "app-1"), (After, "app-2")] {
            proxied.cuts((side, "live_tokens"), &once.pomelo("/oauth/token", client));
            let live = pomelo.pomelo("/oauth/token", client).send().expect(200).access_token();
            assert_eq!(pomelo.pomelo("/oauth/token", client).send().expect(200).access_token(), live);
            assert!(pomelo.is_active(&live));
            assert_eq!(
                proxied.database.query(&format!("SELECT count(*) FROM live_tokens WHERE client = '{client}'")),
                "1"
            );
        }
    });
}

#[test]
fn an_administrators_act_is_done_or_not_and_says_that_it_does_not_know() {
    behind_a_proxy(|Proxied { nodes, proxy, .. }| {
        let (node, std) = (&nodes.servers[0], nodes.ask(0, "std"));
        let disable = |client: &str| node.cli(&["client", "disable", client, "--issuer", "std"]);
        for (side, client) in [(Before, "app-1"), (After, "app-2")] {
            std.token(client).send().expect(200);
            proxy.cut(side, "clients");
            disable(client).expect(1);
            assert!(!proxy.is_armed(), "nothing was cut: {side:?}");
            is_as_cut(side, || std.token(client).send().status);
            disable(client).done();
            std.token(client).send().expect(401);
        }
    });
}

/// Whether a client may ask after its disabling was cut.
fn is_as_cut(side: Side, mut asks: impl FnMut() -> u16) {
    match side {
        Before => assert_eq!(asks(), 200),
        After => eventually("it is disabled", || asks() == 401),
    }
}
