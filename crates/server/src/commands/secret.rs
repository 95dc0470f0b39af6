//! Secrets of clients and APIs, alike for both.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use ficha_core::operator::{NewSecret, SecretInfo, SecretSource, ShownSecret, is_generated};
use ficha_jose::sha256;

use super::{
    ask::{Server, segment},
    input::secret,
    output::{Table, facts, maybe, moment, note, print, say, word},
};

/// Secrets: at most two, so that one can be exchanged for the other.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Add a second secret: a new one is made and shown this once.
    Add {
        /// Whose: the client's id or the API's name.
        owner: String,
        /// The issuer, when more than one has that name.
        #[arg(long)]
        issuer: Option<ficha_types::IssuerName>,
        #[command(flatten)]
        new: SecretArgs,
    },
    /// Remove a secret. Whoever still uses it is refused from then on.
    Remove {
        /// Whose: the client's id or the API's name.
        owner: String,
        /// The secret's id, as `list` tells it.
        id: String,
        /// The issuer, when more than one has that name.
        #[arg(long)]
        issuer: Option<ficha_types::IssuerName>,
    },
    /// The secrets with their last uses; never the secrets themselves.
    List {
        /// Whose: the client's id or the API's name.
        owner: String,
        /// The issuer, when more than one has that name.
        #[arg(long)]
        issuer: Option<ficha_types::IssuerName>,
    },
}

/// Where a new secret comes from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SecretArgs {
    /// A name for the secret in commands and in the log.
    #[arg(long, value_name = "ID")]
    secret_id: Option<String>,
    /// Take the secret in this file (`-`: standard input) instead of making one. Chosen secrets can be guessed.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

impl SecretArgs {
    /// As it travels: a given secret only as its digest.
    pub(crate) fn read(&self) -> Result<NewSecret> {
        let source = match &self.secret_file {
            None => SecretSource::Generate,
            Some(path) => {
                let secret = secret(Some(path), "secret")?;
                let digest = sha256(secret.expose().as_bytes());
                if is_generated(secret.expose()) {
                    SecretSource::MadeBefore(digest)
                } else {
                    SecretSource::Chosen(digest)
                }
            }
        };
        Ok(NewSecret { id: self.secret_id.clone(), source })
    }
}

/// Does a command on the secrets of the owners under `nouns` (`clients`, `apis`) of an issuer.
pub(crate) async fn run(
    command: SecretCommand,
    (server, issuer, nouns): (&Server, &str, &str),
    json: bool,
) -> Result<()> {
    let path = |owner: &str| format!("/v1/issuers/{issuer}/{nouns}/{}/secrets", segment(owner));
    match command {
        SecretCommand::Add { owner, new, .. } => {
            let shown: ShownSecret = server.post(&path(&owner), &new.read()?).await?;
            show(json, &shown)
        }
        SecretCommand::Remove { owner, id, .. } => {
            server.delete(&format!("{}/{}", path(&owner), segment(&id))).await?;
            if json { print("{}") } else { print(&format!("The secret {id} of {owner} is gone.")) }
        }
        SecretCommand::List { owner, .. } => {
            let secrets: Vec<SecretInfo> = server.get(&path(&owner)).await?;
            say(json, &secrets, |secrets| list(secrets))
        }
    }
}

impl SecretCommand {
    /// The owner and the issuer that were named.
    pub(crate) fn of(&self) -> (&str, Option<&ficha_types::IssuerName>) {
        match self {
            Self::Add { owner, issuer, .. } | Self::Remove { owner, issuer, .. } | Self::List { owner, issuer } => {
                (owner, issuer.as_ref())
            }
        }
    }
}

/// Shows a new secret, this once.
pub(crate) fn show(json: bool, shown: &ShownSecret) -> Result<()> {
    let secret = shown.secret.as_ref().map(|s| s.expose().to_owned()).unwrap_or_default();
    let made_here = shown.secret.is_some();
    say(json, shown, |shown| {
        facts(&[("owner", shown.owner.clone()), ("secret id", shown.id.clone()), ("secret", secret)])
    })?;
    if made_here {
        note("Keep the secret now: only its digest is stored, and it will not be shown again.");
    }
    Ok(())
}

/// A table of secrets.
pub(crate) fn list(secrets: &[SecretInfo]) -> String {
    let mut table = Table::new(["secret id", "origin", "added", "last used (to the hour)"]);
    for secret in secrets {
        table.row([
            secret.id.clone(),
            word(&secret.origin),
            moment(secret.created_at),
            maybe(secret.last_used, "never, as far as is known"),
        ]);
    }
    table.or("There is no secret.")
}
