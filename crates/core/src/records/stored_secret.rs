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

/// The digests of secrets that were removed, the newest last: a declaration that still names one does not bring it back.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RemovedSecrets(Vec<[u8; 32]>);

impl RemovedSecrets {
    /// The most that are remembered; the oldest go first.
    const MOST: usize = 32;

    /// Whether the secret of that digest was removed, and not added since.
    #[must_use]
    pub fn holds(&self, digest: &[u8; 32]) -> bool {
        self.0.contains(digest)
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As it is when the secrets `before` have become `after`.
    #[must_use]
    pub fn then(&self, before: &[StoredSecret], after: &[StoredSecret]) -> Self {
        let is_there = |digest: &[u8; 32]| after.iter().any(|s| s.digest == *digest);
        let gone = before.iter().map(|s| s.digest);
        let all: Vec<_> = self.0.iter().copied().chain(gone).filter(|digest| !is_there(digest)).collect();
        Self(all.get(all.len().saturating_sub(Self::MOST)..).unwrap_or_default().to_vec())
    }
}

impl fmt::Debug for RemovedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemovedSecrets({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(n: u8) -> StoredSecret {
        let (id, digest) = (n.to_string(), [n; 32]);
        StoredSecret { id, origin: SecretOrigin::Chosen, digest, created_at: UnixSeconds(0) }
    }

    #[test]
    fn what_was_removed_is_remembered_until_it_is_added_again() {
        let removed = RemovedSecrets::default().then(&[secret(1), secret(2)], &[secret(2)]);
        assert!(removed.holds(&[1; 32]) && !removed.holds(&[2; 32]));
        assert!(removed.then(&[secret(2)], &[secret(2), secret(1)]).is_empty());
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let removed = (1..=40).fold(RemovedSecrets::default(), |removed, n| removed.then(&[secret(n)], &[]));
        assert_eq!((removed.0.len(), removed.holds(&[8; 32]), removed.holds(&[9; 32])), (32, false, true));
    }
}
