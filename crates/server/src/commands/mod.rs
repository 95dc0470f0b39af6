//! The commands for administrators: each asks the server, and tells what it answered.

pub(crate) mod api;
pub(crate) mod apply;
mod ask;
pub(crate) mod backup;
pub(crate) mod client;
pub(crate) mod completions;
pub(crate) mod dialect;
mod doctor;
pub(crate) mod gate;
mod input;
pub(crate) mod issuer;
pub(crate) mod key;
pub(crate) mod move_;
mod output;
mod progress;
pub(crate) mod restore;
mod secret;
pub(crate) mod token;
pub(crate) mod user;

#[cfg(test)]
mod tests;

use anyhow::Result;

use crate::cli::{Global, Manage};

/// Does a command. A [`crate::wire::WrongUse`] among the errors means that it was used or configured wrongly.
pub(crate) async fn run(command: Manage, global: &Global) -> Result<()> {
    match command {
        Manage::Apply(args) => apply::run(args, global).await,
        Manage::Backup(args) => backup::run(args, global).await,
        Manage::Restore(args) => restore::run(args, global).await,
        Manage::Move(args) => move_::run(args, global).await,
        Manage::Issuer(command) => issuer::run(command, global).await,
        Manage::Api(command) => api::run(command, global).await,
        Manage::Client(command) => client::run(command, global).await,
        Manage::User(command) => user::run(command, global).await,
        Manage::Key(command) => key::run(command, global).await,
        Manage::Token(command) => token::run(command, global).await,
        Manage::Dialect(command) => dialect::run(command, global),
        Manage::Doctor => doctor::run(global).await,
        Manage::Completions(args) => completions::run(&args),
    }
}
