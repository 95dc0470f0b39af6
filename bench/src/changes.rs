//! How long a change is on its way: one node is told of it, and the other is asked until it has applied it, while both issue as
//! fast as they can.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::{
    http::Caller,
    options::Options,
    process::{Cores, pause, pin_generator},
    report::{
        Goal::{AtMost, Told},
        Report,
    },
    series::TOKEN,
    site::Site,
    storm::Storm,
};

/// Callers of each node's storm.
const CALLERS: usize = 16;
/// Between two questions whether it is applied.
const EVERY: Duration = Duration::from_millis(2);
/// After that long it is not applied at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// Milliseconds from the beginning of a change until the other node has applied it, and until it is answered.
struct Way {
    applied: f64,
    answered: f64,
}

/// Measures it for revoked tokens and for disabled clients.
///
/// # Errors
/// A node that does not start, a lost connection, a change that does not arrive.
pub(crate) fn measure(nodes: [&Site; 2], options: &Options, report: &mut Report) -> Result<()> {
    pin_generator(Cores::Both)?;
    let processes = [nodes[0].start(Cores::Both)?, nodes[1].start(Cores::Both)?];
    let mut callers = [Caller::new(nodes[0].address)?, Caller::new(nodes[1].address)?];
    let began = Instant::now();
    let requests = vec![nodes[0].with_refresh(); CALLERS];
    let storms = [Storm::begin(nodes[0].address, &requests)?, Storm::begin(nodes[1].address, &requests)?];
    pause(Duration::from_secs(1));
    let mut ways = Vec::new();
    for _ in 0..options.pick(500, 100) {
        ways.push(revoked(nodes[0], &mut callers)?);
    }
    tell("a revoked token", ways, report);
    let mut ways = Vec::new();
    for client in 0..options.pick(200, 30) {
        ways.push(disabled(nodes[0], client, &mut callers[1])?);
    }
    tell("a disabled client", ways, report);
    let took = began.elapsed().as_secs_f64();
    let mut rates = Vec::new();
    for storm in storms {
        let passed = storm.end()?;
        report.count(passed.answers, passed.errors as u64);
        rates.push(passed.answers as f64 / took);
    }
    report.add("  tokens of each node meanwhile", "/s", rates, Told);
    processes.into_iter().try_for_each(crate::process::Process::stop)?;
    nodes.into_iter().try_for_each(|node| node.take_log().map(drop))
}

/// A token is revoked at the first node, and the second is asked about it.
fn revoked(site: &Site, [here, there]: &mut [Caller; 2]) -> Result<Way> {
    let token = there.ask(&site.fresh("es"))?.text("access_token").context("no token")?.to_owned();
    let question = site.introspect("es", &token);
    let mut good = || Ok(there.ask(&question)?.is("\"active\":true"));
    ensure!(good()?, "a new token is not good");
    let revoke = || {
        let answer = here.ask(&site.revoke("es", &token))?;
        ensure!(answer.status == 200, "not revoked: {}", answer.status);
        Ok(())
    };
    way(revoke, good)
}

/// A client is disabled at the first node, and the second is asked for its token.
fn disabled(site: &Site, client: usize, there: &mut Caller) -> Result<Way> {
    let request = site.of_many(client);
    let mut good = || Ok(there.ask(&request)?.is(TOKEN));
    ensure!(good()?, "a client gets no token");
    let disable = || site.command(&["client", "disable", &Site::name_of_many(client), "--issuer", "many"]);
    way(disable, good)
}

/// Makes a change and asks until nothing is `good` any more.
fn way(change: impl FnOnce() -> Result<()> + Send, mut good: impl FnMut() -> Result<bool>) -> Result<Way> {
    let began = Instant::now();
    let since = || began.elapsed().as_secs_f64() * 1e3;
    thread::scope(|scope| {
        let answered = scope.spawn(|| change().map(|()| since()));
        while good()? {
            if began.elapsed() > PATIENCE {
                bail!("the other node does not apply it");
            }
            pause(EVERY);
        }
        let applied = since();
        let answered = answered.join().map_err(|_| anyhow!("a change panicked"))??;
        Ok(Way { applied, answered })
    })
}

fn tell(what: &str, ways: Vec<Way>, report: &mut Report) {
    let (mut applied, mut answered): (Vec<_>, Vec<_>) = ways.into_iter().map(|way| (way.applied, way.answered)).unzip();
    let at = |all: &mut Vec<f64>, percent: usize| {
        all.sort_by(f64::total_cmp);
        vec![all.get(all.len() * percent / 100).copied().unwrap_or(f64::NAN)]
    };
    report.add(&format!("{what} until the other node has applied it: p50"), "ms", at(&mut applied, 50), Told);
    report.add(&format!("  p99 of {}", applied.len()), "ms", at(&mut applied, 99), AtMost(1000.0));
    report.add("  until it is answered: p50", "ms", at(&mut answered, 50), Told);
    report.add("  until it is answered: p99", "ms", at(&mut answered, 99), Told);
}
