//! `ficha dialect`: needs no server, only the files.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use ficha_config::nearest;
use ficha_oauth::dialect::DialectSet;
use ficha_types::DialectName;
use serde_json::{Value, json};

use super::output::{Table, print, say};
use crate::{
    cli::Global,
    wire::{self, WrongUse},
};

/// The dialects.
#[derive(Debug, Subcommand)]
pub(crate) enum DialectCommand {
    /// Every dialect: the built-in ones, and those of the configured folder.
    List,
    /// A whole dialect with all that it inherits, as a file.
    Show {
        /// Its name.
        name: DialectName,
    },
    /// Everything that is wrong with a dialect's file.
    Check {
        /// The file.
        file: PathBuf,
    },
}

pub(super) fn run(command: DialectCommand, global: &Global) -> Result<()> {
    match command {
        DialectCommand::List => {
            let set = load(global)?;
            let summary = |s: ficha_oauth::dialect::Summary<'_>| json!({ "name": s.name, "about": s.about, "file": s.file, "extends": s.extends });
            let all: Vec<Value> = set.list().map(summary).collect();
            say(global.json, &all, |_| list(&set))
        }
        DialectCommand::Show { name } => {
            let set = load(global)?;
            let Some(text) = set.show(&name) else {
                let near = nearest(name.as_str(), set.list().map(|s| s.name.as_str()));
                let near = near.map_or_else(String::new, |near| format!(", did you mean {near}?"));
                return Err(WrongUse(format!("there is no dialect {name}{near}")).into());
            };
            say(global.json, &json!({ "name": name, "toml": text }), |_| text.to_owned())
        }
        DialectCommand::Check { file } => {
            let problems = DialectSet::check(&file);
            if problems.is_empty() {
                let said = format!("{} is a good dialect.", file.display());
                return say(global.json, &json!({ "problems": [] }), |_| said);
            }
            if global.json {
                let told: Vec<_> = problems
                    .iter()
                    .map(|p| json!({ "file": &*p.file, "line": p.line, "key": p.key, "message": p.message }))
                    .collect();
                print(&serde_json::to_string_pretty(&json!({ "problems": told }))?)?;
            }
            Err(WrongUse::of(&problems).into())
        }
    }
}

/// The dialects of the configured folder beside the built-in ones.
fn load(global: &Global) -> Result<DialectSet> {
    let default = Path::new("ficha.toml");
    let config = global.config.as_deref().or_else(|| (global.data.is_none() && default.exists()).then_some(default));
    let folder = match config {
        Some(config) => wire::load_config(config)?.dialects.folder,
        None => None,
    };
    wire::load_dialects(folder.as_deref())
}

fn list(set: &DialectSet) -> String {
    let mut table = Table::new(["dialect", "extends", "file", "about"]);
    for summary in set.list() {
        let file = summary.file.map_or_else(|| "built in".to_owned(), |file| file.display().to_string());
        table.row([summary.name.to_string(), summary.extends.join(" "), file, summary.about.to_owned()]);
    }
    table.or("There is no dialect.")
}
