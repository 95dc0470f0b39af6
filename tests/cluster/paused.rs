//! A node stands still while its client is disabled elsewhere, and gives no stale answer when it goes on.

use std::time::{Duration, Instant};

use ficha_testkit::postgres;
use ficha_tests::{Answer, Call, Connection, Door, secrets};

use crate::nodes::Nodes;

/// How long it stands still; `FICHA_PAUSE_S` takes another number of seconds.
const PAUSE: Duration = Duration::from_secs(4);
/// Requests of each kind that wait for it.
const MANY: usize = 4;

/// Requests that a node which stands still has got and not read.
struct Waiting(Vec<(&'static str, Connection)>);

impl Waiting {
    /// Over connections that were open before, and over new ones.
    fn send(open: Vec<Connection>, door: &Door, calls: &[(&'static str, Call)]) -> Self {
        let mut connections = open.into_iter().chain(std::iter::repeat_with(|| door.connect()));
        let mut sent = Vec::new();
        for (kind, call) in calls {
            for _ in 0..MANY {
                let mut connection = connections.next().unwrap();
                connection.write(&call.bytes()).unwrap();
                sent.push((*kind, connection));
            }
        }
        Self(sent)
    }

    /// What is answered. A connection whose time was over when the node went on may be closed instead; not all of them were.
    fn answers(self) -> Vec<(&'static str, Answer)> {
        let answer = |(kind, mut connection): (_, Connection)| Some((kind, connection.read_answer(false).ok()?));
        let answers: Vec<_> = self.0.into_iter().filter_map(answer).collect();
        assert!(!answers.is_empty(), "nothing was answered");
        answers
    }
}

#[test]
fn a_node_that_stood_still_gives_no_stale_answer_when_it_goes_on() {
    let pause = std::env::var("FICHA_PAUSE_S").map_or(PAUSE, |text| Duration::from_secs(text.parse().unwrap()));
    let database = postgres::shared().database();
    let nodes = Nodes::serving(&database.url(), 2);
    let ask = |issuer: &str| nodes.ask(1, issuer);
    let (lean, pomelo, std) = (ask("lean"), ask("pomelo"), ask("std"));
    // The second node knows and remembers all of it.
    let given = lean.token("app-0").send().expect(200);
    let revoked = lean.token("app-1").send().expect(200).access_token();
    let live = pomelo.pomelo("/oauth/token", "app-0").send().expect(200).access_token();
    std.token("app-0").send().expect(200);
    let add = ["client", "secret", "add", "app-1", "--secret-id", "second", "--issuer", "std", "--json"];
    let secret = nodes.servers[0].cli(&add).done().json()["secret"].as_str().unwrap().to_owned();
    secrets::note("a generated secret", &secret);
    let by_secret = std.with_secret(&secret);
    by_secret.token("app-1").send().expect(200);
    assert!(lean.is_active(&given.access_token()) && lean.is_active(&revoked) && pomelo.is_active(&live));
    nodes.become_ready();

    let door = nodes.servers[1].http();
    let open: Vec<_> = (0..2 * MANY).map(|_| door.connect()).collect();
    nodes.servers[1].signal("STOP");
    let since = Instant::now();
    for issuer in ["lean", "pomelo", "std"] {
        nodes.servers[0].cli(&["client", "disable", "app-0", "--issuer", issuer]).done();
    }
    nodes.servers[0].cli(&["client", "secret", "remove", "app-1", "second", "--issuer", "std"]).done();
    nodes.ask(0, "lean").revoke("app-1", &revoked).send().expect(200);
    // All of that was answered: nobody may get the old thing from now on.
    let refused = [
        ("a fresh token", std.token("app-0")),
        ("a live token", pomelo.pomelo("/oauth/token", "app-0")),
        ("a refresh", lean.refresh("app-0", &given.refresh_token())),
        ("a removed secret", by_secret.token("app-1")),
    ];
    let inactive = [("of a disabled client", &given.access_token()), ("revoked", &revoked)]
        .map(|(kind, token)| (kind, lean.introspection(token)));
    let refused = Waiting::send(open, &door, &refused);
    let inactive = Waiting::send(Vec::new(), &door, &inactive);
    std::thread::sleep(pause.saturating_sub(since.elapsed()));
    nodes.servers[1].signal("CONT");
    for (kind, answer) in refused.answers() {
        assert!([400, 401, 403, 503].contains(&answer.status), "{kind}: {}", answer.whole());
    }
    for (kind, answer) in inactive.answers() {
        let active = answer.status == 200 && answer.json()["active"] != false;
        assert!(!active && [200, 503].contains(&answer.status), "{kind}: {}", answer.whole());
    }
    nodes.become_ready();
    std.token("app-0").send().expect(401);
    std.token("app-2").send().expect(200);
    assert!(!lean.is_active(&revoked));
}
