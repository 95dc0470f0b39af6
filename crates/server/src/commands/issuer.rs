//! `ficha issuer`.

use anyhow::Result;
use clap::Subcommand;
use ficha_core::operator::{IssuerDetails, IssuerSummary};
use ficha_types::IssuerName;

use super::{
    api,
    ask::Server,
    key,
    output::{Table, facts, maybe, say},
};
use crate::cli::Global;

/// Issuers asked for at a time.
const PAGE: usize = 1000;

/// Looking at issuers.
#[derive(Debug, Subcommand)]
pub(crate) enum IssuerCommand {
    /// Every issuer.
    List,
    /// One issuer with its APIs and keys.
    Show {
        /// Its name.
        name: IssuerName,
    },
}

pub(super) async fn run(command: IssuerCommand, global: &Global) -> Result<()> {
    let server = Server::find(global).await?;
    match command {
        IssuerCommand::List => {
            let issuers = all(&server).await?;
            say(global.json, &issuers, |issuers| list(issuers))
        }
        IssuerCommand::Show { name } => {
            let details: IssuerDetails = server.get(&format!("/v1/issuers/{name}")).await?;
            say(global.json, &details, show)
        }
    }
}

/// Every issuer, page by page.
async fn all(server: &Server) -> Result<Vec<IssuerSummary>> {
    let mut issuers: Vec<IssuerSummary> = Vec::new();
    loop {
        let after = issuers.last().map_or("", |issuer| &issuer.name);
        let page: Vec<IssuerSummary> = server.get(&format!("/v1/issuers?limit={PAGE}&after={after}")).await?;
        let last = page.len() < PAGE;
        issuers.extend(page);
        if last {
            return Ok(issuers);
        }
    }
}

fn list(issuers: &[IssuerSummary]) -> String {
    let mut table = Table::new(["name", "dialect", "base urls"]);
    for issuer in issuers {
        table.row([issuer.name.clone(), issuer.dialect.clone(), issuer.base_urls.join(" ")]);
    }
    table.or("There is no issuer yet: declare one in a file and `ficha apply` it.")
}

fn show(details: &IssuerDetails) -> String {
    let issuer = &details.issuer;
    let place = |p: &ficha_core::records::Place| match &p.dialect {
        Some(dialect) => format!("{} ({dialect})", p.url),
        None => p.url.to_string(),
    };
    let urls: Vec<_> = issuer.places.iter().map(place).collect();
    let facts = facts(&[
        ("name", issuer.name.to_string()),
        ("dialect", issuer.dialect.to_string()),
        ("base urls", urls.join(" ")),
        ("default api", issuer.default_api.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("loopback http", if issuer.allow_loopback_http { "accepted" } else { "refused" }.to_owned()),
        ("not before", maybe(details.not_before, "")),
    ]);
    format!("{facts}\n{}\n{}", api::list(&details.apis), key::list(&details.keys))
}
