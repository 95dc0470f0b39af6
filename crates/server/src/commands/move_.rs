//! `ficha move`.

use std::{fmt::Write as _, path::PathBuf, sync::Arc};

use anyhow::{Result, bail};
use clap::Args;
use ficha_store::{OpenOptions, PostgresOptions, SqliteStore, carry};
use serde::Serialize;
use tokio::net::UnixStream;

use super::{
    ask::place,
    input,
    output::{note, say},
    progress::{Progress, grouped},
};
use crate::{
    admin_socket,
    cli::Global,
    wire::{self, WrongUse},
};

/// Where everything goes.
#[derive(Debug, Args)]
pub(crate) struct MoveArgs {
    /// An empty PostgreSQL database: `postgres://USER@HOST/DATABASE`, without a password.
    #[arg(long, value_name = "URL", required_unless_present = "to_file")]
    to: Option<String>,
    /// A file of its whole URL, where that holds a password.
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    to_file: Option<PathBuf>,
    /// The authorities that vouch for the PostgreSQL server, PEM; those of the system when absent.
    #[arg(long, value_name = "FILE")]
    root_ca: Option<PathBuf>,
}

/// What was carried over.
#[derive(Debug, Serialize)]
struct Moved {
    tables: Vec<Table>,
    rows: u64,
}

#[derive(Debug, Serialize)]
struct Table {
    name: String,
    rows: u64,
}

pub(super) async fn run(args: MoveArgs, global: &Global) -> Result<()> {
    let url = url(&args)?;
    let (data, _) = place(global)?;
    if UnixStream::connect(data.join(admin_socket::NAME)).await.is_ok() {
        bail!("a server runs on {}: stop it first", data.display());
    }
    let database = data.join(wire::DATABASE);
    if !std::fs::metadata(&database).is_ok_and(|there| there.len() > 0) {
        return Err(WrongUse(format!("there is no database {}", database.display())).into());
    }
    // Under its lock until this ends: nobody writes meanwhile.
    let from = {
        let database = database.clone();
        tokio::task::spawn_blocking(move || SqliteStore::open(&database, &OpenOptions::default())).await??
    };
    let options = PostgresOptions { root_ca: args.root_ca, ..PostgresOptions::new(&url) };
    let mut progress = None;
    let carried = carry(Arc::new(from), &options, &mut |done, total| {
        progress.get_or_insert_with(|| Progress::new("rows carried over", total)).at(done);
    })
    .await?;
    drop(progress);
    let tables: Vec<_> = carried.into_iter().map(|c| Table { name: c.table, rows: c.rows }).collect();
    let moved = Moved { rows: tables.iter().map(|table| table.rows).sum(), tables };
    say(global.json, &moved, text)?;
    note(&format!(
        "Now name the PostgreSQL database in the configuration ([store] url or url_file); the master key stays the same. Tokens that were\n\
         issued before stay good. {} is as it was: never serve from both, and remove it once all is well.",
        database.display()
    ));
    Ok(())
}

/// The URL: a password has no place on a command line, which others see.
fn url(args: &MoveArgs) -> Result<String> {
    let Some(url) = &args.to else {
        let url = input::secret(args.to_file.as_deref(), "URL of the database")?;
        return Ok(url.expose().trim().to_owned());
    };
    let behind = url.split_once("://").map_or("", |(_, rest)| rest);
    let (authority, rest) = behind.split_once(['/', '?']).unwrap_or((behind, ""));
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') || rest.contains("password=") {
        let message = "the URL holds a password, which others see on a command line: put the URL into a file of mode 0600 and name that with --to-file";
        return Err(WrongUse(message.to_owned()).into());
    }
    Ok(url.clone())
}

fn text(moved: &Moved) -> String {
    let mut out = String::new();
    for Table { name, rows } in moved.tables.iter().filter(|table| table.rows > 0) {
        let _ = writeln!(out, "{name:<18} {:>12} rows, all there", grouped(*rows));
    }
    let _ = writeln!(out, "{:<18} {:>12} rows carried over", "", grouped(moved.rows));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_no_place_on_the_command_line() {
        let of = |to: &str| url(&MoveArgs { to: Some(to.to_owned()), to_file: None, root_ca: None });
        for bad in
            ["postgres://ficha:s3cret@db/ficha", "postgres://db/ficha?user=f&password=s3cret", "postgres://a:b@c"]
        {
            assert!(!of(bad).unwrap_err().to_string().contains("s3cret"), "{bad}");
        }
        for good in
            ["postgres://ficha@db:5432/ficha", "postgres://[::1]:5432/ficha", "postgres:///ficha?host=/run/postgresql"]
        {
            assert_eq!(of(good).unwrap(), good);
        }
    }
}
