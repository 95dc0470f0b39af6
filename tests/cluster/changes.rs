//! How long after its commit a disabled client, a removed secret, a revoked token is refused by every node under load; and that
//! no node accepts it any more once the change was answered.

use std::{
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

use ficha_testkit::postgres::{Database, Options, Server as Postgres};
use ficha_tests::{Answer, Asker, Call, Ledger, Server, now, secrets, sum, wait_for};
use serde_json::{Value, json};

use crate::{
    load::{Load, May},
    nodes::{Nodes, at_last, is_unavailable, many},
};

const NODES: usize = 4;
/// Changes of each kind; `FICHA_CHANGES` takes another number.
const CHANGES: usize = 8;
/// Between two requests of one who uses the old thing at a node: so exact is what is measured.
const BETWEEN: Duration = Duration::from_millis(1);

/// How long one change took.
struct Took {
    /// From its commit until every node had refused.
    refused: Duration,
    /// From its commit until its own answer.
    answered: Duration,
    /// From its being sent until every node had refused.
    since_sent: Duration,
}

/// Whether a node still takes the old thing; nothing when the change came while it was at it.
fn accepts(answer: &Answer) -> Option<bool> {
    match answer.status {
        200 => Some(answer.json()["active"] != false),
        // Who comes again and again with what is wrong is told so.
        401 | 429 => Some(false),
        _ => {
            is_unavailable(answer);
            None
        }
    }
}

/// Uses the old thing at a node on and on, until a request that was sent after the change's answer was refused. When it was
/// refused first.
fn refused_at(call: &Call, began: &dyn Fn(), answered: &OnceLock<Duration>) -> Duration {
    let (mut connection, mut refused) = (None, None);
    loop {
        std::thread::sleep(BETWEEN);
        let open = connection.get_or_insert_with(|| call.connect());
        let after = answered.get().is_some();
        open.write(&call.bytes()).unwrap();
        match accepts(&open.read_answer(false).unwrap()) {
            Some(true) => {
                assert!(!after, "accepted after the change was answered");
                assert_eq!(refused, None, "accepted after it was refused");
                began();
            }
            Some(false) => {
                let first = *refused.get_or_insert_with(now);
                if after {
                    return first;
                }
            }
            None => {}
        }
    }
}

/// Whether an administrator's change is made. One of which the node does not know whether it was made is asked for again: then what
/// was to be removed may be gone.
fn administered(node: &Server, line: &str, body: &Value) -> bool {
    let mut unsure = false;
    wait_for("it is made or refused", || {
        let answer = node.administer(line, body);
        let done = answer.status == 200 || (unsure && answer.status == 404);
        unsure |= answer.status == 503;
        (answer.status != 503).then_some(done)
    })
}

/// Makes a change while the old thing is used at every node; `change` says whether it was done.
fn take_away(database: &Database<'_>, uses: &[Call], change: impl FnOnce() -> bool) -> Took {
    let (answered, began) = (OnceLock::new(), Mutex::new(vec![false; uses.len()]));
    let probe = |n: usize, call: &Call| refused_at(call, &|| began.lock().unwrap()[n] = true, &answered);
    let probe = &probe;
    let (sent, done, refused) = std::thread::scope(|scope| {
        let probes: Vec<_> = uses.iter().enumerate().map(|(n, call)| scope.spawn(move || probe(n, call))).collect();
        at_last("every node takes it", || began.lock().unwrap().iter().all(|began| *began));
        let sent = now();
        let done = change();
        answered.set(now()).unwrap();
        let refused = probes.into_iter().map(|probe| probe.join().unwrap()).max().unwrap();
        (sent, done, refused)
    });
    assert!(done, "the change was not made");
    let last = "SELECT (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint FROM changes \
        WHERE issuer = 'taken' ORDER BY number DESC LIMIT 1";
    let committed = Duration::from_micros(database.query(last).parse().unwrap());
    let answered = *answered.get().unwrap();
    assert!(sent <= committed && committed <= answered, "another one's commit: {sent:?} {committed:?} {answered:?}");
    Took {
        refused: refused.saturating_sub(committed),
        answered: answered.saturating_sub(committed),
        since_sent: refused.saturating_sub(sent),
    }
}

/// Prints the middle, the 99th of a hundred, and the longest.
fn print(kind: &str, took: &[Took]) {
    let line = |what: &str, of: fn(&Took) -> Duration| {
        let mut all: Vec<_> = took.iter().map(of).collect();
        all.sort();
        let at = |percent: usize| all[(all.len() * percent).div_ceil(100) - 1];
        println!("{kind}: {what}: p50 {:.1?}, p99 {:.1?}, longest {:.1?}", at(50), at(99), at(100));
    };
    line("from its commit until every node refuses", |t| t.refused);
    line("from its commit until it is answered", |t| t.answered);
    line("from its being sent until every node refuses", |t| t.since_sent);
}

#[test]
fn what_was_taken_away_is_refused_by_every_node_under_load_when_that_is_answered() {
    let changes = many("FICHA_CHANGES", CHANGES);
    // It tells when each transaction was committed.
    let postgres = Postgres::with(&Options::default().set("track_commit_timestamp", "on"));
    let database = postgres.database();
    let mut nodes = Nodes::serving(&database.url(), NODES);
    // There are more tokens than can be searched for.
    nodes.servers.iter_mut().for_each(Server::unchecked);
    let second = secrets::fresh("a second secret");
    let mut text = nodes.callers.issuer(("taken", "standard"), "", "");
    text.extend(
        (0..changes).map(|n| nodes.callers.client(&format!("app-{n}"), "\"client_credentials\"", Some(&second))),
    );
    nodes.servers[0].apply(&text);
    nodes.become_ready();
    let asks: Vec<_> = (0..NODES).map(|node| nodes.ask(node, "taken")).collect();
    let everywhere = |call: &dyn Fn(&Asker) -> Call| asks.iter().map(call).collect::<Vec<_>>();
    let ledger = Mutex::new(Ledger::default());
    let load = Load::new(nodes.doors(), &nodes.callers, &ledger, May::NotWait).of_nodes(nodes.logs());
    load.run(None, || {
        load.goes_on(3);
        let issued =
            || nodes.servers.iter().map(|node| sum(&node.metrics(), "ficha_token_answers_total", &[])).sum::<f64>();
        let (before, began) = (issued(), Instant::now());
        let (mut tokens, mut proofs, mut clients) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..changes {
            let (client, node, asker) = (format!("app-{n}"), &nodes.servers[n % NODES], &asks[n % NODES]);
            let path = format!("/v1/issuers/taken/clients/{client}");

            let token = asker.token(&client).send().expect(200).access_token();
            let uses = everywhere(&|ask| ask.introspection(&token));
            tokens.push(take_away(&database, &uses, || asker.revoke(&client, &token).send().status == 200));

            let uses = everywhere(&|ask| ask.with_secret(&second).token(&client));
            let remove = format!("DELETE {path}/secrets/second");
            proofs.push(take_away(&database, &uses, || administered(node, &remove, &Value::Null)));

            let uses = everywhere(&|ask| ask.token(&client));
            let (disable, keep) = (format!("POST {path}/disable"), json!({ "keep_tokens": false }));
            clients.push(take_away(&database, &uses, || administered(node, &disable, &keep)));
        }
        let rate = (issued() - before) / began.elapsed().as_secs_f64();
        println!(
            "{changes} of each, one after the other, while {NODES} nodes answer {rate:.0} token requests a second:"
        );
        print("a disabled client", &clients);
        print("a removed secret", &proofs);
        print("a revoked token", &tokens);
    });
    let unconfirmed = |node: &Server| sum(&node.metrics(), "ficha_unconfirmed_answers_total", &[]);
    println!("answered before all had confirmed it: {}", nodes.servers.iter().map(unconfirmed).sum::<f64>());
    nodes.stand_by(&mut ledger.into_inner().unwrap());
}
