//! CPU time of the server per request, and the rate of refreshing, in rounds that take one slice of each series.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ficha_types::Algorithm;

use crate::{
    crypto::Operation,
    http::{Answer, Asking, Driven, Same, drive},
    options::Options,
    process::{Cores, Process, on_the_servers_core, pause, pin_generator},
    rate::{Names, Rows},
    report::{
        Goal::{AtLeast, AtMost, Told},
        Report,
    },
    series::{Crowd, Series, TOKEN, Tokens},
    site::Site,
};

/// Until then the server has emptied the database's log.
const LOG_EMPTIED: Duration = Duration::from_millis(2_500);

/// What a right answer to an introspection holds.
const ACTIVE: &str = "\"active\":true";

/// The figures of one round.
#[derive(Default)]
struct Round {
    bare: f64,
    sign: [f64; 3],
    verify: f64,
    reused: f64,
    fresh: [f64; 3],
    with_refresh: f64,
    first_sight: f64,
    second_sight: f64,
    refreshed: f64,
    refresh_cpu: f64,
    committed: f64,
    committed_in_order: f64,
}

/// Measures all of it, the server on one core and this generator on the other.
///
/// # Errors
/// A process that can't be started, a lost connection.
pub(crate) fn measure(site: &Site, options: &Options, report: &mut Report) -> Result<()> {
    let algorithms = [(Algorithm::Rs256, 4), (Algorithm::Es256, 1), (Algorithm::EdDsa, 1)];
    pin_generator(Cores::One)?;
    let (bare, bare_address) = Process::bare()?;
    let server = site.start(Cores::One)?;
    let (slice, families) = (options.pick(5_000, 2_000), options.pick(100_000, 10_000));
    // First what takes long: the server closes connections that are silent from the beginning.
    let crowd = Crowd::new(site, families)?;
    let rows = Rows::make(&site.data(), families, Names::ByChance)?;
    let rows_in_order = Rows::make(&site.data(), families, Names::InOrderOfTime)?;
    let mut bench = Bench {
        site,
        slice,
        bare: Series::new(&bare, bare_address)?,
        server: Series::new(&server, site.address)?,
        crowd,
        rows,
        rows_in_order,
        keys: Vec::new(),
        requests: 0,
        errors: 0,
    };
    for (algorithm, divisor) in algorithms {
        let times = options.pick(1_000, 400) / divisor;
        bench.keys.push(Operation::new(algorithm, times)?);
    }
    bench.round().context("before the first round")?;
    let mut rounds = Vec::new();
    for _ in 0..options.rounds(31, 7) {
        rounds.push(bench.round()?);
    }
    report.count(bench.requests, bench.errors);
    let asked = bench.crowd.sent + bench.server.sent;
    drop(bench);
    server.stop()?;
    let lines = site.take_log()?;
    report.note(format!("{lines} lines in the access log for {asked} requests to one core"));
    tell(report, &rounds);
    Ok(())
}

/// Drives one series alone for a while, with the server's process id on standard error.
///
/// # Errors
/// There is no such series; a process that can't be started, a lost connection.
pub(crate) fn profile(site: &Site, name: &str) -> Result<()> {
    const SLICE: usize = 10_000;
    pin_generator(Cores::One)?;
    let server = site.start(Cores::One)?;
    let (bare, bare_address) = Process::bare()?;
    let mut bare = Series::new(&bare, bare_address)?;
    let mut crowd = Crowd::new(site, SLICE)?;
    let mut series = Series::new(&server, site.address)?;
    eprintln!("{name}: process {}", server.id());
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        let request = match name {
            "bare" => {
                let (cpu, _) = bare.cpu(SLICE, &mut Same { request: &site.to_bare(), needle: "grant_type" })?;
                eprintln!("{cpu:.1} µs");
                continue;
            }
            "reused" => site.reused(),
            "rs" | "es" | "ed" => site.fresh(name),
            "with-refresh" => site.with_refresh(),
            "refresh" => {
                crowd.refresh(SLICE)?;
                continue;
            }
            "first-sight" => {
                // Tokens that are cheap to make, so that the introspection shows.
                let mut tokens = Tokens { request: site.fresh("es"), name: "access_token", seen: Vec::new() };
                drive(&mut series.callers, SLICE / 5, &mut tokens)?;
                drive(&mut series.callers, SLICE / 5, &mut Questions { site, api: "es", tokens: tokens.seen })?;
                continue;
            }
            "introspect" => {
                let answer = series.callers.first_mut().context("there is a caller")?;
                site.introspect("rs", answer.ask(&site.fresh("rs"))?.text("access_token").context("no token")?)
            }
            other => bail!("there is no series `{other}`"),
        };
        let needle = if name == "introspect" { ACTIVE } else { TOKEN };
        let (cpu, driven) = series.cpu(SLICE, &mut Same { request: &request, needle })?;
        eprintln!("{cpu:.1} µs, {} wrong answers", driven.errors);
    }
    server.stop()
}

/// Adds the figures of `rounds` to the table.
fn tell(report: &mut Report, rounds: &[Round]) {
    let of = |figure: &dyn Fn(&Round) -> f64| rounds.iter().map(figure).collect::<Vec<_>>();
    report.add("bare: CPU per request", "µs", of(&|r| r.bare), Told);
    report.add("sign RS256 (2048)", "µs", of(&|r| r.sign[0]), Told);
    report.add("sign ES256", "µs", of(&|r| r.sign[1]), Told);
    report.add("sign EdDSA", "µs", of(&|r| r.sign[2]), Told);
    report.add("verify RS256", "µs", of(&|r| r.verify), Told);
    report.add("reused token: CPU per request", "µs", of(&|r| r.reused), Told);
    report.add("reused token ÷ bare", "×", of(&|r| r.reused / r.bare), AtMost(1.5));
    report.add("fresh RS256 token − sign", "µs", of(&|r| r.fresh[0] - r.sign[0]), AtMost(45.0));
    report.add("fresh ES256 token ÷ (sign + bare)", "×", of(&|r| r.fresh[1] / (r.sign[1] + r.bare)), AtMost(1.5));
    report.add("fresh EdDSA token ÷ (sign + bare)", "×", of(&|r| r.fresh[2] / (r.sign[2] + r.bare)), AtMost(1.6));
    report.add("fresh HS256 token with its refresh token ÷ bare", "×", of(&|r| r.with_refresh / r.bare), AtMost(2.5));
    let first = of(&|r| r.first_sight / (r.verify + r.bare));
    report.add("introspection, RS256, first sight ÷ (verify + bare)", "×", first, AtMost(2.0));
    report.add("introspection, second sight ÷ bare", "×", of(&|r| r.second_sight / r.bare), AtMost(1.5));
    report.add("refresh with rotation, 64 callers: CPU per request", "µs", of(&|r| r.refresh_cpu), Told);
    report.add("refresh with rotation, 64 callers", "/s", of(&|r| r.refreshed), Told);
    report.add("SQLite alone, that row in groups of 64", "/s", of(&|r| r.committed), Told);
    report.add("refresh with rotation ÷ SQLite alone", "×", of(&|r| r.refreshed / r.committed), AtLeast(0.5));
    report.add("SQLite alone, such rows called in order of time", "/s", of(&|r| r.committed_in_order), Told);
    let in_order = of(&|r| r.refreshed / r.committed_in_order);
    report.add("refresh with rotation ÷ SQLite alone, in order of time", "×", in_order, Told);
}

struct Bench<'a> {
    site: &'a Site,
    slice: usize,
    bare: Series<'a>,
    server: Series<'a>,
    crowd: Crowd<'a>,
    rows: Rows,
    rows_in_order: Rows,
    keys: Vec<Operation>,
    requests: usize,
    errors: u64,
}

impl Bench<'_> {
    /// One slice of each series.
    fn round(&mut self) -> Result<Round> {
        let mut round = Round::default();
        let n = self.slice;
        let (cpu, driven) = self.bare.cpu(n, &mut Same { request: &self.site.to_bare(), needle: "grant_type" })?;
        round.bare = cpu;
        self.count(n, &driven);
        round.reused = self.same(n, &self.site.reused())?;
        round.with_refresh = self.same(n, &self.site.with_refresh())?;
        let mut tokens = Tokens { request: self.site.fresh("rs"), name: "access_token", seen: Vec::new() };
        round.sign[0] = self.operation(0, Operation::sign)?;
        round.fresh[0] = self.asked(n / 10, &mut tokens)?;
        round.sign[1] = self.operation(1, Operation::sign)?;
        round.fresh[1] = self.same(n, &self.site.fresh("es"))?;
        round.sign[2] = self.operation(2, Operation::sign)?;
        round.fresh[2] = self.same(n, &self.site.fresh("ed"))?;
        round.verify = self.operation(0, Operation::verify)?;
        let mut questions = Questions { site: self.site, api: "rs", tokens: tokens.seen };
        round.first_sight = self.asked(n / 10, &mut questions)?;
        // As many as of the other series: the beginning of a slice, when everything is cold, weighs the same.
        round.second_sight = self.asked(n, &mut questions)?;
        let before = self.server.process.cpu()?;
        let crowd = self.crowd.refresh(n)?;
        // What was written is carried from the log into the file once nothing more comes: it belongs to these requests.
        pause(LOG_EMPTIED);
        round.refresh_cpu = self.server.process.cpu()?.saturating_sub(before).as_secs_f64() * 1e6 / n as f64;
        round.refreshed = n as f64 / crowd.took.as_secs_f64();
        self.count(n, &crowd);
        round.committed = self.rows.rate(n)?;
        round.committed_in_order = self.rows_in_order.rate(n)?;
        Ok(round)
    }

    /// CPU microseconds of what the library does with one of the keys.
    fn operation(&self, key: usize, operation: impl FnOnce(&Operation) -> Result<f64>) -> Result<f64> {
        let key = self.keys.get(key).context("there is a key for each algorithm")?;
        on_the_servers_core(|| operation(key))
    }

    /// CPU microseconds of one and the same request for a token.
    fn same(&mut self, n: usize, request: &[u8]) -> Result<f64> {
        self.asked(n, &mut Same { request, needle: TOKEN })
    }

    fn asked(&mut self, n: usize, asking: &mut impl Asking) -> Result<f64> {
        let (cpu, driven) = self.server.cpu(n, asking)?;
        self.count(n, &driven);
        Ok(cpu)
    }

    fn count(&mut self, n: usize, driven: &Driven) {
        self.requests += n;
        self.errors += driven.errors;
    }
}

/// Asks about each token in turn.
struct Questions<'a> {
    site: &'a Site,
    api: &'static str,
    tokens: Vec<String>,
}

impl Asking for Questions<'_> {
    fn request(&mut self, n: usize, _: usize, place: &mut Vec<u8>) {
        let token = self.tokens.get(n % self.tokens.len().max(1));
        place.extend(self.site.introspect(self.api, token.map_or("", String::as_str)));
    }

    fn right(&mut self, _: usize, answer: &Answer<'_>) -> bool {
        answer.is(ACTIVE)
    }
}
