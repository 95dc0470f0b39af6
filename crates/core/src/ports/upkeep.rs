//! What runs by itself.

use ficha_types::{IssuerName, UnixSeconds};

use super::{BoxFuture, StoreError};

/// The last use of a secret, to the hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUse {
    /// The issuer.
    pub issuer: IssuerName,
    /// The client's id or the API's name.
    pub owner: String,
    /// The secret's id.
    pub secret: String,
    /// When, rounded down to the hour.
    pub at: UnixSeconds,
}

/// How many rows went, by table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PurgeReport {
    /// Table and rows.
    pub rows: Vec<(&'static str, u64)>,
}

impl PurgeReport {
    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.rows.iter().map(|(_, n)| n).sum()
    }
}

/// Steps of the upkeep. They may be lost in a crash, and are not changes.
pub trait UpkeepStore: Send + Sync {
    /// Removes at most `limit` rows of each table whose time has passed: live tokens, families, revocations, changes older than
    /// a day. One short transaction.
    fn purge(&self, now: UnixSeconds, limit: u32) -> BoxFuture<'_, Result<PurgeReport, StoreError>>;

    /// Keeps the last uses of secrets, in one batch.
    fn note_secret_uses<'a>(&'a self, uses: &'a [SecretUse]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The last uses of the secrets of one client or API.
    fn secret_uses<'a>(
        &'a self,
        issuer: &'a IssuerName,
        owner: &'a str,
    ) -> BoxFuture<'a, Result<Vec<SecretUse>, StoreError>>;
}
