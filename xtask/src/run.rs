//! Running what others wrote: cargo and its tools.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// Format, lints, arrows, tests, docs current, licences.
pub(crate) fn check(root: &Path) -> Result<()> {
    cargo(root, &["fmt", "--all", "--check"])?;
    crate::arrows::check(root)?;
    cargo(root, &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])?;
    cargo(root, &["test", "--workspace", "--quiet"])?;
    crate::docs::write(root, true)?;
    crate::vectors::write(root, true)?;
    licences(root)
}

/// The benchmark, against a release build.
pub(crate) fn bench(root: &Path, args: &[String]) -> Result<()> {
    let args: Vec<_> = args.iter().map(String::as_str).filter(|arg| *arg != "--").collect();
    if args.iter().any(|arg| ["--help", "-h"].contains(arg)) {
        return cargo(root, &["run", "--quiet", "--package", "ficha-bench", "--", "--help"]);
    }
    cargo(root, &["build", "--release", "--package", "ficha", "--package", "ficha-bench"])?;
    let binary = root.join("target/release/ficha-bench");
    run(Command::new(&binary).args(args).current_dir(root), &binary.display().to_string())
}

fn licences(root: &Path) -> Result<()> {
    let there = Command::new("cargo").args(["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !there.is_ok_and(|s| s.success()) {
        println!("licences: cargo-deny is not installed; ./test installs it");
        return Ok(());
    }
    cargo(root, &["deny", "--workspace", "check", "licenses", "bans", "sources"])
}

fn cargo(root: &Path, args: &[&str]) -> Result<()> {
    println!("cargo {}", args.join(" "));
    run(Command::new("cargo").args(args).current_dir(root), &format!("cargo {}", args.join(" ")))
}

fn run(command: &mut Command, name: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("{name} can't be started"))?;
    if status.success() { Ok(()) } else { bail!("{name} failed") }
}
