//! The use cases of administration, the same for the Admin API and the commands. Each is one commit of the store with its audit
//! rows, after which this node forgets what it held; what was read meanwhile by another administrator's act is read again.

mod act;
mod apis;
mod apply;
mod backup;
mod check;
mod clients;
mod declaration;
mod differences;
mod doctor;
mod error;
mod issuers;
mod keys;
mod make_keys;
mod merge;
mod pieces;
mod plan;
mod rivals;
mod sealing;
mod secret_text;
mod secrets;
pub(crate) mod slots;
mod spares;
mod tokens;
mod users;

use std::{collections::BTreeSet, sync::Arc};

pub use apis::{ApiDetails, ApiSummary};
pub use backup::{Backup, Restored};
pub use clients::{ClientDetails, ClientSummary, MAX_CONCURRENT, NewClient};
pub use declaration::{
    At, Declaration, DeclaredApi, DeclaredClient, DeclaredIssuer, DeclaredPassword, DeclaredSecret, DeclaredUser,
};
pub use doctor::{Certificate, Certificates, Finding, Listening, Severity, Surroundings};
pub use error::{OperatorError, Problem};
pub use issuers::{IssuerDetails, IssuerSummary};
pub use keys::{ExportedKey, KeyInfo, KeyScope, Withdrawn};
pub use pieces::PIECE;
pub use plan::{Effect, Plan, Step};
pub use secret_text::is_generated;
pub use secrets::{NewSecret, SecretInfo, SecretSource, ShownSecret};
pub use spares::Spares;
pub use tokens::{Ended, Inspection, Marking, RevokeById};
pub use users::{NewUser, UserSummary};

use ficha_types::DialectName;

use crate::{Rules, master::MasterKeys, ports::BackupStore, records::Issuer};

/// Who administers, as the operating system told: `uid:0`; `ficha` for what runs by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(String);

impl Actor {
    /// The user of that number at the other end of the socket.
    #[must_use]
    pub fn uid(uid: u32) -> Self {
        Self(format!("uid:{uid}"))
    }

    /// What runs by itself.
    #[must_use]
    pub fn itself() -> Self {
        Self("ficha".into())
    }

    /// As it stands in the audit.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What finds the issuer of a request. It sees by itself when one was made or moved ([`crate::views::Node::declared`]).
pub trait Routes: Send + Sync {
    /// Where to look for base URLs beside which those of `issuers` may not be able to stand.
    fn rivals(&self, issuers: &[Issuer]) -> Rivals;

    /// Whether `issuers` can be told apart from each other and from `others`, which have base URLs at [`Self::rivals`].
    ///
    /// # Errors
    /// What clashes, for a person to read.
    fn check(&self, issuers: &[Issuer], others: &[Issuer]) -> Result<(), String>;

    /// The dialect that was probably meant by `name`, of which there is none.
    fn nearest_dialect(&self, name: &DialectName) -> Option<String>;
}

/// Where others' base URLs may be in the way: looked up one by one, however many issuers there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rivals {
    /// Base URLs, as [`ficha_types::BaseUrl::written_out`] writes them.
    pub urls: BTreeSet<String>,
    /// `scheme://host`, where whatever port may be in the way.
    pub hosts: BTreeSet<String>,
}

/// For where nothing is served: every issuer is welcome.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRoutes;

impl Routes for NoRoutes {
    fn rivals(&self, _: &[Issuer]) -> Rivals {
        Rivals::default()
    }
    fn check(&self, _: &[Issuer], _: &[Issuer]) -> Result<(), String> {
        Ok(())
    }
    fn nearest_dialect(&self, _: &DialectName) -> Option<String> {
        None
    }
}

/// Administration: the rules, and what only an administrator needs of the process.
pub struct Operator {
    /// The rules.
    pub rules: Arc<Rules>,
    /// The master keys, to seal what is made.
    pub masters: Arc<MasterKeys>,
    /// RSA keys on stock.
    pub spares: Spares,
    /// What finds issuers.
    pub routes: Arc<dyn Routes>,
    /// What copies the store; `None` where its own tools do.
    pub backups: Option<Arc<dyn BackupStore>>,
    /// For `doctor`.
    pub surroundings: Surroundings,
}
