//! Every command that a developer types: `cargo xtask check | arrows | docs | vectors | bench`.

mod arrows;
mod docs;
mod run;
mod vectors;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};

const USAGE: &str = "usage: cargo xtask <command>

  check    format, lints, arrows, tests, docs current, licences: what ./test runs, without its real clients
  arrows   a crate may use those on lower lines, never one beside or above it
  docs     writes docs/reference/ from the code; with --check fails when that would change a file
  vectors  writes vectors/ from its cases; with --check fails when that would change a file
  bench    the benchmark of docs/performance.md, in a release build; see cargo xtask bench --help";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match command(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command(args: &[String]) -> Result<()> {
    let root = root()?;
    let rest = args.get(1..).unwrap_or_default();
    match args.first().map(String::as_str) {
        Some("check") => run::check(&root),
        Some("arrows") => arrows::check(&root),
        Some("docs") => docs::write(&root, rest.iter().any(|a| a == "--check")),
        Some("vectors") => vectors::write(&root, rest.iter().any(|a| a == "--check")),
        Some("bench") => run::bench(&root, rest),
        _ => bail!("{USAGE}"),
    }
}

/// The folder of the workspace.
fn root() -> Result<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("xtask stands in the workspace")?.to_owned())
}
