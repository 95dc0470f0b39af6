//! What the server takes: memory, disk, time to start.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    http::{Answer, Asking, Caller, Same, drive},
    options::Options,
    process::{Cores, Process, pause, pin_generator},
    report::{
        Goal::{AtMost, Told},
        Report,
    },
    site::{CLIENTS, Site},
};

/// Connections to it.
const FEW: usize = 8;
/// How long the server is left alone until what it does by itself is done: the log of the database is emptied after 2 s.
const REST: Duration = Duration::from_secs(4);

/// MiB by which the database may differ although nothing was kept: the signs of life in its log, a few pages a second until it is
/// emptied. A byte for each token would be four times as much.
const NOISE: f64 = 0.25;

/// Measures all of it.
///
/// # Errors
/// A server that does not start, a lost connection.
pub(crate) fn measure(site: &Site, options: &Options, report: &mut Report) -> Result<()> {
    pin_generator(Cores::Both)?;
    let requests = options.pick(1_000_000, 50_000);
    let server = site.start(Cores::Both)?;
    tokens(site, &server, requests, report)?;
    many_clients(site, &server, requests, report)?;
    server.stop()?;
    site.take_log()?;
    starts(site, options, report)?;
    let bytes = fs::metadata(site.binary())?.len();
    report.add("the binary, stripped", "MiB", vec![mebibytes(bytes)], Told);
    Ok(())
}

/// The database before and after issuing.
fn tokens(site: &Site, server: &Process, n: usize, report: &mut Report) -> Result<()> {
    let mut callers = Caller::several(FEW, site.address)?;
    let (request, needle) = (site.with_refresh(), "\"refresh_token\":\"");
    let mut same = Same { request: &request, needle };
    // The first one writes when its client's secret was last used.
    drive(&mut callers, FEW, &mut same)?;
    pause(REST);
    let before = site.database_bytes()?;
    let driven = drive(&mut callers, n, &mut same)?;
    report.count(n, driven.errors);
    pause(REST);
    let after = site.database_bytes()?;
    report.add(&format!("database before {n} fresh tokens with refresh tokens"), "MiB", vec![mebibytes(before)], Told);
    report.add("database after them", "MiB", vec![mebibytes(after)], Told);
    report.add("  growth", "MiB", vec![mebibytes(after.saturating_sub(before))], AtMost(NOISE));
    report.add("memory after them", "MiB", vec![server.mebibytes()?], Told);
    let lines = site.take_log()?;
    report.note(format!("{lines} lines in the access log for {} requests as fast as two cores take them", n + FEW));
    Ok(())
}

/// Memory when there are many clients.
fn many_clients(site: &Site, server: &Process, n: usize, report: &mut Report) -> Result<()> {
    let mut callers = Caller::several(FEW, site.address)?;
    let driven = drive(&mut callers, n, &mut Many((0..CLIENTS).map(|n| site.of_many(n)).collect()))?;
    report.count(n, driven.errors);
    let name = format!("memory after {n} requests by {CLIENTS} clients");
    report.add(&name, "MiB", vec![server.mebibytes()?], AtMost(100.0));
    pause(REST);
    report.add("database after them", "MiB", vec![mebibytes(site.database_bytes()?)], Told);
    site.take_log()?;
    Ok(())
}

/// A request of each client in turn.
struct Many(Vec<Vec<u8>>);

impl Asking for Many {
    fn request(&mut self, n: usize, _: usize, place: &mut Vec<u8>) {
        place.extend_from_slice(self.0.get(n % CLIENTS).map_or(&[], Vec::as_slice));
    }

    fn right(&mut self, _: usize, answer: &Answer<'_>) -> bool {
        answer.is("\"access_token\":\"")
    }
}

/// Time from the start to the first token on existing data, and memory when nothing happens.
fn starts(site: &Site, options: &Options, report: &mut Report) -> Result<()> {
    let (mut times, mut idle) = (Vec::new(), Vec::new());
    let request = site.reused();
    for _ in 0..options.rounds(9, 3) {
        let began = Instant::now();
        let server = site.start(Cores::Both)?;
        let right = Caller::new(site.address)?.ask(&request)?.is("\"access_token\":\"");
        times.push(began.elapsed().as_secs_f64() * 1e3);
        report.count(1, u64::from(!right));
        pause(Duration::from_secs(1));
        idle.push(server.mebibytes()?);
        server.stop()?;
    }
    site.take_log()?;
    report.add("start to first token on existing data", "ms", times, AtMost(150.0));
    report.add("memory when idle", "MiB", idle, AtMost(25.0));
    Ok(())
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
