//! `ficha user`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use ficha_admin::{KeepTokens, PasswordRequest};
use ficha_core::{
    operator::{DeclaredPassword, NewUser, UserSummary},
    records::PasswordHash,
};
use ficha_types::{ApiName, IssuerName, ScopeSet, Username};
use serde_json::Value;

use super::{
    ask::{Has, Server, segment},
    client::{scopes, together},
    input::secret,
    output::{Table, facts, say, word},
};
use crate::cli::Global;

/// Rows asked for at a time.
const PAGE: usize = 1000;

/// Users and their passwords.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user. The password comes from a file or from standard input.
    Add {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        password: PasswordArgs,
        /// Permissions at an API. May be repeated.
        #[arg(long = "scope", value_name = "API=SCOPE SCOPE…", value_parser = scopes)]
        scopes: Vec<(ApiName, ScopeSet)>,
    },
    /// An issuer's users.
    List {
        /// The issuer, when there is more than one.
        #[arg(long)]
        issuer: Option<IssuerName>,
    },
    /// Set a password. Everything issued in the person's name until now is dead.
    Password {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        password: PasswordArgs,
        /// Let what was issued go on.
        #[arg(long)]
        keep_tokens: bool,
    },
    /// Refuse a user. Everything issued in the person's name until now is dead.
    Disable {
        #[command(flatten)]
        which: Which,
        /// Let what was issued go on when the user is enabled again.
        #[arg(long)]
        keep_tokens: bool,
    },
    /// Let a user in again.
    Enable(Which),
}

/// A user.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// What the person types.
    name: Username,
    /// The issuer, when there is more than one, or more than one has a user of that name.
    #[arg(long)]
    issuer: Option<IssuerName>,
}

/// A password, never on the command line.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct PasswordArgs {
    /// The file that holds the password; standard input when absent or `-`.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A file that holds a hash of it: Argon2id, bcrypt or PBKDF2.
    #[arg(long, value_name = "FILE")]
    hash_file: Option<PathBuf>,
}

impl PasswordArgs {
    fn read(&self) -> Result<DeclaredPassword> {
        Ok(match &self.hash_file {
            Some(path) => {
                DeclaredPassword::Hash(PasswordHash::new(secret(Some(path), "hash")?.expose().trim().to_owned()))
            }
            None => DeclaredPassword::Plain(secret(self.password_file.as_deref(), "password")?),
        })
    }
}

pub(super) async fn run(command: UserCommand, global: &Global) -> Result<()> {
    let server = Server::find(global).await?;
    let json = global.json;
    match command {
        UserCommand::Add { which, password, scopes } => {
            let issuer = server.issuer(which.issuer.as_ref(), Has::Anything).await?;
            let new = NewUser { name: which.name, password: password.read()?, scopes: together(scopes) };
            let user: UserSummary = server.post(&format!("/v1/issuers/{issuer}/users"), &new).await?;
            say(json, &user, |user| facts(&[("user", user.name.clone()), ("sub", user.sub.clone())]))
        }
        UserCommand::List { issuer } => {
            let issuer = server.issuer(issuer.as_ref(), Has::Anything).await?;
            let users = all(&server, &issuer).await?;
            say(json, &users, |users| list(users))
        }
        UserCommand::Password { which, password, keep_tokens } => {
            let path = format!("{}/password", path(&server, &which).await?);
            let request = PasswordRequest { password: password.read()?, keep_tokens };
            let done: Value = server.post(&path, &request).await?;
            say(json, &done, |_| format!("The password of {} is set; {}.", which.name, ended(keep_tokens)))
        }
        UserCommand::Disable { which, keep_tokens } => {
            let path = format!("{}/disable", path(&server, &which).await?);
            let done: Value = server.post(&path, &KeepTokens { keep_tokens }).await?;
            say(json, &done, |_| format!("The user {} is disabled; {}.", which.name, ended(keep_tokens)))
        }
        UserCommand::Enable(which) => {
            let done: Value = server.post(&format!("{}/enable", path(&server, &which).await?), &Value::Null).await?;
            say(json, &done, |_| format!("The user {} is enabled.", which.name))
        }
    }
}

const fn ended(keep_tokens: bool) -> &'static str {
    if keep_tokens { "what was issued was kept" } else { "everything issued in the person's name until now is dead" }
}

async fn path(server: &Server, which: &Which) -> Result<String> {
    let issuer = server.issuer(which.issuer.as_ref(), Has::User(which.name.as_str())).await?;
    Ok(format!("/v1/issuers/{issuer}/users/{}", segment(which.name.as_str())))
}

/// Every user, page by page.
async fn all(server: &Server, issuer: &str) -> Result<Vec<UserSummary>> {
    let mut users: Vec<UserSummary> = Vec::new();
    loop {
        let after = users.last().map(|u| segment(&u.name)).unwrap_or_default();
        let page: Vec<UserSummary> =
            server.get(&format!("/v1/issuers/{issuer}/users?limit={PAGE}&after={after}")).await?;
        let last = page.len() < PAGE;
        users.extend(page);
        if last {
            return Ok(users);
        }
    }
}

fn list(users: &[UserSummary]) -> String {
    let mut table = Table::new(["user", "sub", "status", "scopes"]);
    for user in users {
        let scopes: Vec<_> = user.scopes.iter().map(|(api, set)| format!("{api}: {}", set.join(" "))).collect();
        table.row([user.name.clone(), user.sub.clone(), word(&user.status), scopes.join("; ")]);
    }
    table.or("There is no user.")
}
