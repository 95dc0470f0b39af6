//! `ficha token`.

use std::path::Path;

use anyhow::Result;
use clap::{ArgGroup, Args, Subcommand};
use ficha_core::operator::{Ended, Inspection, Marking, RevokeById};
use ficha_types::{ApiName, ClientId, IssuerName, Secret, TokenId, Username};
use serde_json::{Map, Value, json};

use super::{
    ask::{Has, Server},
    input::secret,
    output::{facts, moment, say},
};
use crate::cli::Global;

/// Taking tokens back, and looking into one.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Take tokens back: one by its `jti`, or everything issued until now to a client, in a user's name, or by an issuer.
    Revoke(RevokeArgs),
    /// Look into a token: what it says, and what stands against it.
    Inspect {
        /// The token; standard input when absent or `-`, which keeps it out of the shell's history.
        token: Option<String>,
        /// The issuer whose it should be.
        #[arg(long)]
        issuer: Option<IssuerName>,
    },
}

/// What is taken back.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["jti", "client", "user", "issuer"]))]
pub(crate) struct RevokeArgs {
    /// One token, by its `jti`. Stands for the longest that a token of the issuer may live.
    #[arg(long, conflicts_with_all = ["client", "user"], allow_hyphen_values = true)]
    jti: Option<TokenId>,
    /// Everything issued to this client until now.
    #[arg(long, conflicts_with = "user")]
    client: Option<ClientId>,
    /// Everything issued in this user's name until now.
    #[arg(long)]
    user: Option<Username>,
    /// Only at this API, with --jti or --client.
    #[arg(long, conflicts_with = "user")]
    api: Option<ApiName>,
    /// The issuer; alone, everything that it issued until now.
    #[arg(long)]
    issuer: Option<IssuerName>,
}

pub(super) async fn run(command: TokenCommand, global: &Global) -> Result<()> {
    match command {
        TokenCommand::Revoke(args) => revoke(args, global).await,
        TokenCommand::Inspect { token, issuer } => {
            let token = match token.filter(|token| token != "-") {
                Some(token) => Secret::new(token),
                None => secret(Some(Path::new("-")), "token")?,
            };
            let server = Server::find(global).await?;
            let mut request = json!({ "token": token.expose() });
            if let (Some(issuer), Some(members)) = (&issuer, request.as_object_mut()) {
                members.insert("issuer".into(), issuer.as_str().into());
            }
            let found: Inspection = server.post("/v1/tokens/inspect", &request).await?;
            say(global.json, &found, inspected)
        }
    }
}

async fn revoke(args: RevokeArgs, global: &Global) -> Result<()> {
    let RevokeArgs { jti, client, user, api, issuer } = args;
    if api.is_some() && jti.is_none() && client.is_none() {
        return Err(crate::wire::WrongUse("--api goes with --jti or --client".into()).into());
    }
    let server = Server::find(global).await?;
    let has = match (&client, &user, &api) {
        (Some(client), _, _) => Has::Client(client.as_str()),
        (None, Some(user), _) => Has::User(user.as_str()),
        (None, None, Some(api)) => Has::Api(api.as_str()),
        (None, None, None) => Has::Anything,
    };
    let issuer = server.issuer(issuer.as_ref(), has).await?;
    let path = format!("/v1/issuers/{issuer}/tokens/revoke");
    if let Some(jti) = jti {
        let until: Ended = server.post(&path, &RevokeById { jti: jti.clone(), api }).await?;
        return say(global.json, &until, |m| {
            format!("The token {jti} is revoked; that stands until {}.{}", moment(m.until), unconfirmed(m))
        });
    }
    let (whose, told) = match (client, user) {
        (Some(id), _) => {
            let told = format!("issued to {id}{}", api.as_ref().map(|a| format!(" at {a}")).unwrap_or_default());
            (Marking::Client { id, api }, told)
        }
        (None, Some(name)) => {
            let told = format!("issued in the name of {name}");
            (Marking::User { name }, told)
        }
        (None, None) => (Marking::Issuer, format!("that {issuer} issued")),
    };
    let mark: Ended = server.post(&format!("{path}-all"), &whose).await?;
    say(global.json, &mark, |m| format!("Everything {told} until {} is dead.{}", moment(m.until), unconfirmed(m)))
}

/// The nodes that may go on for a while, as a sentence of its own.
fn unconfirmed(ended: &Ended) -> String {
    if ended.unconfirmed.is_empty() {
        return String::new();
    }
    let names: Vec<_> = ended.unconfirmed.iter().map(ToString::to_string).collect();
    format!(
        "\nNot confirmed by {}: cut off from the database, it may give out tokens for outage_grace, which are dead once it is back.",
        names.join(", ")
    )
}

fn inspected(found: &Inspection) -> String {
    let written = |members: &Option<Map<String, Value>>| {
        members.as_ref().and_then(|m| serde_json::to_string_pretty(m).ok()).unwrap_or_default()
    };
    let kind = found.kind.as_deref().map_or_else(|| "not known".to_owned(), |kind| kind.replace('_', " "));
    let verdict = if found.against.is_empty() { "good".to_owned() } else { found.against.join("; ") };
    let issuer = found.issuer.clone().unwrap_or_else(|| "none of this server".into());
    facts(&[
        ("kind", kind),
        ("issuer", issuer),
        ("verdict", verdict),
        ("header", written(&found.header)),
        (if found.issuer.is_some() { "says" } else { "says (unproved)" }, written(&found.claims)),
    ])
}
