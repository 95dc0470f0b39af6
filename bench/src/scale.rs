//! Very many clients against a hundred: what a server with 1,000,000 clients over 10,000 issuers takes, and how long its answers
//! take, beside one with 100 clients in one issuer, in turns within one run; on either engine.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    net::{SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use ficha_jose::{random, sha256};
use ficha_testkit::postgres::{Database, Server};
use tempfile::TempDir;

use crate::{
    http::Caller,
    options::Options,
    postgres,
    process::{Cores, Process, pause, pin_generator},
    report::{
        Goal::{AtMost, Told},
        Report,
    },
};

/// The secret of every client here.
const SECRET: &str = "bench-Zt5cM8wKe2uRq7nXb1vGh4yLs9jDf3pA";
/// Clients of each issuer.
const EACH: usize = 100;
/// Issuers of one file.
const FILE: usize = 1000;
/// Clients that are asked for in turn, all of them remembered.
const REMEMBERED: usize = 10_000;
/// How long the server is left alone until it has come to rest.
const REST: std::time::Duration = std::time::Duration::from_secs(3);

/// A server with issuers that are all alike.
struct Many<'a> {
    folder: TempDir,
    /// Where its data is, when not in its folder.
    database: Option<Database<'a>>,
    ficha: PathBuf,
    address: SocketAddr,
    ops: SocketAddr,
    issuers: usize,
    /// Seconds that it took to declare each file of clients, and how many clients these were.
    applied: Vec<(usize, f64)>,
}

impl<'a> Many<'a> {
    /// Declares `issuers`, by `ficha apply` with no server running.
    fn make(options: &Options, engine: Option<&'a Server>, issuers: usize) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("scale-").tempdir_in(&options.folder)?;
        // Base URLs hold the port, so it must be known before there is a server.
        let (one, other) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
        let (address, ops) = (one.local_addr()?, other.local_addr()?);
        let (ficha, database) = (options.ficha.clone(), engine.map(Server::database));
        let mut many = Self { folder, database, ficha, address, ops, issuers, applied: Vec::new() };
        let mut key = [0; 32];
        random::fill(&mut key);
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(many.path("master.key"))?;
        file.write_all(STANDARD.encode(key).as_bytes())?;
        fs::create_dir(many.path("data"))?;
        fs::write(many.path("ficha.toml"), many.configuration())?;
        for first in (0..issuers).step_by(FILE) {
            let until = issuers.min(first + FILE);
            fs::write(many.path("some.toml"), many.declaration(first..until)?)?;
            let began = Instant::now();
            many.apply("some.toml")?;
            many.applied.push(((until - first) * EACH, began.elapsed().as_secs_f64()));
        }
        fs::remove_file(many.path("some.toml"))?;
        Ok(many)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configuration(&self) -> String {
        format!(
            "[listen]\nhttps = []\nhttp = [\"{}\"]\nops = \"{}\"\ndrain_s = 0\n[store]\ndata = \"data\"\n{}\
             [limits]\ncached_clients = {}\n[keys]\nmaster_key_file = \"master.key\"\n",
            self.address,
            self.ops,
            self.database.as_ref().map_or_else(String::new, |at| format!("url = \"{}\"\n", at.url())),
            // The default, and room for those whose memory is measured.
            16_384 + 1_000 * EACH
        )
    }

    fn declaration(&self, which: std::ops::Range<usize>) -> Result<String> {
        let digest = sha256(SECRET.as_bytes()).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let scopes = r#"["loans:read", "loans:write"]"#;
        let mut all = String::new();
        for issuer in which {
            writeln!(
                all,
                "[[issuer]]\nname = \"i-{issuer}\"\ndialect = \"standard\"\nbase_urls = [\"http://{}/i-{issuer}\"]\n\
                 allow_loopback_http = true\n[[issuer.api]]\nname = \"api\"\naudience = \"https://api.example\"\n\
                 scopes = {scopes}\nalgorithm = \"ES256\"",
                self.address
            )?;
            for client in 0..EACH {
                writeln!(
                    all,
                    "[[issuer.client]]\nid = \"c-{client}\"\nsecrets = [\"sha256:{digest}\"]\n\
                     grants = [\"client_credentials\"]\nscopes = {{ api = {scopes} }}"
                )?;
            }
        }
        Ok(all)
    }

    fn apply(&self, file: &str) -> Result<()> {
        let mut command = Command::new(&self.ficha);
        command.args(["apply", "--yes", "--config"]).arg(self.path("ficha.toml")).arg(self.path(file));
        let out = command.stdin(Stdio::null()).output().with_context(|| self.ficha.display().to_string())?;
        if !out.status.success() {
            bail!("ficha apply: {}", String::from_utf8_lossy(&out.stderr));
        }
        Ok(())
    }

    fn start(&self) -> Result<Process> {
        Process::server(&self.ficha, &self.path("ficha.toml"), &self.path("server.log"), Cores::Both)
    }

    /// MiB of the database.
    fn mebibytes(&self) -> Result<f64> {
        let bytes = match &self.database {
            Some(database) => database.query("SELECT pg_database_size(current_database())").parse()?,
            None => {
                let files = fs::read_dir(self.path("data"))?;
                files.map(|file| Ok(file?.metadata()?.len())).sum::<Result<u64>>()?
            }
        };
        Ok(bytes as f64 / f64::from(1 << 20))
    }

    fn clients(&self) -> usize {
        self.issuers * EACH
    }

    /// A token for the `n`th client: neighbours are clients of different issuers.
    fn token(&self, n: usize) -> Vec<u8> {
        let (issuer, client) = (n % self.issuers, n / self.issuers % EACH);
        let basic = STANDARD.encode(format!("c-{client}:{SECRET}"));
        let body = "grant_type=client_credentials";
        format!(
            "POST /i-{issuer}/oauth/token HTTP/1.1\r\nhost: {}\r\nauthorization: Basic {basic}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .into_bytes()
    }

    /// The log is as long as what was asked.
    fn forget_log(&self) -> Result<()> {
        Ok(File::options().write(true).open(self.path("server.log"))?.set_len(0)?)
    }

    /// What a counter of `/metrics` says.
    fn counted(&self, line: &str) -> Result<f64> {
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\n\r\n", self.ops).into_bytes();
        let mut caller = Caller::new(self.ops)?;
        let answer = caller.ask(&request)?;
        let value = answer.body.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok());
        value.with_context(|| format!("/metrics has no {line}"))
    }
}

/// Milliseconds of a series of answers.
struct Took {
    p50: f64,
    p99: f64,
}

/// Measures all of it.
///
/// # Errors
/// A server that does not start, a lost connection.
pub(crate) fn measure(options: &Options, report: &mut Report) -> Result<()> {
    on("SQLite", None, options, report)?;
    on("PostgreSQL", Some(&postgres::server()?), options, report)
}

/// Measures it on one engine.
fn on(engine: &str, server: Option<&Server>, options: &Options, report: &mut Report) -> Result<()> {
    pin_generator(Cores::Both)?;
    let few = Many::make(options, server, 1)?;
    let many = Many::make(options, server, options.issuers.unwrap_or(options.pick(10_000, 100)))?;
    let (clients, seconds) = many.applied.iter().fold((0, 0.0), |(n, s), (more, took)| (n + more, s + took));
    let name = format!("{engine}: ficha apply of {clients} clients over {} issuers, for 100000", many.issuers);
    report.add(&name, "s", vec![seconds / clients as f64 * 1e5], AtMost(600.0));
    report.add("  database", "MiB", vec![many.mebibytes()?], Told);
    starts((&few, &many), options, report)?;
    latencies((&few, &many), options, report)?;
    first_sights(&many, report)?;
    memory(&many, options, report)
}

/// From the start to the first token, and memory then.
fn starts((few, many): (&Many<'_>, &Many<'_>), options: &Options, report: &mut Report) -> Result<()> {
    let start = |site: &Many<'_>| -> Result<(f64, f64)> {
        let began = Instant::now();
        let server = site.start()?;
        let right = Caller::new(site.address)?.ask(&site.token(0))?.is("\"access_token\":\"");
        let took = began.elapsed().as_secs_f64() * 1e3;
        if !right {
            bail!("no token at the start");
        }
        pause(REST);
        let memory = server.mebibytes()?;
        server.stop()?;
        Ok((took, memory))
    };
    let (mut times, mut memories) = (Vec::new(), Vec::new());
    let (mut absolute, mut held) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds(9, 3) {
        let ((few_took, few_held), (many_took, many_held)) = (start(few)?, start(many)?);
        report.count(2, 0);
        times.push(many_took / few_took);
        memories.push(many_held - few_held);
        absolute.push(many_took);
        held.push(many_held);
    }
    let clients = many.clients();
    report.add(&format!("start to first token with {clients} clients"), "ms", absolute, Told);
    report.add(&format!("  ÷ with {} clients", few.clients()), "×", times, AtMost(1.2));
    report.add(&format!("memory after the start with {clients} clients"), "MiB", held, Told);
    report.add(&format!("  − with {} clients", few.clients()), "MiB", memories, Told);
    Ok(())
}

/// How long answers take, the two servers in turns.
fn latencies((few, many): (&Many<'_>, &Many<'_>), options: &Options, report: &mut Report) -> Result<()> {
    let (of_few, of_many) = (few.start()?, many.start()?);
    let remembered = REMEMBERED.min(many.clients());
    let n = options.pick(20_000, 2_000);
    let mut chance = Chance::new();
    let drawn = |chance: &mut Chance, below: usize| (0..n).map(|_| chance.below(below)).collect::<Vec<_>>();
    for (site, all) in [(few, few.clients()), (many, remembered)] {
        ask(site, &(0..all).collect::<Vec<_>>(), report)?;
    }
    let zipf = Zipf::new(many.clients());
    let (mut warm, mut even, mut skewed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds(9, 3) {
        let base = ask(few, &drawn(&mut chance, few.clients()), report)?;
        let here = ask(many, &drawn(&mut chance, remembered), report)?;
        warm.push((here.p50 / base.p50, here.p99 / base.p99));
        let drawn = (0..n).map(|_| zipf.draw(&mut chance)).collect::<Vec<_>>();
        let here = ask(many, &drawn, report)?;
        skewed.push((here.p50, here.p99, here.p50 / base.p50, here.p99 / base.p99));
        // The last, since it pushes out what is remembered.
        let drawn = (0..n).map(|_| chance.below(many.clients())).collect::<Vec<_>>();
        let here = ask(many, &drawn, report)?;
        even.push((here.p50, here.p99));
        ask(many, &(0..remembered).collect::<Vec<_>>(), report)?;
        few.forget_log()?;
        many.forget_log()?;
    }
    of_few.stop()?;
    of_many.stop()?;
    let name = format!("token of a client in the cache, {} clients ÷ {}", many.clients(), few.clients());
    report.add(&format!("{name}: p50"), "×", warm.iter().map(|w| w.0).collect(), AtMost(1.2));
    report.add(&format!("{name}: p99"), "×", warm.iter().map(|w| w.1).collect(), AtMost(2.0));
    report.add("clients drawn by Zipf from all: p50", "ms", skewed.iter().map(|s| s.0).collect(), Told);
    report.add("  p99", "ms", skewed.iter().map(|s| s.1).collect(), Told);
    report.add("  p50 ÷ that of few", "×", skewed.iter().map(|s| s.2).collect(), Told);
    report.add("  p99 ÷ that of few", "×", skewed.iter().map(|s| s.3).collect(), Told);
    report.add(
        "clients drawn evenly from all, most at first sight: p50",
        "ms",
        even.iter().map(|e| e.0).collect(),
        Told,
    );
    report.add("  p99", "ms", even.iter().map(|e| e.1).collect(), Told);
    Ok(())
}

/// Look-ups that a client takes that was never seen, of an issuer that was.
fn first_sights(many: &Many<'_>, report: &mut Report) -> Result<()> {
    let server = many.start()?;
    let first = many.issuers.min(50);
    ask(many, &(0..first).collect::<Vec<_>>(), report)?;
    let misses = |cache: &str| many.counted(&format!("ficha_cache_misses_total{{cache=\"{cache}\"}}"));
    let before = (misses("clients")?, misses("places")?);
    // The next client of each of these issuers.
    ask(many, &(0..first).map(|n| n + many.issuers).collect::<Vec<_>>(), report)?;
    let of = |after: f64, before: f64| (after - before) / first as f64;
    report.add("first sight of a client: reads of clients", "", vec![of(misses("clients")?, before.0)], AtMost(1.0));
    report.add("  reads of base URLs", "", vec![of(misses("places")?, before.1)], AtMost(0.0));
    server.stop()
}

/// Memory that each further client takes, of issuers that are in memory already.
fn memory(many: &Many<'_>, options: &Options, report: &mut Report) -> Result<()> {
    let server = many.start()?;
    let issuers = many.issuers.min(options.pick(1_000, 100));
    ask(many, &(0..issuers).collect::<Vec<_>>(), report)?;
    pause(REST);
    let before = server.mebibytes()?;
    let others: Vec<_> = (1..EACH).flat_map(|client| (0..issuers).map(move |issuer| (issuer, client))).collect();
    let asked: Vec<_> = others.iter().map(|(issuer, client)| issuer + client * many.issuers).collect();
    ask(many, &asked, report)?;
    pause(REST);
    let each = (server.mebibytes()? - before) * 1024.0 / asked.len() as f64;
    report.add(
        &format!("memory for each of {} further clients in the cache", asked.len()),
        "KiB",
        vec![each],
        AtMost(2.0),
    );
    server.stop()
}

/// Asks one after the other over one connection.
fn ask(site: &Many<'_>, clients: &[usize], report: &mut Report) -> Result<Took> {
    let mut caller = Caller::new(site.address)?;
    let (mut took, mut wrong) = (Vec::with_capacity(clients.len()), 0);
    for client in clients {
        let request = site.token(*client);
        let began = Instant::now();
        if !caller.ask(&request)?.is("\"access_token\":\"") {
            wrong += 1;
        }
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    report.count(clients.len(), wrong);
    took.sort_by(f64::total_cmp);
    let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or(f64::NAN);
    Ok(Took { p50: at(50), p99: at(99) })
}

/// Numbers that nobody foresees and that are the same in every run (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        Self(0x5eed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap_or(0)
    }

    /// 0 to 1, without 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Ranks by Zipf's law with exponent 1: the second comes half as often as the first.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(n: usize) -> Self {
        let mut sum = 0.0;
        let mut sums: Vec<_> = (1..=n)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        for s in &mut sums {
            *s /= sum;
        }
        Self(sums)
    }

    fn draw(&self, chance: &mut Chance) -> usize {
        let share = chance.share();
        self.0.partition_point(|sum| *sum <= share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rank_comes_twice_as_often_as_the_second_and_all_are_in_range() {
        let (zipf, mut chance) = (Zipf::new(1000), Chance::new());
        let mut seen = vec![0; 1000];
        for _ in 0..100_000 {
            seen[zipf.draw(&mut chance)] += 1;
        }
        let ratio = f64::from(seen[0]) / f64::from(seen[1]);
        assert!((1.8..2.2).contains(&ratio), "{ratio}");
    }
}
