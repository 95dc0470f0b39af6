//! Copies of the store, and what a restored one is told.

use std::path::{Path, PathBuf};

use ficha_types::UnixSeconds;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{
    Actor, Operator, OperatorError,
    act::{Act, Said},
};
use crate::{
    ports::{BackupError, Copied, Expect, Page},
    records::Marked,
};

/// Issuers that are read, and acts that are under way, at a time.
const PAGE: u32 = 64;

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// Its file.
    pub file: PathBuf,
    /// How long it is.
    pub bytes: u64,
    /// As of when.
    pub at: UnixSeconds,
}

/// What was done to a store that came back from a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Its issuers.
    pub issuers: u64,
    /// Until when everything that was issued is dead; `None`: it was kept.
    pub not_before: Option<UnixSeconds>,
}

impl Operator {
    /// Copies the whole store into `file`, while it serves. The master key is not in it.
    ///
    /// # Errors
    /// [`OperatorError::Refused`]: the store is none that ficha copies itself, or the file can't be made.
    pub async fn backup(&self, actor: &Actor, file: &Path, copied: Copied) -> Result<Backup, OperatorError> {
        let Some(backups) = &self.backups else {
            let hint = "back it up with PostgreSQL's own tools: pg_dump, pg_basebackup, or what your provider offers";
            return Err(OperatorError::refused("the database is a PostgreSQL server's", hint));
        };
        if !file.is_absolute() {
            return Err(OperatorError::refused("the file of a backup has to be named from the root on", ""));
        }
        let at = self.rules.clock.now();
        let bytes = backups.backup(file, at, copied).await.map_err(|error| {
            let hint = match &error {
                BackupError::Exists(_) => "nothing is overwritten",
                BackupError::File { .. } => "the server makes the file itself: its user needs the right to write there",
                BackupError::Store(_) | BackupError::Stopped => "",
            };
            OperatorError::refused(error.to_string(), hint)
        })?;
        tracing::info!(actor = actor.as_str(), file = %file.display(), bytes, "a backup was made");
        Ok(Backup { file: file.to_owned(), bytes, at })
    }

    /// Told once of a store that came back from a backup of `backup_at`: ends everything that was issued until now, in every
    /// issuer, unless `keep_tokens`. Either way the audit of each issuer says so.
    ///
    /// # Errors
    /// As in any act.
    pub async fn restored(
        &self,
        actor: &Actor,
        backup_at: Option<UnixSeconds>,
        keep_tokens: bool,
    ) -> Result<Restored, OperatorError> {
        let not_before = (!keep_tokens).then(|| self.rules.clock.now() + self.rules.limits.max_clock_skew);
        let made = backup_at.map_or_else(|| "a backup".to_owned(), |at| format!("the backup of {at}"));
        let what = if keep_tokens { "tokens kept" } else { "everything until now ended" };
        let mut issuers = 0;
        let mut page = Page { after: String::new(), limit: PAGE };
        loop {
            let names: Vec<_> = self.rules.clients.issuers(page.clone()).await?.into_iter().map(|i| i.name).collect();
            let Some(last) = names.last() else { return Ok(Restored { issuers, not_before }) };
            page.after = last.to_string();
            issuers += names.len() as u64;
            // Together, so that they are committed together.
            let acts = stream::iter(names).map(|name| {
                let edits = if keep_tokens { Vec::new() } else { vec![self.mark(Marked::Issuer)] };
                let audit = vec![Said::new("restore", &name, format!("{made}; {what}"))];
                async move { self.commit_expecting(actor, (&name, Expect::Any), Act { edits, audit }).await }
            });
            acts.buffer_unordered(PAGE as usize).try_for_each(async |_| Ok(())).await?;
        }
    }
}
