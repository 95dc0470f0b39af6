//! The steps of administration.

use ficha_types::{ApiName, ClientId, FamilyId, IssuerName, Kid, UnixSeconds, Username};

use super::{BoxFuture, Revocation, StoreError};
use crate::records::{Api, AuditEntry, Client, Issuer, KeyRow, Mark, PasswordHash, SealedKey, User};

/// One alteration of an issuer's records.
#[derive(Debug, Clone)]
pub enum Edit {
    /// Makes or replaces the issuer's declaration.
    PutIssuer(Issuer),
    /// Makes or replaces an API.
    PutApi(Api),
    /// Takes an API away, with its live tokens.
    RemoveApi(ApiName),
    /// Makes or replaces a client. With another policy than the row's, its live tokens end.
    PutClient(Client),
    /// Takes a client away, with its live tokens.
    RemoveClient(ClientId),
    /// Makes or replaces a user.
    PutUser(User),
    /// Takes a user away.
    RemoveUser(Username),
    /// Replaces the hash `from` of the user's password by another one of the same password; nothing when it is another by now.
    UpgradePassword {
        /// Whose.
        name: Username,
        /// The hash as it was read.
        from: PasswordHash,
        /// The new one.
        to: PasswordHash,
    },
    /// Makes or replaces a signing key.
    PutKey(KeyRow),
    /// Takes a signing key away, with the live tokens that it signed.
    RemoveKey(Kid),
    /// Makes or replaces a symmetric key.
    PutSealing(SealedKey),
    /// Revokes a token of which only the id is known, as [`super::TokenStore::revoke_token`] does, and folds nothing.
    Revoke(Revocation),
    /// Revokes a family of refresh tokens of which only the id is known, if there is one.
    EndFamily {
        /// Its id.
        family: FamilyId,
        /// The API that its tokens are for, where that is known: no other one is told.
        api: Option<ApiName>,
        /// When the last of its tokens has expired at the latest.
        keep_until: UnixSeconds,
    },
    /// Sets a not-before mark, as [`super::TokenStore::mark`] does.
    PutMark(Mark),
}

/// What an act of administration builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing: the edits are good whatever is there.
    Any,
    /// The issuer does not exist yet.
    New,
    /// The issuer's declarations (itself, APIs, clients, users, keys) were last changed by this number
    /// ([`super::IssuerRows::configured`]). Revocations and marks don't move it.
    At(i64),
}

/// What one act of administration does, all or nothing.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The issuer that it concerns.
    pub issuer: IssuerName,
    /// The alterations, in order.
    pub edits: Vec<Edit>,
    /// What must still be so, else nothing is written ([`StoreError::Conflict`]).
    pub expect: Expect,
    /// What is said of it.
    pub audit: Vec<AuditEntry>,
    /// Now.
    pub now: UnixSeconds,
}

/// A part of a list: what comes after a name, and how much of it.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The last name of the page before; empty for the first.
    pub after: String,
    /// The most rows, 1 to 1000.
    pub limit: u32,
}

/// The steps of administration.
pub trait OperatorStore: Send + Sync {
    /// Does it whole: every edit, a change number for each, the audit rows. Answers the issuer's last change number.
    /// A `client_id` that is also an API's name or a user's `sub`, a second API of one audience, a base URL that another issuer
    /// has: [`StoreError::Conflict`].
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<i64, StoreError>>;
    /// Clients by id.
    fn clients<'a>(&'a self, issuer: &'a IssuerName, page: Page) -> BoxFuture<'a, Result<Vec<Client>, StoreError>>;
    /// Users by name.
    fn users<'a>(&'a self, issuer: &'a IssuerName, page: Page) -> BoxFuture<'a, Result<Vec<User>, StoreError>>;
    /// The newest audit rows of an issuer, newest first.
    fn audit<'a>(&'a self, issuer: &'a IssuerName, limit: u32) -> BoxFuture<'a, Result<Vec<AuditEntry>, StoreError>>;
    /// A note about the database itself (`made_by`, `master`), if it has been made.
    fn note<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>>;
    /// Makes a note about the database itself.
    fn set_note<'a>(&'a self, name: &'a str, value: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Every symmetric key, for the exchange of the master key.
    fn sealing_keys(&self) -> BoxFuture<'_, Result<Vec<(IssuerName, SealedKey)>, StoreError>>;
}
