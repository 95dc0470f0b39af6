//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{
    commands::{
        api::ApiCommand, apply::ApplyArgs, backup::BackupArgs, client::ClientCommand, completions::CompletionsArgs,
        dialect::DialectCommand, issuer::IssuerCommand, key::KeyCommand, move_::MoveArgs, restore::RestoreArgs,
        token::TokenCommand, user::UserCommand,
    },
    dev::DevArgs,
    gate::GateArgs,
    serve::ServeArgs,
};

/// The token service that a company with an API runs in front of it.
///
/// `ficha dev` sets everything up and serves demo issuers; `ficha serve` is for production. The other commands administer: they speak
/// to the running server, or open its data folder when no server runs. Which one: --data, else --config, else ./ficha.toml, else
/// ./ficha-dev.
#[derive(Debug, Parser)]
#[command(name = "ficha", version, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command for administrators takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The data folder of the server to administer.
    #[arg(long, global = true, value_name = "DIR", help_heading = "Which server")]
    pub(crate) data: Option<PathBuf>,
    /// The configuration file of the server to administer.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Which server")]
    pub(crate) config: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// A command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything at once with nothing set up: demo issuers, an example API, an embedded database.
    Dev(DevArgs),
    /// Serve, as a configuration file says.
    Serve(ServeArgs),
    /// Check tokens beside a proxy: it asks at /verify whether a request may pass.
    Gate(GateArgs),
    #[command(flatten)]
    Manage(Manage),
}

/// A command for administrators: it ends when it is done.
#[derive(Debug, Subcommand)]
pub(crate) enum Manage {
    /// Make issuers, APIs, clients and users as files declare them. Twice changes nothing; nothing is removed.
    Apply(ApplyArgs),
    /// Copy the embedded database into a file, while it serves. The master key is not in it.
    Backup(BackupArgs),
    /// Put a backup in the database's place, with no server running; everything issued until now is dead then.
    Restore(RestoreArgs),
    /// Carry the embedded database over to PostgreSQL, with no server running.
    Move(MoveArgs),
    /// Look at issuers.
    #[command(subcommand)]
    Issuer(IssuerCommand),
    /// Look at APIs, and exchange their secrets.
    #[command(subcommand)]
    Api(ApiCommand),
    /// Clients and their secrets.
    #[command(subcommand)]
    Client(ClientCommand),
    /// Users and their passwords.
    #[command(subcommand)]
    User(UserCommand),
    /// Signing keys, and the secrets of APIs that verify by HS256.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Take tokens back, or look into one.
    #[command(subcommand)]
    Token(TokenCommand),
    /// The dialects, and what is wrong with a file of one.
    #[command(subcommand)]
    Dialect(DialectCommand),
    /// What is advised against, unsafe or broken, each with the way out.
    Doctor,
    /// A completion script for a shell.
    Completions(CompletionsArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn which_server_may_stand_before_or_after_the_command() {
        for line in [
            "ficha --data d client list --json",
            "ficha client list --data d --json",
            "ficha client --json list --data d",
        ] {
            let cli = parse(line).unwrap();
            assert_eq!((cli.global.data.as_deref(), cli.global.json), (Some("d".as_ref()), true), "{line}");
        }
    }

    #[test]
    fn the_servers_take_their_own_places() {
        let Command::Dev(dev) = parse("ficha dev --data d --ops off").unwrap().command else { panic!("dev") };
        assert_eq!((dev.data.to_str(), dev.ops.as_str()), (Some("d"), "off"));
        let Command::Dev(dev) = parse("ficha dev").unwrap().command else { panic!("dev") };
        assert_eq!(dev.data.to_str(), Some("ficha-dev"));
        let Command::Serve(serve) = parse("ficha serve --config f.toml").unwrap().command else { panic!("serve") };
        assert_eq!(serve.config.as_deref(), Some("f.toml".as_ref()));
    }

    #[test]
    fn every_command_of_the_design_is_there() {
        for line in [
            "apply a.toml b.toml",
            "issuer list",
            "issuer show acme",
            "api list",
            "api show cards",
            "api secret add cards",
            "api secret remove cards 0a1b2c3d",
            "api secret list cards",
            "client add app",
            "client list",
            "client show app",
            "client disable app",
            "client disable app --keep-tokens",
            "client enable app",
            "client secret add app",
            "client secret remove app 0a1b2c3d",
            "client secret list app",
            "user add ana --password-file p",
            "user password ana",
            "user disable ana",
            "key list",
            "key rotate",
            "key rotate --now --algorithm ES256",
            "key export --api cards",
            "key export hs1",
            "key promote hs2",
            "key withdraw k1/refresh",
            "key withdraw -begins_like_an_option --issuer acme",
            "token revoke --jti AAAAAAAAAAAAAAAAAAAAAA",
            "token revoke --jti -AAAAAAAAAAAAAAAAAAAAA --api cards",
            "token revoke --client app",
            "token revoke --client app --api cards",
            "token revoke --user ana",
            "token revoke --issuer acme",
            "token inspect",
            "token inspect -",
            "dialect list",
            "dialect show pomelo",
            "dialect check my.toml",
            "gate --rules r.toml --listen 127.0.0.1:1 --listen [::1]:1 --ops off --root-ca ca.pem",
            "gate --config gate.toml",
            "gate explain GET https://a.example/b --rules r.toml --json",
            "gate --config gate.toml explain GET https://a.example/b",
            "backup b.db",
            "restore b.db",
            "restore b.db --replace --keep-tokens",
            "move --to postgres://ficha@db.example/ficha",
            "move --to-file url --root-ca ca.pem",
            "doctor",
            "completions bash",
        ] {
            if let Err(error) = parse(&format!("ficha {line}")) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in
            ["apply", "token revoke", "token revoke --api cards", "token revoke --client a --user b", "client add a:b"]
        {
            assert!(parse(&format!("ficha {line}")).is_err(), "{line}");
        }
    }
}
