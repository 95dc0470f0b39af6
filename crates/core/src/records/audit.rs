//! What an administrator did.

use ficha_types::UnixSeconds;
use serde::{Deserialize, Serialize};

/// One act of administration, kept in the transaction that did it. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: UnixSeconds,
    /// Who, as the operating system told: `uid:0`, or `ficha` for what runs by itself.
    pub actor: String,
    /// The command: `client.secret.add`.
    pub action: String,
    /// On what: a client's id, a key's.
    pub subject: String,
    /// More, for a person to read.
    pub detail: String,
}
