//! The same on PostgreSQL: what tokens cost beside SQLite, how many statements they take, how refreshing stands beside `pgbench`,
//! what a second node on the database costs.

use std::{fs, time::Instant};

use anyhow::{Context, Result};
use ficha_testkit::postgres::{Database, Options as Settings, Server};

use crate::{
    changes,
    http::Same,
    options::Options,
    process::{Cores, pause, pin_generator},
    rate::GROUP,
    report::{
        Goal::{AtLeast, AtMost, Told},
        Report,
    },
    series::{Crowd, Series, TOKEN},
    site::Site,
};

/// Connections of a node to the database: the default of `[store] pool`.
const POOL: usize = 12;
/// Families begin to be numbered here in the table that `pgbench` moves: names almost as long as ficha's.
const FIRST: u64 = 1_000_000_000_000_000_000;

/// The kinds of tokens, each a request to `site`.
fn kinds(site: &Site) -> [(&'static str, Vec<u8>); 3] {
    [
        ("reused token", site.reused()),
        ("fresh ES256 token", site.fresh("es")),
        ("fresh HS256 token with its refresh token", site.with_refresh()),
    ]
}

/// A PostgreSQL that waits for the disk, as it does by default, and counts its statements.
pub(crate) fn server() -> Result<Server> {
    // It runs where this process runs.
    pin_generator(Cores::Both)?;
    let settings = Settings { fsync: true, ..Settings::default() };
    let server =
        Server::with(&settings.set("shared_buffers", "128MB").set("shared_preload_libraries", "pg_stat_statements"));
    server.query("postgres", "CREATE EXTENSION pg_stat_statements");
    Ok(server)
}

/// Measures all of it; `embedded` is the site on SQLite.
///
/// # Errors
/// A process that can't be started, a lost connection.
pub(crate) fn measure(embedded: &Site, options: &Options, report: &mut Report) -> Result<()> {
    let server = server()?;
    let (one, two) = (server.database(), server.database());
    let alone = Site::on(options, Some(&one.url()))?;
    let first = Site::on(options, Some(&two.url()))?;
    let second = first.beside(options, &two.url())?;
    costs([embedded, &alone, &first, &second], options, report).context("what tokens cost")?;
    statements(&alone, (&server, &one), options, report).context("how many statements tokens take")?;
    refreshes(&alone, (&server, &two), options, report).context("refreshing")?;
    changes::measure([&first, &second], options, report).context("a change on its way")
}

/// CPU of each server for each kind of token: SQLite, PostgreSQL, and two nodes on another database, in turn.
fn costs(sites: [&Site; 4], options: &Options, report: &mut Report) -> Result<()> {
    pin_generator(Cores::One)?;
    let n = options.pick(5_000, 2_000);
    let [embedded, alone, first, second] = sites;
    // The second node knows the base URLs of the first.
    let asked = [embedded, alone, first, first].map(kinds);
    let processes =
        [embedded.start(Cores::One)?, alone.start(Cores::One)?, first.start(Cores::One)?, second.start(Cores::One)?];
    let mut series = Vec::new();
    for (process, site) in processes.iter().zip(sites) {
        series.push(Series::new(process, site.address)?);
    }
    // By kind, then by server.
    let mut rounds = vec![[[0.0; 4]; 3]; options.rounds(31, 7)];
    let mut warm = [[0.0; 4]; 3];
    for round in std::iter::once(&mut warm).chain(&mut rounds) {
        for (kind, figures) in round.iter_mut().enumerate() {
            for ((series, kinds), figure) in series.iter_mut().zip(&asked).zip(figures) {
                let Some((_, request)) = kinds.get(kind) else { continue };
                let (cpu, driven) = series.cpu(n, &mut Same { request, needle: TOKEN })?;
                report.count(n, driven.errors);
                *figure = cpu;
            }
        }
    }
    drop(series);
    for process in processes {
        process.stop()?;
    }
    sites.into_iter().try_for_each(|site| site.take_log().map(drop))?;
    for (kind, (name, _)) in kinds(alone).iter().enumerate() {
        let of = |figure: fn([f64; 4]) -> f64| {
            rounds.iter().filter_map(|round| round.get(kind)).map(|cpu| figure(*cpu)).collect::<Vec<_>>()
        };
        report.add(&format!("{name} on PostgreSQL: CPU"), "µs", of(|[_, alone, ..]| alone), Told);
        report.add("  ÷ on SQLite", "×", of(|[embedded, alone, ..]| alone / embedded), AtMost(1.2));
        report.add("  the first of two nodes ÷ one alone", "×", of(|[_, alone, first, _]| first / alone), AtMost(1.15));
        report.add(
            "  the second of two nodes ÷ one alone",
            "×",
            of(|[_, alone, _, second]| second / alone),
            AtMost(1.15),
        );
    }
    Ok(())
}

/// Statements beyond those that an idle node runs in the same time.
fn statements(
    site: &Site,
    (server, database): (&Server, &Database<'_>),
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    pin_generator(Cores::One)?;
    let process = site.start(Cores::One)?;
    let mut series = Series::new(&process, site.address)?;
    let n = options.pick(20_000, 5_000);
    let (mut rounds, mut alone) = (Vec::new(), Vec::new());
    for round in 0..=options.rounds(9, 3) {
        let (before, began) = (calls(server, database)?, Instant::now());
        for (_, request) in kinds(site) {
            let (_, driven) = series.cpu(n, &mut Same { request: &request, needle: TOKEN })?;
            report.count(n, driven.errors);
        }
        let (busy, took) = (calls(server, database)? - before, began.elapsed());
        pause(took);
        let idle = calls(server, database)? - before - busy;
        // The first one warms up.
        if round > 0 {
            rounds.push((busy - idle) / (3 * n) as f64);
            alone.push(idle / took.as_secs_f64());
        }
    }
    drop(series);
    process.stop()?;
    site.take_log()?;
    report.add("statements per token on PostgreSQL, warm", "", rounds, AtMost(0.01));
    report.add("  statements of an idle node", "/s", alone, Told);
    Ok(())
}

/// Statements that were run in `database` so far.
fn calls(server: &Server, database: &Database<'_>) -> Result<f64> {
    let sql = format!(
        "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements \
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = '{}')",
        database.name()
    );
    server.query("postgres", &sql).parse().context("a number of statements")
}

/// The rate of refreshing, and that of `pgbench` with the statement of a refresh, over ficha's own table in another database.
fn refreshes(
    site: &Site,
    (server, other): (&Server, &Database<'_>),
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    pin_generator(Cores::Both)?;
    let (n, families) = (options.pick(20_000, 5_000), options.pick(100_000, 10_000));
    let process = site.start(Cores::Both)?;
    let mut crowd = Crowd::new(site, families)?;
    other.query(&format!(
        "INSERT INTO families SELECT 'leancore', ({FIRST} + n)::text, 'client-hs', NULL, 1, 1800000000, 0, 4000000000, 'core' \
         FROM generate_series(1, {families}) n ORDER BY random()"
    ));
    let script = server.folder().join("move.sql");
    fs::write(
        &script,
        format!(
            "\\set n random(1, {families})\n\\set family {FIRST} + :n\n\
             UPDATE families SET step = step + 1, used_at = :n WHERE issuer = 'leancore' AND family = :family \
             AND step >= 1 AND ended = 0 AND keep_until >= 1800000000 RETURNING step;\n"
        ),
    )?;
    let (script, each) = (script.display().to_string(), (n / POOL).to_string());
    let pool = POOL.to_string();
    let args = ["-n", "-M", "prepared", "-c", &pool, "-j", "1", "-t", &each, "-f", &script];
    let (mut refreshed, mut moved) = (Vec::new(), Vec::new());
    for round in 0..=options.rounds(9, 3) {
        let driven = crowd.refresh(n)?;
        report.count(n, driven.errors);
        let told = server.run("pgbench", &args, other.name());
        let rate = told.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
        // The first one warms up.
        if round > 0 {
            refreshed.push(n as f64 / driven.took.as_secs_f64());
            moved.push(rate.context("pgbench tells no rate")?);
        }
    }
    drop(crowd);
    process.stop()?;
    site.take_log()?;
    let ratio = refreshed.iter().zip(&moved).map(|(refreshed, moved)| refreshed / moved).collect();
    report.add(&format!("refresh with rotation on PostgreSQL, {GROUP} callers"), "/s", refreshed, Told);
    report.add(&format!("pgbench, that statement over {POOL} connections"), "/s", moved, Told);
    report.add("refresh with rotation ÷ pgbench", "×", ratio, AtLeast(0.5));
    Ok(())
}
