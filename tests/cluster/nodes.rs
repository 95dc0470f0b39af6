//! Nodes on one database.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use ficha_tests::{Answer, Asker, Callers, Config, Door, Ledger, Server, eventually, master_key};

/// Longer than anything may take that other programs decide: an election, the copy of a database.
const VERY_LONG: Duration = Duration::from_mins(5);

/// Servers that share a database and a master key, and who asks them.
pub(crate) struct Nodes {
    pub(crate) servers: Vec<Server>,
    pub(crate) callers: Callers,
}

impl Nodes {
    /// So many that serve, with the callers' issuers declared.
    pub(crate) fn serving(url: &str, many: usize) -> Self {
        Self::draining(url, many, 0)
    }

    /// The same, that go on serving for `drain_s` seconds after the order to stop.
    pub(crate) fn draining(url: &str, many: usize, drain_s: u32) -> Self {
        let nodes = Self::of(url, (many, drain_s), &master_key(), Callers::new());
        nodes.callers.declare(&nodes.servers[0]);
        nodes
    }

    /// So many on what the database holds already.
    pub(crate) fn of(url: &str, (many, drain_s): (usize, u32), key: &str, callers: Callers) -> Self {
        let prepared = |_| {
            let config = Config::new().with("store", &format!("url = \"{url}\""));
            let config = config.with("listen", &format!("drain_s = {drain_s}"));
            config.write_master("master.key", key);
            Server::prepared(config)
        };
        let mut nodes = Self { servers: (0..many).map(prepared).collect(), callers };
        nodes.servers.iter_mut().for_each(Server::start);
        nodes
    }

    /// Asks an issuer at one of them, again where its database took too long.
    pub(crate) fn ask(&self, node: usize, issuer: &str) -> Asker {
        let server = &self.servers[node];
        self.callers.ask(&server.http().patient(server.dir()), issuer)
    }

    /// Asks an issuer at one of them once, whatever the answer is.
    pub(crate) fn ask_once(&self, node: usize, issuer: &str) -> Asker {
        self.callers.ask(&self.servers[node].http(), issuer)
    }

    /// Where all of them are asked.
    pub(crate) fn doors(&self) -> Vec<Door> {
        self.servers.iter().map(Server::http).collect()
    }

    /// The folders of their logs.
    pub(crate) fn logs(&self) -> Vec<PathBuf> {
        self.servers.iter().map(|server| server.dir().to_owned()).collect()
    }

    /// Waits until all of them are ready.
    pub(crate) fn become_ready(&self) {
        for server in &self.servers {
            eventually("a node is ready", || readiness(server) == "ready");
        }
    }

    /// Fails unless each of them stands by everything that was answered.
    pub(crate) fn stand_by(&self, ledger: &mut Ledger) {
        self.become_ready();
        for node in 0..self.servers.len() {
            ledger.check(&|issuer| self.ask(node, issuer));
        }
        println!("checked: {:?}", ledger.checked);
        for what in ["revocations", "good tokens", "kept tokens revoked", "live tokens", "same successors", "replays"] {
            assert!(ledger.checked.get(what).is_some_and(|n| *n > 0), "nothing to check: {what}");
        }
    }
}

/// How many of something a test does: a few, or as many as a variable of the environment says.
pub(crate) fn many(variable: &str, few: usize) -> usize {
    std::env::var(variable).map_or(few, |text| text.parse().unwrap())
}

/// What a node says of itself: `ready`, `degraded`, `unready`; nothing when it does not listen.
pub(crate) fn readiness(server: &Server) -> String {
    let answer = server.ops().base("").call("GET", "/readyz").try_send();
    answer.map_or_else(|_| String::new(), |answer| answer.text().trim().to_owned())
}

/// Waits, much longer than [`eventually`], until it is so.
pub(crate) fn at_last(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + VERY_LONG;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a caller gets when it is our fault.
#[track_caller]
pub(crate) fn is_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.whole());
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
