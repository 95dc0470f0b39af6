//! The master key: seals every other key, and nothing else.

use ficha_jose::{SealingKey, sha256};
use ficha_types::IssuerName;
use zeroize::Zeroizing;

use crate::{
    ports::Entropy,
    records::{SealedKey, SealingPurpose},
};

/// One master key with its id: the first 8 hex digits of the SHA-256 of its bytes' SHA-256.
struct Master {
    id: String,
    key: SealingKey,
}

/// The master key, and while it is being exchanged its predecessor.
pub struct MasterKeys {
    current: Master,
    previous: Option<Master>,
}

/// A key that no loaded master key opens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MasterError {
    /// It was sealed by another master key.
    #[error(
        "the database was sealed under the master key {needed}, but the loaded one is {loaded}: load the right file, or both while exchanging them"
    )]
    Other {
        /// The id of the key that is needed.
        needed: String,
        /// The id of the key that is loaded.
        loaded: String,
    },
    /// The id fits, the content doesn't: the row was altered or belongs elsewhere.
    #[error("a key of issuer {0} can't be opened: the row is damaged or was moved there from another place")]
    Damaged(IssuerName),
}

impl Master {
    fn new(bytes: &[u8; 32]) -> Self {
        let digest = sha256(&sha256(bytes));
        let id = digest.iter().take(4).fold(String::new(), |mut id, b| {
            let _ = std::fmt::Write::write_fmt(&mut id, format_args!("{b:02x}"));
            id
        });
        Self { id, key: SealingKey::new(bytes) }
    }
}

impl MasterKeys {
    /// The current master key (32 bytes), and the one that it takes over from.
    #[must_use]
    pub fn new(current: &[u8; 32], previous: Option<&[u8; 32]>) -> Self {
        Self { current: Master::new(current), previous: previous.map(Master::new) }
    }

    /// The current key's id: 8 hex digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.current.id
    }

    /// Whether a key that was sealed under the master key `id` can be opened.
    #[must_use]
    pub fn knows(&self, id: &str) -> bool {
        self.current.id == id || self.previous.as_ref().is_some_and(|p| p.id == id)
    }

    /// Makes a key of 32 random bytes for `purpose`, sealed under the current master key.
    #[must_use]
    pub fn make(
        &self,
        issuer: &IssuerName,
        (purpose, number): (SealingPurpose, u16),
        chance: &dyn Entropy,
    ) -> SealedKey {
        let mut bytes = Zeroizing::new([0; 32]);
        chance.fill(&mut *bytes);
        self.seal(issuer, (purpose, number), &bytes, chance)
    }

    fn seal(
        &self,
        issuer: &IssuerName,
        (purpose, number): (SealingPurpose, u16),
        bytes: &[u8; 32],
        chance: &dyn Entropy,
    ) -> SealedKey {
        let mut nonce = [0; 12];
        chance.fill(&mut nonce);
        let sealed = self.current.key.seal(nonce, &identity(issuer, purpose, number), bytes);
        SealedKey { purpose, number, master: self.current.id.clone(), sealed }
    }

    /// The 32 bytes of a sealed key.
    ///
    /// # Errors
    /// [`MasterError`] when neither master key opens it.
    pub fn open(&self, issuer: &IssuerName, key: &SealedKey) -> Result<Zeroizing<[u8; 32]>, MasterError> {
        let masters = [Some(&self.current), self.previous.as_ref()];
        let Some(master) = masters.into_iter().flatten().find(|m| m.id == key.master) else {
            return Err(MasterError::Other { needed: key.master.clone(), loaded: self.current.id.clone() });
        };
        let opened = master.key.open(&identity(issuer, key.purpose, key.number), &key.sealed);
        let bytes = opened.ok().and_then(|b| <[u8; 32]>::try_from(b.as_slice()).ok());
        bytes.map(Zeroizing::new).ok_or_else(|| MasterError::Damaged(issuer.clone()))
    }

    /// The same key sealed under the current master key; `None` when it is already.
    ///
    /// # Errors
    /// [`MasterError`] when neither master key opens it.
    pub fn reseal(
        &self,
        issuer: &IssuerName,
        key: &SealedKey,
        chance: &dyn Entropy,
    ) -> Result<Option<SealedKey>, MasterError> {
        let bytes = self.open(issuer, key)?;
        let moved = key.master != self.current.id;
        Ok(moved.then(|| self.seal(issuer, (key.purpose, key.number), &bytes, chance)))
    }
}

impl std::fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MasterKeys").field("id", &self.current.id).finish_non_exhaustive()
    }
}

/// The row's identity as associated data: a sealed key that was copied to another row does not open.
fn identity(issuer: &IssuerName, purpose: SealingPurpose, number: u16) -> Vec<u8> {
    format!("ficha key\n{issuer}\n{}\n{number}", purpose.as_str()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;
    impl Entropy for Sevens {
        fn fill(&self, into: &mut [u8]) {
            into.fill(7);
        }
    }

    #[test]
    fn a_sealed_key_opens_only_in_its_own_row_and_under_its_own_master_key() {
        let (a, b): (IssuerName, IssuerName) = ("a".parse().unwrap(), "b".parse().unwrap());
        let masters = MasterKeys::new(&[1; 32], None);
        let key = masters.make(&a, (SealingPurpose::LiveTokens, 1), &Sevens);
        assert_eq!(*masters.open(&a, &key).unwrap(), [7; 32]);
        assert_eq!(masters.open(&b, &key).unwrap_err(), MasterError::Damaged(b));
        assert!(matches!(MasterKeys::new(&[2; 32], None).open(&a, &key), Err(MasterError::Other { .. })));
    }

    #[test]
    fn exchanging_the_master_key_reseals_and_the_old_one_is_needed_no_more() {
        let issuer: IssuerName = "a".parse().unwrap();
        let key = MasterKeys::new(&[1; 32], None).make(&issuer, (SealingPurpose::LiveTokens, 1), &Sevens);
        let resealed = MasterKeys::new(&[2; 32], Some(&[1; 32])).reseal(&issuer, &key, &Sevens).unwrap().unwrap();
        assert_eq!(*MasterKeys::new(&[2; 32], None).open(&issuer, &resealed).unwrap(), [7; 32]);
    }
}
