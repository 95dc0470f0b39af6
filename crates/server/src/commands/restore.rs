//! `ficha restore`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use ficha_core::operator::{Restored, Surroundings};
use ficha_store::{BackupFacts, Lost, RestoreError, Restoring};
use ficha_types::UnixSeconds;
use serde::Serialize;
use tokio::net::UnixStream;

use super::{
    ask::{ourselves, place},
    output::{moment, say},
    progress::{Progress, grouped},
};
use crate::{admin_socket, cli::Global, clock, serve, wire};

/// What is restored, and how much of it.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// A file that `ficha backup` made.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Put it in the place of the database that is there; that one is kept under another name.
    #[arg(long)]
    replace: bool,
    /// Let tokens that were issued before go on, those too that were revoked since the backup was made.
    #[arg(long)]
    keep_tokens: bool,
}

/// What was restored.
#[derive(Debug, Serialize)]
struct Done {
    database: PathBuf,
    backup_at: Option<UnixSeconds>,
    issuers: u64,
    clients: u64,
    /// Until when everything that was issued is dead.
    not_before: Option<UnixSeconds>,
    /// Where the database is that was there before.
    replaced: Option<PathBuf>,
    comes_back: Option<ComesBack>,
}

/// What goes on again with `--keep-tokens`.
#[derive(Debug, Serialize)]
struct ComesBack {
    age_s: Option<i64>,
    live_tokens: u64,
    families: u64,
    revocations: u64,
    /// What the replaced database had taken away since; absent when none was there or it can't be read.
    lost: Option<LostSince>,
}

#[derive(Debug, Serialize)]
struct LostSince {
    revocations: u64,
    families: u64,
    marks: u64,
}

pub(super) async fn run(args: RestoreArgs, global: &Global) -> Result<()> {
    let (data, config) = place(global)?;
    let socket = data.join(admin_socket::NAME);
    if UnixStream::connect(&socket).await.is_ok() {
        bail!("a server runs on {}: stop it first", data.display());
    }
    let config = match &config {
        Some(path) => wire::load_config(path)?,
        None => wire::dev_config(&data)?,
    };
    let mut opening = serve::opening(&config, wire::Opener::Command)?;
    let database = data.join(wire::DATABASE);
    let now = ficha_core::ports::Clock::now(&clock::SystemClock::new());
    let restoring = Restoring::begin(&database, args.replace).map_err(told)?;
    let facts = take(&restoring, &args.file, now).map_err(told)?;
    let lost = args.keep_tokens.then(|| restoring.lost(now)).flatten();
    restoring.move_on()?;
    restoring.folder().clone_into(&mut opening.data);
    let restored = settle(opening, facts.at, args.keep_tokens).await.context("the backup can't be used")?;
    let replaced = restoring.finish(now)?;
    let comes_back = args.keep_tokens.then(|| ComesBack::of(&facts, lost, now));
    let done = Done {
        database,
        backup_at: facts.at,
        issuers: restored.issuers,
        clients: facts.clients,
        not_before: restored.not_before,
        replaced,
        comes_back,
    };
    say(global.json, &done, |done| text(done, &args.file))
}

fn take(restoring: &Restoring, file: &Path, now: UnixSeconds) -> Result<BackupFacts, RestoreError> {
    let mut progress = None;
    restoring.take(file, now, &mut |done, total| {
        progress.get_or_insert_with(|| Progress::new("MiB copied", total >> 20)).at(done >> 20);
    })
}

/// Opens the copy with the master key, which has to be the one that seals its keys, and ends what was issued until now. It is closed
/// when this answers.
async fn settle(opening: wire::Opening, at: Option<UnixSeconds>, keep_tokens: bool) -> Result<Restored> {
    let parts = wire::open(opening).await?;
    let operator = wire::operator(&parts, Surroundings::default());
    Ok(operator.restored(&ourselves()?, at, keep_tokens).await?)
}

fn told(error: RestoreError) -> anyhow::Error {
    match &error {
        RestoreError::Exists(_) => {
            anyhow!("{error}\nwith --replace the backup takes its place, and it is kept under another name")
        }
        RestoreError::File { .. } | RestoreError::Unusable(_) | RestoreError::Foreign(_) | RestoreError::Place(_) => {
            error.into()
        }
    }
}

impl ComesBack {
    fn of(facts: &BackupFacts, lost: Option<Lost>, now: UnixSeconds) -> Self {
        Self {
            age_s: facts.at.map(|at| (now - at).0),
            live_tokens: facts.live_tokens,
            families: facts.families,
            revocations: facts.revocations,
            lost: lost.map(|Lost { revocations, families, marks }| LostSince { revocations, families, marks }),
        }
    }
}

fn text(done: &Done, file: &Path) -> String {
    let made = done.backup_at.map_or_else(|| "of an unknown time".to_owned(), |at| format!("of {}", moment(at)));
    let (issuers, clients) = (grouped(done.issuers), grouped(done.clients));
    let database = done.database.display();
    let restored = format!("{}, {made}, is now {database}: {issuers} issuers, {clients} clients.", file.display());
    let replaced = done
        .replaced
        .as_ref()
        .map(|replaced| format!("The database that was there is kept as {}.", replaced.display()));
    let dead = done.not_before.map(|at| {
        format!(
            "Everything that was issued until {} is dead, whatever became of it since the backup: applications get new tokens,\n\
             people log in again.",
            moment(at)
        )
    });
    let back = done.comes_back.as_ref().map(ComesBack::text);
    [Some(restored), replaced, dead, back].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

impl ComesBack {
    fn text(&self) -> String {
        let since =
            self.age_s.map_or_else(|| "since the backup".to_owned(), |age| format!("in the {age} s since the backup"));
        let kept = format!(
            "Tokens were kept. What was taken away {since} is good again: revoked tokens, ended sessions, used refresh tokens,\n\
             disabled clients and users, removed secrets. In the backup are {} live tokens and {} families of refresh tokens that\n\
             go on, and {} revocations that still stand.",
            grouped(self.live_tokens),
            grouped(self.families),
            grouped(self.revocations)
        );
        let lost = match &self.lost {
            Some(lost) => format!(
                "The database that was there had {} revocations, {} ended families and {} not-before marks that the backup does not\n\
                 know.",
                grouped(lost.revocations),
                grouped(lost.families),
                grouped(lost.marks)
            ),
            None => "How many they are can't be told: there is no other database to compare with.".to_owned(),
        };
        format!("{kept}\n{lost}\n`ficha token revoke --issuer NAME` ends them for an issuer all the same.")
    }
}
