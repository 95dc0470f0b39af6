//! `ficha gate explain`: needs no server, only the file of rules.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use ficha_gate::{Explained, explain};

use super::output::{facts, say};
use crate::{
    cli::Global,
    gate::load_rules,
    wire::{self, WrongUse},
};

/// What `ficha gate` does but serve.
#[derive(Debug, Subcommand)]
pub(crate) enum GateCommand {
    /// Which rule decides about a request, and what it needs.
    Explain {
        /// The method: GET.
        method: String,
        /// The URL: <https://api.example.com/cards/7>.
        url: String,
    },
}

pub(crate) fn run(command: GateCommand, rules: Option<PathBuf>, global: &Global) -> Result<()> {
    let GateCommand::Explain { method, url } = command;
    let book = load_rules(&rules_of(rules, global.config.as_deref())?)?;
    let explained = explain(&book, &method, &url).map_err(WrongUse)?;
    say(global.json, &explained, text)
}

/// The file of rules: as named, else by the configuration of `ficha gate` or of `ficha serve`.
fn rules_of(rules: Option<PathBuf>, config: Option<&Path>) -> Result<PathBuf> {
    if let Some(rules) = rules {
        return Ok(rules);
    }
    let serving = || wire::load_config(config?).ok()?.gate.rules;
    if let Some(rules) = serving() {
        return Ok(rules);
    }
    Ok(wire::load_gate_config(config, &[])?.gate.rules)
}

fn text(explained: &Explained) -> String {
    let place = match (&explained.file, explained.line) {
        (Some(file), Some(line)) => format!("   ({file}:{line})"),
        (Some(file), None) => format!("   ({file})"),
        (None, _) => String::new(),
    };
    let refused = || {
        let code = explained.code.unwrap_or_default();
        format!("{code}: {}", explained.why.as_deref().unwrap_or_default())
    };
    let needs = match explained.scope.as_deref() {
        _ if explained.verdict == "refused" => String::new(),
        None => "nothing: it is open to everybody".to_owned(),
        Some("") => "any good token".to_owned(),
        Some(scope) => format!("a token with the scope {scope}"),
    };
    let of = |word: &Option<String>| word.clone().unwrap_or_default();
    facts(&[
        ("refused", if explained.verdict == "refused" { refused() } else { String::new() }),
        ("rule", explained.rule.as_ref().map_or_else(String::new, |rule| format!("{rule}{place}"))),
        ("hosts", explained.hosts.join(" ")),
        ("needs", needs),
        ("issuer", of(&explained.issuer)),
        ("audience", of(&explained.audience)),
    ])
}
