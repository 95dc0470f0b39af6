//! `ficha key`.

use anyhow::Result;
use clap::{Args, Subcommand};
use ficha_admin::ExportRequest;
use ficha_core::operator::{ExportedKey, KeyInfo, KeyScope, Withdrawn};
use ficha_types::{Algorithm, ApiName, IssuerName, Kid};
use serde_json::Value;

use super::{
    ask::{Has, Server, segment},
    output::{Table, facts, moment, note, say, word},
};
use crate::cli::Global;

/// Signing keys, and the secrets of APIs that verify by HS256.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// An issuer's keys.
    List {
        /// The issuer, when there is more than one.
        #[arg(long)]
        issuer: Option<IssuerName>,
    },
    /// Make successors: published now, signing in 24 hours. An API's HS256 secret signs when it is promoted.
    Rotate {
        /// The issuer, when there is more than one.
        #[arg(long)]
        issuer: Option<IssuerName>,
        /// Only those that sign by this algorithm.
        #[arg(long)]
        algorithm: Option<Algorithm>,
        /// Only the one that signs this API's tokens.
        #[arg(long)]
        api: Option<ApiName>,
        /// Let them sign at once. Whoever keeps the old key set refuses their tokens until it is read again.
        /// Not for an API's secret.
        #[arg(long)]
        now: bool,
    },
    /// Show an API's HS256 secret. It leaves a line in the audit.
    Export {
        /// The key; or name its API.
        #[arg(required_unless_present = "api", allow_hyphen_values = true)]
        kid: Option<Kid>,
        /// The newest key of this API.
        #[arg(long, conflicts_with = "kid")]
        api: Option<ApiName>,
        /// The issuer, when more than one has it.
        #[arg(long)]
        issuer: Option<IssuerName>,
    },
    /// Let a key that waits sign now; its predecessor retires.
    Promote(Which),
    /// The emergency: the key is gone at once, with everything that it signed.
    Withdraw(Which),
}

/// A key.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Its id, as `list` tells it.
    #[arg(allow_hyphen_values = true)]
    kid: Kid,
    /// The issuer, when more than one has a key of that id.
    #[arg(long)]
    issuer: Option<IssuerName>,
}

pub(super) async fn run(command: KeyCommand, global: &Global) -> Result<()> {
    let server = Server::find(global).await?;
    let json = global.json;
    match command {
        KeyCommand::List { issuer } => {
            let issuer = server.issuer(issuer.as_ref(), Has::Anything).await?;
            let keys: Vec<KeyInfo> = server.get(&format!("/v1/issuers/{issuer}/keys")).await?;
            say(json, &keys, |keys| list(keys))
        }
        KeyCommand::Rotate { issuer, algorithm, api, now } => {
            let has = api.as_ref().map_or(Has::Anything, |api| Has::Api(api.as_str()));
            let issuer = server.issuer(issuer.as_ref(), has).await?;
            let scope = KeyScope { algorithm, api: api.clone(), now };
            let made: Vec<KeyInfo> = server.post(&format!("/v1/issuers/{issuer}/keys"), &scope).await?;
            warn_of_early(&made);
            say(json, &made, |made| list(made))
        }
        KeyCommand::Export { kid, api, issuer } => export(&server, (kid, api, issuer), json).await,
        KeyCommand::Promote(which) => {
            let path = format!("{}/promote", path(&server, &which).await?);
            let key: KeyInfo = server.post(&path, &Value::Null).await?;
            warn_of_early(std::slice::from_ref(&key));
            say(json, &key, |key| list(std::slice::from_ref(key)))
        }
        KeyCommand::Withdraw(which) => {
            let path = format!("{}/withdraw", path(&server, &which).await?);
            let gone: Withdrawn = server.post(&path, &Value::Null).await?;
            say(json, &gone, withdrawn)
        }
    }
}

/// Says what it means that keys sign which were not published for a day.
fn warn_of_early(keys: &[KeyInfo]) {
    if keys.iter().any(KeyInfo::signs_early) {
        note(
            "What signs now was published less than 24 hours ago: whoever keeps the old key set (for at most 5 minutes, if it keeps to max-age) refuses its tokens until then.",
        );
    }
}

async fn export(
    server: &Server,
    (kid, api, issuer): (Option<Kid>, Option<ApiName>, Option<IssuerName>),
    json: bool,
) -> Result<()> {
    let has = match (&kid, &api) {
        (Some(kid), _) => Has::Key(kid.as_str()),
        (None, Some(api)) => Has::Api(api.as_str()),
        (None, None) => Has::Anything,
    };
    let issuer = server.issuer(issuer.as_ref(), has).await?;
    let request = ExportRequest { kid, api };
    let key: ExportedKey = server.post(&format!("/v1/issuers/{issuer}/keys/export"), &request).await?;
    say(json, &key, |key| {
        facts(&[
            ("key", key.kid.clone()),
            ("api", key.api.clone()),
            ("algorithm", key.algorithm.to_string()),
            ("secret (base64url)", key.secret.expose().to_owned()),
        ])
    })?;
    note("Whoever holds this secret can make tokens for the API. That it was shown stands in the audit.");
    Ok(())
}

async fn path(server: &Server, which: &Which) -> Result<String> {
    let issuer = server.issuer(which.issuer.as_ref(), Has::Key(which.kid.as_str())).await?;
    Ok(format!("/v1/issuers/{issuer}/keys/{}", segment(which.kid.as_str())))
}

/// A table of keys.
pub(super) fn list(keys: &[KeyInfo]) -> String {
    let mut table = Table::new(["key", "algorithm", "api", "state", "since", "made"]);
    for key in keys {
        let since = match (key.since, key.exported) {
            (Some(since), _) => moment(since),
            (None, Some(true)) => "when promoted".to_owned(),
            (None, Some(false) | None) => "when exported and promoted".to_owned(),
        };
        let api = key.api.clone().unwrap_or_default();
        table.row([key.kid.clone(), key.algorithm.to_string(), api, word(&key.state), since, moment(key.created_at)]);
    }
    table.or("There is no key.")
}

fn withdrawn(gone: &Withdrawn) -> String {
    let successor = gone.successor.as_ref();
    let successor = successor.map_or_else(String::new, |key| format!("\n{}", list(std::slice::from_ref(key))));
    format!("The key {} is gone, and nothing that it signed is good any more.{successor}", gone.kid)
}
