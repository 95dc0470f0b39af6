//! A secret of a client or an API as it is kept.

use std::fmt;

use ficha_types::UnixSeconds;
use serde::{Deserialize, Serialize};

/// Where a secret came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretOrigin {
    /// Made by ficha of 256 random bits: it can't be guessed.
    Generated,
    /// Chosen by somebody: guesses at it are counted.
    Chosen,
}

/// A secret's digest (HMAC-SHA-256 over issuer, owner and the secret's SHA-256, under a key of the issuer).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSecret {
    /// Its name in commands and in the log: unique for its owner.
    pub id: String,
    /// Whether it can be guessed.
    pub origin: SecretOrigin,
    /// 32 bytes.
    pub digest: [u8; 32],
    /// When it was added.
    pub created_at: UnixSeconds,
}

impl fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSecret").field("id", &self.id).field("origin", &self.origin).finish_non_exhaustive()
    }
}
