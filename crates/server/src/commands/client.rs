//! `ficha client`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use clap::{Args, Subcommand};
use ficha_admin::KeepTokens;
use ficha_core::operator::{ClientDetails, ClientSummary, NewClient, ShownSecret};
use ficha_types::{ApiName, AuthMethod, ClientId, GrantKind, IssuerName, ScopeSet};
use serde_json::Value;

use super::{
    ask::{Has, Server, segment},
    output::{Table, facts, maybe, moment, say, word},
    secret::{self, SecretArgs, SecretCommand},
};
use crate::cli::Global;

/// Rows asked for at a time.
const PAGE: usize = 1000;

/// Clients and their secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Add a client. Its first secret is made and shown this once.
    Add(Box<AddArgs>),
    /// An issuer's clients.
    List {
        /// The issuer, when there is more than one.
        #[arg(long)]
        issuer: Option<IssuerName>,
    },
    /// One client with its scopes and secrets.
    Show(Which),
    /// Refuse a client everywhere. Everything issued to it until now is dead, and stays so when it is enabled again.
    Disable {
        #[command(flatten)]
        which: Which,
        /// Let what was issued go on when it is enabled again.
        #[arg(long)]
        keep_tokens: bool,
    },
    /// Let a client in again.
    Enable(Which),
    /// Its secrets.
    #[command(subcommand)]
    Secret(SecretCommand),
}

/// A client.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Its `client_id`.
    id: ClientId,
    /// The issuer, when more than one has a client of that id.
    #[arg(long)]
    issuer: Option<IssuerName>,
}

/// A new client.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Its `client_id`.
    id: ClientId,
    /// The issuer, when there is more than one.
    #[arg(long)]
    issuer: Option<IssuerName>,
    /// A grant that it may use: `client_credentials`, `password`, `refresh_token`. May be repeated.
    #[arg(long = "grant", value_name = "GRANT", default_value = "client_credentials")]
    grants: Vec<GrantKind>,
    /// Scopes that it holds at an API. May be repeated.
    #[arg(long = "scope", value_name = "API=SCOPE SCOPE…", value_parser = scopes)]
    scopes: Vec<(ApiName, ScopeSet)>,
    /// An API of which it holds every scope. May be repeated.
    #[arg(long = "api", value_name = "API")]
    apis: Vec<ApiName>,
    /// A method by which it may authenticate: `client_secret_basic`, `client_secret_post`. All of the dialect's when absent.
    #[arg(long = "auth-method", value_name = "METHOD")]
    auth_methods: Vec<AuthMethod>,
    /// Its id alone is enough to refresh (advised against).
    #[arg(long)]
    refresh_without_secret: bool,
    /// A fact about it that a dialect may write into tokens. May be repeated.
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
    /// The most requests of it per second.
    #[arg(long, value_name = "N")]
    max_per_second: Option<u32>,
    #[command(flatten)]
    secret: SecretArgs,
}

/// `API=SCOPE SCOPE…`.
pub(super) fn scopes(text: &str) -> Result<(ApiName, ScopeSet), String> {
    let (api, scopes) = text.split_once('=').ok_or("expected API=SCOPE, more scopes with spaces between")?;
    let api = api.parse().map_err(|e| format!("{e}"))?;
    Ok((api, scopes.parse().map_err(|e| format!("{e}"))?))
}

/// `NAME=VALUE`.
pub(super) fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    if name.is_empty() { Err("expected NAME=VALUE".into()) } else { Ok((name.to_owned(), value.to_owned())) }
}

/// Several sets for one API made one.
pub(super) fn together(scopes: Vec<(ApiName, ScopeSet)>) -> BTreeMap<ApiName, ScopeSet> {
    let mut all: BTreeMap<ApiName, ScopeSet> = BTreeMap::new();
    for (api, set) in scopes {
        let held = all.remove(&api).unwrap_or_default();
        all.insert(api, held.iter().chain(set.iter()).cloned().collect());
    }
    all
}

pub(super) async fn run(command: ClientCommand, global: &Global) -> Result<()> {
    let server = Server::find(global).await?;
    let json = global.json;
    match command {
        ClientCommand::Add(args) => {
            let issuer = server.issuer(args.issuer.as_ref(), Has::Anything).await?;
            let shown: ShownSecret = server.post(&format!("/v1/issuers/{issuer}/clients"), &new(*args)?).await?;
            secret::show(json, &shown)
        }
        ClientCommand::List { issuer } => {
            let issuer = server.issuer(issuer.as_ref(), Has::Anything).await?;
            let clients = all(&server, &issuer).await?;
            say(json, &clients, |clients| list(clients))
        }
        ClientCommand::Show(which) => {
            let client: ClientDetails = server.get(&path(&server, &which).await?).await?;
            say(json, &client, show)
        }
        ClientCommand::Disable { which, keep_tokens } => {
            let path = format!("{}/disable", path(&server, &which).await?);
            let done: Value = server.post(&path, &KeepTokens { keep_tokens }).await?;
            let ended = if keep_tokens {
                "what was issued to it was kept"
            } else {
                "everything issued to it until now is dead"
            };
            say(json, &done, |_| format!("The client {} is disabled; {ended}.", which.id))
        }
        ClientCommand::Enable(which) => {
            let done: Value = server.post(&format!("{}/enable", path(&server, &which).await?), &Value::Null).await?;
            say(json, &done, |_| format!("The client {} is enabled.", which.id))
        }
        ClientCommand::Secret(command) => {
            let (owner, issuer) = command.of();
            let issuer = server.issuer(issuer, Has::Client(owner)).await?;
            secret::run(command, (&server, &issuer, "clients"), json).await
        }
    }
}

async fn path(server: &Server, which: &Which) -> Result<String> {
    let issuer = server.issuer(which.issuer.as_ref(), Has::Client(which.id.as_str())).await?;
    Ok(format!("/v1/issuers/{issuer}/clients/{}", segment(which.id.as_str())))
}

fn new(args: AddArgs) -> Result<NewClient> {
    Ok(NewClient {
        secret: args.secret.read()?,
        id: args.id,
        grants: args.grants.into_iter().collect(),
        scopes: together(args.scopes),
        whole_apis: args.apis.into_iter().collect(),
        auth_methods: (!args.auth_methods.is_empty()).then(|| args.auth_methods.into_iter().collect::<BTreeSet<_>>()),
        refresh_without_secret: args.refresh_without_secret,
        properties: args.properties.into_iter().collect(),
        max_per_second: args.max_per_second,
    })
}

/// Every client, page by page.
async fn all(server: &Server, issuer: &str) -> Result<Vec<ClientSummary>> {
    let mut clients: Vec<ClientSummary> = Vec::new();
    loop {
        let after = clients.last().map(|c| segment(&c.id)).unwrap_or_default();
        let path = format!("/v1/issuers/{issuer}/clients?limit={PAGE}&after={after}");
        let page: Vec<ClientSummary> = server.get(&path).await?;
        let last = page.len() < PAGE;
        clients.extend(page);
        if last {
            return Ok(clients);
        }
    }
}

fn list(clients: &[ClientSummary]) -> String {
    let mut table = Table::new(["client", "status", "grants", "apis", "secrets"]);
    for client in clients {
        let grants: Vec<_> = client.grants.iter().map(ToString::to_string).collect();
        let (grants, apis) = (grants.join(" "), client.apis.join(" "));
        table.row([client.id.clone(), word(&client.status), grants, apis, client.secrets.to_string()]);
    }
    table.or("There is no client.")
}

fn show(client: &ClientDetails) -> String {
    let grants: Vec<_> = client.grants.iter().map(ToString::to_string).collect();
    let methods: Vec<_> = client.auth_methods.iter().flatten().map(ToString::to_string).collect();
    let scopes: Vec<_> = client.scopes.iter().map(|(api, set)| format!("{api}: {}", set.join(" "))).collect();
    let properties: Vec<_> = client.properties.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let marks: Vec<_> = client.api_not_before.iter().map(|(api, at)| format!("{api}: {}", moment(*at))).collect();
    let facts = facts(&[
        ("client", client.id.clone()),
        ("status", word(&client.status)),
        ("grants", grants.join(" ")),
        ("scopes", scopes.join("; ")),
        ("auth methods", if methods.is_empty() { "all of the dialect's".into() } else { methods.join(" ") }),
        ("refresh without secret", if client.refresh_without_secret { "yes".into() } else { String::new() }),
        ("properties", properties.join(" ")),
        ("at once", client.max_concurrent.to_string()),
        ("per second", client.max_per_second.map(|n| n.to_string()).unwrap_or_default()),
        ("not before", maybe(client.not_before, "")),
        ("not before at", marks.join("; ")),
    ]);
    format!("{facts}\n{}", secret::list(&client.secrets))
}
