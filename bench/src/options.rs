//! What the command line asks for.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// What `--help` prints.
pub(crate) const USAGE: &str = "usage: cargo xtask bench [PART]… [--quick] [--only PART]… [--rounds N] [--issuers N] [--folder DIR] [--ficha FILE] [--profile S]

  --quick        fewer and shorter rounds, about two minutes: a look, not a measurement
  --only PART    one part alone: cost (CPU per request, rates), gate (/verify and ficha gate), latency (the 99th percentile),
                 size (memory, database, start), verifier (the library for APIs, no server);
                 and three that only run when they are named: postgres (costs on PostgreSQL against SQLite, refreshing beside
                 pgbench, two nodes on one database; `cargo xtask bench postgres`), scale (1,000,000 clients over 10,000
                 issuers against 100, on both engines), purge (10,000,000 tokens, every table counted before and after)
  --rounds N     rounds of each figure; 9 (of what is cheap to ask 31), with --quick 3 (7)
  --issuers N    issuers of `scale`, with 100 clients each; 10,000, with --quick 100
  --folder DIR   where the server's data lies meanwhile: on a disk that is worth measuring; beside this program
  --ficha FILE   the server; the one beside this program
  --profile S    nothing but one series for 20 s, with the server's process id, for a profiler: bare, reused, rs, es, ed,
                 with-refresh, refresh, introspect, first-sight

`cargo xtask bench feed --help` tells of the revocation feed, which is a part of its own.

It needs two cores, `taskset`, for `postgres` and `scale` Debian's PostgreSQL (its data lies in TMPDIR), and nothing else to do for the machine. It fails when an answer is wrong, never for a figure.";

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// CPU per request, and rates.
    Cost,
    /// CPU per question of a proxy.
    Gate,
    /// The 99th percentile of answers beside storms.
    Latency,
    /// Memory, database, start, binary.
    Size,
    /// The library for APIs.
    Verifier,
    /// Very many clients.
    Scale,
    /// Whether the database grows with traffic.
    Purge,
    /// The same on PostgreSQL.
    Postgres,
}

/// The command line.
pub(crate) struct Options {
    /// Fewer and shorter rounds.
    pub(crate) quick: bool,
    /// Rounds of each figure, when they are asked for.
    rounds: Option<usize>,
    /// Issuers of very many clients, when they are asked for.
    pub(crate) issuers: Option<usize>,
    /// Where the data folder is made.
    pub(crate) folder: PathBuf,
    /// The server's binary.
    pub(crate) ficha: PathBuf,
    /// One series to be driven for a profiler, and nothing else.
    pub(crate) profile: Option<String>,
    only: Vec<Part>,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// An unknown one, or one without its value.
    pub(crate) fn read(args: &[String]) -> Result<Self> {
        let own = std::env::current_exe().context("where this program stands")?;
        let beside = own.parent().context("where this program stands")?.to_owned();
        let mut options = Self {
            quick: false,
            rounds: None,
            issuers: None,
            ficha: beside.join("ficha"),
            folder: beside,
            profile: None,
            only: Vec::new(),
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} needs a value\n\n{USAGE}"));
            match arg.as_str() {
                "--quick" => options.quick = true,
                "--rounds" => options.rounds = Some(value()?.parse().context("--rounds takes a number")?),
                "--issuers" => options.issuers = Some(value()?.parse().context("--issuers takes a number")?),
                "--profile" => options.profile = Some(value()?.clone()),
                "--folder" => options.folder = value()?.into(),
                "--ficha" => options.ficha = value()?.into(),
                "--only" => options.only.push(part(value()?)?),
                word if !word.starts_with('-') => options.only.push(part(word)?),
                other => bail!("`{other}` is unknown\n\n{USAGE}"),
            }
        }
        Ok(options)
    }

    /// Whether `part` is asked for.
    pub(crate) fn does(&self, part: Part) -> bool {
        let long = [Part::Scale, Part::Purge, Part::Postgres].contains(&part);
        self.only.contains(&part) || (self.only.is_empty() && !long)
    }

    /// Whether anything asked for needs a server.
    pub(crate) fn needs_site(&self) -> bool {
        self.profile.is_some() || self.only.is_empty() || self.only.iter().any(|part| *part != Part::Verifier)
    }

    /// Rounds of a figure: as asked for, else that of a whole run, or of `--quick`.
    pub(crate) fn rounds(&self, whole: usize, quick: usize) -> usize {
        self.rounds.unwrap_or(self.pick(whole, quick))
    }

    /// One of two values: that of a whole run, or of `--quick`.
    pub(crate) fn pick<T>(&self, whole: T, quick: T) -> T {
        if self.quick { quick } else { whole }
    }
}

fn part(name: &str) -> Result<Part> {
    Ok(match name {
        "cost" => Part::Cost,
        "gate" => Part::Gate,
        "latency" => Part::Latency,
        "size" => Part::Size,
        "verifier" => Part::Verifier,
        "scale" => Part::Scale,
        "purge" => Part::Purge,
        "postgres" => Part::Postgres,
        other => bail!("there is no part `{other}`\n\n{USAGE}"),
    })
}
