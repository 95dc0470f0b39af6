//! One live token across the cluster: four nodes and 200 callers of one client at once, round after round of first requests,
//! renewals and new tokens after a revocation; counted in what callers got, in the database and in the signatures made.

use std::{
    collections::BTreeSet,
    sync::Barrier,
    time::{Duration, Instant},
};

use ficha_testkit::postgres::{self, Database};
use ficha_tests::{Answer, Connection, bear_with, claims, now, sum};

use crate::nodes::{Nodes, at_last, many};

const NODES: usize = 4;
const CALLERS: usize = 200;
/// Rounds that count; `FICHA_ROUNDS` takes another number.
const ROUNDS: usize = 42;
/// Clients that have their first tokens one after the other, then their renewals; one of them then loses its token.
const TOGETHER: usize = 20;
/// How long a token lives, and before its end it is handed out no more: renewals are soon due, and no sooner than a round takes.
const LIFETIME_S: u64 = 68;
const MIN_REMAINING_S: u64 = 60;

/// How it comes that there is no live token which may be handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    First,
    Renewal,
    Revoked,
}

/// What a node has counted.
#[derive(Debug, Clone, Copy)]
struct Counted {
    signatures: u64,
    made: u64,
    fresh: u64,
}

/// Everything that was counted in the rounds.
#[derive(Debug, Default)]
struct Totals {
    /// First requests, renewals, after a revocation.
    rounds: [usize; 3],
    signatures: u64,
    made: u64,
    rows: usize,
    predecessors: usize,
    overtaken: usize,
}

struct Crowd {
    nodes: Nodes,
    database: Database<'static>,
    /// Every caller's, to each node in turn.
    connections: Vec<Connection>,
    totals: Totals,
}

impl Crowd {
    fn of(clients: usize) -> Self {
        let database = postgres::shared().database();
        let nodes = Nodes::serving(&database.url(), NODES);
        let mut text = nodes.callers.issuer(("live", "pomelo"), "", &format!("token_lifetime = \"{LIFETIME_S}s\""));
        let client = |n| nodes.callers.client(&format!("app-{n}"), "\"client_credentials\"", None);
        text.extend((0..clients).map(client));
        nodes.servers[0].apply(&text);
        nodes.become_ready();
        let connections = (0..CALLERS).map(|n| nodes.servers[n % NODES].http().connect()).collect();
        Self { nodes, database, connections, totals: Totals::default() }
    }

    /// The tokens that all callers get who ask at once; nothing when the machine stood still and the database was waited for in vain.
    fn ask(&mut self, client: &str) -> Option<Vec<String>> {
        let calls: Vec<_> =
            (0..NODES).map(|node| self.nodes.ask(node, "live").pomelo("/oauth/token", client).bytes()).collect();
        let start = Barrier::new(CALLERS);
        let caller = |n: usize, connection: &mut Connection| -> (Answer, Duration) {
            start.wait();
            let sent = Instant::now();
            connection.write(&calls[n % NODES]).unwrap();
            (connection.read_answer(false).unwrap(), sent.elapsed())
        };
        let (caller, connections) = (&caller, self.connections.iter_mut().enumerate());
        let answers: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = connections.map(|(n, one)| scope.spawn(move || caller(n, one))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let refused = answers.iter().filter(|(answer, _)| answer.status == 503);
        if let Some((answer, took)) = refused.min_by_key(|(_, took)| *took) {
            bear_with(answer, *took, &self.nodes.logs());
            return None;
        }
        Some(answers.into_iter().map(|(answer, _)| answer.expect(200).access_token()).collect())
    }

    fn counted(&self) -> Vec<Counted> {
        let of = |metrics: String| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
            let count = |name: &str, labels: &[&str]| sum(&metrics, name, labels) as u64;
            Counted {
                signatures: count("ficha_signatures_total", &[]),
                made: count("ficha_live_tokens_made_total", &[]),
                fresh: count("ficha_tokens_issued_total", &["fresh"]),
            }
        };
        self.nodes.servers.iter().map(|server| of(server.metrics())).collect()
    }

    /// A round: all callers of the client get one token, which no one had before. That token, and when its renewal is due; nothing
    /// when the machine took so long that it was due within the round, or that somebody was not answered: then it says nothing.
    fn round(&mut self, begin: Begin, client: &str, before: Option<&str>) -> Option<(String, u64)> {
        let counted = self.counted();
        let Some(tokens) = self.ask(client) else {
            self.totals.overtaken += 1;
            return None;
        };
        let after = self.counted();
        let new: BTreeSet<_> = tokens.iter().filter(|token| Some(token.as_str()) != before).collect();
        let token = (*new.first().unwrap()).clone();
        let said = claims(&token);
        let due = said["exp"].as_u64().unwrap() - MIN_REMAINING_S;
        if now().as_secs() >= due {
            self.totals.overtaken += 1;
            return None;
        }
        let predecessors = tokens.iter().filter(|token| Some(token.as_str()) == before).count();
        assert_eq!(new.len(), 1, "{begin:?} of {client}: two live tokens");
        // Of a renewal, and for a moment, the rule allows the predecessor, which is still valid.
        assert!(predecessors == 0 || begin == Begin::Renewal, "{begin:?} of {client}: what was ended is handed out");
        // In the database: one row, which is the one that everybody got.
        let sql = format!(
            "SELECT count(*), min(id), min(renewals) FROM live_tokens WHERE issuer = 'live' AND client = '{client}'"
        );
        let renewals = u32::from(begin == Begin::Renewal);
        let row = format!("1|{}|{renewals}", said["jti"].as_str().unwrap());
        assert_eq!(self.database.query(&sql), row, "{begin:?} of {client}");
        // In what the nodes count: one at most signed by each, and one made by all of them.
        let grown = |of: fn(&Counted) -> u64| -> Vec<u64> {
            counted.iter().zip(&after).map(|(before, after)| of(after) - of(before)).collect()
        };
        let (signatures, made, fresh) = (grown(|c| c.signatures), grown(|c| c.made), grown(|c| c.fresh));
        let signed_as_promised = signatures.iter().all(|n| *n <= 1) && signatures.contains(&1);
        assert!(signed_as_promised, "{begin:?} of {client}: signatures {signatures:?}");
        assert_eq!((made.iter().sum(), fresh.iter().sum()), (1, 1), "{begin:?} of {client}");
        let totals = &mut self.totals;
        totals.rounds[begin as usize] += 1;
        totals.signatures += signatures.iter().sum::<u64>();
        totals.made += 1;
        totals.rows += 1;
        totals.predecessors += predecessors;
        Some((token, due))
    }

    fn counts(&self) -> usize {
        self.totals.rounds.iter().sum()
    }
}

#[test]
fn two_hundred_callers_at_four_nodes_get_one_live_token_whatever_it_begins_with() {
    let rounds = many("FICHA_ROUNDS", ROUNDS);
    let mut crowd = Crowd::of(rounds + TOGETHER);
    for group in 0.. {
        let clients: Vec<_> = (0..TOGETHER).map(|n| format!("app-{}", group * TOGETHER + n)).collect();
        let mut live = Vec::new();
        for client in &clients {
            if crowd.counts() < rounds {
                live.extend(crowd.round(Begin::First, client, None).map(|first| (client, first)));
            }
        }
        let mut renewed = Vec::new();
        for (client, (token, due)) in live {
            if crowd.counts() < rounds {
                at_last("the renewal is due", || now().as_secs() >= due);
                renewed.extend(crowd.round(Begin::Renewal, client, Some(&token)).map(|(token, _)| (client, token)));
            }
        }
        while crowd.counts() < rounds
            && let Some((client, token)) = renewed.pop()
        {
            let node = group % NODES;
            crowd.nodes.ask(node, "live").pomelo("/oauth/token/revoke", client).send().expect(200);
            if crowd.round(Begin::Revoked, client, Some(&token)).is_some() {
                break;
            }
        }
        if crowd.counts() == rounds {
            break;
        }
    }
    println!("{CALLERS} callers at {NODES} nodes: {:?}", crowd.totals);
    let [first, renewals, revoked] = crowd.totals.rounds;
    assert!(first > 0 && renewals > 0 && (revoked > 0 || rounds <= 2 * TOGETHER));
}
