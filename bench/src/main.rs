//! The benchmark: what a request costs the server, how fast it is, and what it takes, each as a ratio or a difference within
//! one run. `docs/performance.md` says what the figures mean and what they were.

#![expect(
    clippy::cast_precision_loss,
    reason = "figures are rounded to three digits: what a float leaves out of a count can't be seen"
)]

mod bare;
mod changes;
mod cost;
mod crypto;
mod feed;
mod gate;
mod heard;
mod http;
mod latency;
mod options;
mod postgres;
mod process;
mod purge;
mod rate;
mod report;
mod scale;
mod series;
mod site;
mod size;
mod storm;
mod verifier;

use std::process::ExitCode;

use anyhow::{Context, Result};

use options::{Options, Part};
use report::Report;
use site::Site;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.first().map(String::as_str) {
        Some("bare") => bare::serve().map(|()| ExitCode::SUCCESS),
        Some("storm") => storm::run(args.get(1..).unwrap_or_default()).map(|()| ExitCode::SUCCESS),
        Some("feed") => feed::run(args.get(1..).unwrap_or_default()).map(|()| ExitCode::SUCCESS),
        Some("--help" | "-h") => {
            println!("{}", options::USAGE);
            Ok(ExitCode::SUCCESS)
        }
        _ => Options::read(&args).and_then(|options| run(&options)),
    };
    done.unwrap_or_else(|error| {
        eprintln!("ficha-bench: {error:#}");
        ExitCode::FAILURE
    })
}

/// Runs what is asked for and prints the table; fails when a request was not answered as it must be, never for a figure.
fn run(options: &Options) -> Result<ExitCode> {
    let mut report = Report::new(options);
    if options.does(Part::Verifier) && options.profile.is_none() {
        verifier::measure(options, &mut report).context("what a verifier costs")?;
    }
    if !options.needs_site() {
        println!("{report}");
        return Ok(ExitCode::SUCCESS);
    }
    let site = Site::make(options).context("the server's data can't be made")?;
    if let Some(series) = &options.profile {
        cost::profile(&site, series)?;
        return Ok(ExitCode::SUCCESS);
    }
    if options.does(Part::Cost) {
        cost::measure(&site, options, &mut report).context("what requests cost")?;
    }
    if options.does(Part::Gate) {
        gate::measure(&site, options, &mut report).context("what proxies' questions cost")?;
    }
    if options.does(Part::Latency) {
        latency::measure(&site, options, &mut report).context("how long requests take")?;
    }
    if options.does(Part::Size) {
        size::measure(&site, options, &mut report).context("what the server takes")?;
    }
    if options.does(Part::Purge) {
        purge::measure(&site, options, &mut report).context("whether the database grows")?;
    }
    if options.does(Part::Postgres) {
        postgres::measure(&site, options, &mut report).context("the same on PostgreSQL")?;
    }
    if options.does(Part::Scale) {
        scale::measure(options, &mut report).context("very many clients")?;
    }
    println!("{report}");
    Ok(if report.errors() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
