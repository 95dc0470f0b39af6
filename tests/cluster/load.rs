//! Honest callers that go on through an outage: who gets a 503 sends the same again, at the next node, until it is answered; what
//! was answered is written down.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use ficha_tests::{Answer, Asker, Call, Callers, Chain, Door, Ledger, Server, bear_with, secrets};

use crate::nodes::{at_last, is_unavailable};

/// How long one request may be answered 503.
const PATIENCE: Duration = Duration::from_mins(4);
const BETWEEN: Duration = Duration::from_millis(20);

/// What callers may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum May {
    /// A 503 now and then.
    Wait,
    /// Nothing but their answer, unless the machine stands still.
    NotWait,
}

/// The callers, and what became of them.
pub(crate) struct Load<'l> {
    doors: Vec<Door>,
    /// Whose turn it is.
    turn: AtomicUsize,
    callers: Callers,
    ledger: &'l Mutex<Ledger>,
    may: May,
    /// The folders of the logs of who answers, where that are nodes that wait for their database for a time only.
    logs: Vec<PathBuf>,
    stop: AtomicBool,
    done: Mutex<BTreeMap<&'static str, usize>>,
    waits: Mutex<Vec<Duration>>,
}

/// How long callers saw 503, each from its first one to its answer.
#[derive(Default)]
pub(crate) struct Waits(Vec<Duration>);

impl Waits {
    /// With others.
    pub(crate) fn add(&mut self, others: &Self) {
        self.0.extend(&others.0);
    }

    /// Says so.
    pub(crate) fn print(&mut self, what: &str) {
        self.0.sort();
        let (many, most) = (self.0.len(), self.0.last().copied().unwrap_or_default());
        let median = self.0.get(many / 2).copied().unwrap_or_default();
        println!("{what}: {many} times a caller saw 503, for {median:.1?} at the median and {most:.1?} at most");
    }
}

/// Ends the load when its thread panics, so that the test ends too.
struct Ending<'l>(&'l AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Release);
        }
    }
}

/// What runs beside each other: the name of the step, and what takes it until the end.
type Caller<'c> = (&'static str, Box<dyn Fn(&str) + Send + 'c>);

impl<'l> Load<'l> {
    /// Callers that ask at `doors` in turn.
    pub(crate) fn new(doors: Vec<Door>, callers: &Callers, ledger: &'l Mutex<Ledger>, may: May) -> Self {
        let (stop, done, waits) = (AtomicBool::new(false), Mutex::default(), Mutex::default());
        let (turn, logs) = (AtomicUsize::new(0), Vec::new());
        Self { doors, turn, callers: callers.clone(), ledger, may, logs, stop, done, waits }
    }

    /// The same, of nodes whose logs are in these folders.
    pub(crate) fn of_nodes(self, logs: Vec<PathBuf>) -> Self {
        Self { logs, ..self }
    }

    /// Runs the callers while `during` does; with a server, an administrator changes secrets there too.
    pub(crate) fn run(&self, administered: Option<&Server>, during: impl FnOnce()) {
        let mut all: Vec<Caller<'_>> = vec![
            ("revokes", Box::new(|step| self.revokes(step, "app-0"))),
            ("refreshes", Box::new(|step| self.refreshes(step, "app-1"))),
            ("refreshes again", Box::new(|step| self.refreshes(step, "app-2"))),
            ("uses a live token", Box::new(|step| self.lives(step, "app-2"))),
            ("logs in", Box::new(|step| self.logs_in(step))),
        ];
        if self.may == May::Wait {
            all.push(("revokes a live token", Box::new(|step| self.revokes_live(step, "app-0"))));
        }
        if let Some(server) = administered {
            all.push(("changes secrets", Box::new(|step| self.changes_secrets(step, server, "app-3"))));
        }
        self.done.lock().unwrap().extend(all.iter().map(|(name, _)| (*name, 0)));
        std::thread::scope(|scope| {
            for (name, caller) in all {
                scope.spawn(move || {
                    let _ending = Ending(&self.stop);
                    caller(name);
                });
            }
            let _ending = Ending(&self.stop);
            during();
            self.stop.store(true, Ordering::Release);
        });
    }

    /// Waits until every caller has taken so many further steps.
    pub(crate) fn goes_on(&self, steps: usize) {
        let before = self.done.lock().unwrap().clone();
        at_last("every caller goes on", || {
            let now = self.done.lock().unwrap();
            assert!(self.on(), "a caller has failed");
            before.iter().all(|(name, n)| now[name] >= n + steps)
        });
    }

    /// How long callers saw 503 since this was asked last.
    pub(crate) fn waits(&self) -> Waits {
        Waits(std::mem::take(&mut *self.waits.lock().unwrap()))
    }

    fn on(&self) -> bool {
        !self.stop.load(Ordering::Acquire)
    }

    fn step(&self, name: &str) {
        *self.done.lock().unwrap().get_mut(name).unwrap() += 1;
    }

    /// Sends a request until it is answered: what an honest caller does.
    fn answered(&self, issuer: &str, call: impl Fn(&Asker) -> Call) -> Answer {
        let mut first_refused = None;
        loop {
            let door = &self.doors[self.turn.fetch_add(1, Ordering::Relaxed) % self.doors.len()];
            let sent = Instant::now();
            let answer = call(&self.callers.ask(door, issuer)).send();
            let fails = self.may == May::NotWait && self.logs.is_empty();
            if fails || answer.status != 503 {
                let answer = answer.expect(200);
                self.waits.lock().unwrap().extend(first_refused.map(|at: Instant| at.elapsed()));
                return answer;
            }
            is_unavailable(&answer);
            if self.may == May::NotWait {
                bear_with(&answer, sent.elapsed(), &self.logs);
            }
            let since = first_refused.get_or_insert(sent);
            assert!(since.elapsed() < PATIENCE, "nothing but 503: {}", answer.whole());
            std::thread::sleep(BETWEEN);
        }
    }

    /// Takes tokens and revokes every other one.
    fn revokes(&self, step: &str, client: &str) {
        while self.on() {
            let one = self.answered("lean", |lean| lean.token(client)).access_token();
            let other = self.answered("lean", |lean| lean.token(client)).access_token();
            self.ledger.lock().unwrap().good.push(other);
            self.answered("lean", |lean| lean.revoke(client, &one));
            self.ledger.lock().unwrap().revoked.push(one);
            self.step(step);
        }
    }

    /// Refreshes one family on and on: whatever happens, the session goes on.
    fn refreshes(&self, step: &str, client: &str) {
        let last = self.answered("lean", |lean| lean.token(client)).refresh_token();
        let mut chain = Chain { client: client.to_owned(), before: None, last, doubtful: false };
        while self.on() {
            let next = self.answered("lean", |lean| lean.refresh(client, &chain.last)).refresh_token();
            let before = std::mem::replace(&mut chain.last, next);
            chain.before = Some(before);
            self.step(step);
        }
        self.ledger.lock().unwrap().chains.push(chain);
    }

    /// Takes the live token: there is one.
    fn lives(&self, step: &str, client: &str) {
        while self.on() {
            let token = self.answered("pomelo", |pomelo| pomelo.pomelo("/oauth/token", client)).access_token();
            let mut ledger = self.ledger.lock().unwrap();
            let live = ledger.live.entry(client.to_owned()).or_default();
            assert!(live.token.as_ref().is_none_or(|before| *before == token), "two live tokens");
            live.token = Some(token);
            drop(ledger);
            self.step(step);
        }
    }

    /// Takes the live token and revokes it.
    fn revokes_live(&self, step: &str, client: &str) {
        while self.on() {
            let token = self.answered("pomelo", |pomelo| pomelo.pomelo("/oauth/token", client)).access_token();
            self.answered("pomelo", |pomelo| pomelo.pomelo("/oauth/token/revoke", client));
            self.ledger.lock().unwrap().live_revoked.push(token);
            self.step(step);
        }
    }

    /// Logs in and revokes the refresh token.
    fn logs_in(&self, step: &str) {
        while self.on() {
            let kept = self.answered("deyel", Asker::login).refresh_token();
            self.answered("deyel", |deyel| deyel.revoke("app-0", &kept));
            self.ledger.lock().unwrap().kept_revoked.push(kept);
            self.step(step);
        }
    }

    /// Adds a secret, uses it and removes it; the last one stays.
    fn changes_secrets(&self, step: &str, server: &Server, client: &str) {
        let command = |what: &str, more: &[&str]| {
            server.cli(&[&["client", "secret", what, client][..], more, &["--issuer", "std", "--json"]].concat())
        };
        let mut gone_since = Instant::now();
        loop {
            let id = format!("s{}", secrets::random(6));
            let added = command("add", &["--secret-id", &id]);
            let secret = (added.code == 0).then(|| added.json()["secret"].as_str().unwrap().to_owned());
            if let Some(secret) = &secret {
                secrets::note("a generated secret", secret);
                self.answered("std", |std| std.with_secret(secret).token(client));
                if !self.on() {
                    self.ledger.lock().unwrap().added.push((client.to_owned(), secret.clone()));
                    return;
                }
                gone_since = Instant::now();
            }
            // What was not answered may have been done: then it is there to be removed.
            loop {
                let removed = command("remove", &[&id]);
                if removed.code == 0 || removed.stderr.contains("there is no secret") {
                    break;
                }
                assert!(gone_since.elapsed() < PATIENCE, "{removed:?}");
                std::thread::sleep(BETWEEN);
            }
            if let Some(secret) = secret {
                self.ledger.lock().unwrap().removed.push((client.to_owned(), secret));
                self.step(step);
            }
        }
    }
}
