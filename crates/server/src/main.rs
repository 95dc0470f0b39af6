//! ficha: the OAuth 2.0 token service that a company with an API runs in front of it.

mod admin_socket;
mod cli;
mod clock;
mod commands;
mod dev;
mod dev_certificates;
mod gate;
mod master;
mod ops;
#[cfg(test)]
mod pipeline;
mod run;
mod serve;
mod surroundings;
mod upkeep;
mod wire;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use rustls::crypto::aws_lc_rs;

use crate::{
    cli::{Cli, Command},
    wire::WrongUse,
};

/// Exit codes: 0 done, 1 failed, 2 wrong use or configuration.
fn main() -> ExitCode {
    let cli = Cli::parse();
    match done(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ficha: {error:#}");
            ExitCode::from(if error.chain().any(<dyn std::error::Error>::is::<WrongUse>) { 2 } else { 1 })
        }
    }
}

fn done(cli: Cli) -> Result<()> {
    // It fails only when there is one already, which is the same one.
    let _ = aws_lc_rs::default_provider().install_default();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads can be started")?;
    runtime.block_on(async {
        match cli.command {
            Command::Dev(args) => dev::dev(args).await,
            Command::Serve(args) => serve::serve(args).await,
            Command::Gate(mut args) => match args.command.take() {
                Some(command) => commands::gate::run(command, args.rules, &cli.global),
                None => gate::gate(args, cli.global.config).await,
            },
            Command::Manage(command) => commands::run(command, &cli.global).await,
        }
    })
}
