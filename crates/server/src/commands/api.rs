//! `ficha api`.

use anyhow::Result;
use clap::Subcommand;
use ficha_core::operator::{ApiDetails, ApiSummary};
use ficha_types::{ApiName, IssuerName};

use super::{
    ask::{Has, Server, segment},
    output::{Table, facts, say},
    secret::{self, SecretCommand},
};
use crate::cli::Global;

/// Looking at APIs, and exchanging their secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum ApiCommand {
    /// An issuer's APIs.
    List {
        /// The issuer, when there is more than one.
        #[arg(long)]
        issuer: Option<IssuerName>,
    },
    /// One API with its scopes and secrets.
    Show {
        /// Its name.
        name: ApiName,
        /// The issuer, when more than one has an API of that name.
        #[arg(long)]
        issuer: Option<IssuerName>,
    },
    /// The secrets by which it introspects.
    #[command(subcommand)]
    Secret(SecretCommand),
}

pub(super) async fn run(command: ApiCommand, global: &Global) -> Result<()> {
    let server = Server::find(global).await?;
    match command {
        ApiCommand::List { issuer } => {
            let issuer = server.issuer(issuer.as_ref(), Has::Anything).await?;
            let apis: Vec<ApiSummary> = server.get(&format!("/v1/issuers/{issuer}/apis")).await?;
            say(global.json, &apis, |apis| list(apis))
        }
        ApiCommand::Show { name, issuer } => {
            let issuer = server.issuer(issuer.as_ref(), Has::Api(name.as_str())).await?;
            let path = format!("/v1/issuers/{issuer}/apis/{}", segment(name.as_str()));
            let api: ApiDetails = server.get(&path).await?;
            say(global.json, &api, show)
        }
        ApiCommand::Secret(command) => {
            let (owner, issuer) = command.of();
            let issuer = server.issuer(issuer, Has::Api(owner)).await?;
            secret::run(command, (&server, &issuer, "apis"), global.json).await
        }
    }
}

/// A table of APIs.
pub(super) fn list(apis: &[ApiSummary]) -> String {
    let mut table = Table::new(["api", "audience", "signed by", "scopes", "secrets"]);
    for api in apis {
        table.row([
            api.name.clone(),
            api.audience.clone(),
            api.algorithm.clone(),
            api.scopes.to_string(),
            api.secrets.to_string(),
        ]);
    }
    table.or("There is no API.")
}

fn show(api: &ApiDetails) -> String {
    let facts = facts(&[
        ("name", api.name.clone()),
        ("audience", api.audience.clone()),
        ("signed by", api.algorithm.clone()),
        ("tokens live", format!("{} s", api.token_lifetime)),
        ("scopes", api.scopes.join(" ")),
    ]);
    format!("{facts}\n{}", secret::list(&api.secrets))
}
