//! The keys that keep an issuer's secrets, opened for an administrator's act.

use ficha_jose::{HmacKey, SealingKey};
use ficha_types::IssuerName;
use zeroize::Zeroizing;

use super::OperatorError;
use crate::{
    master::MasterKeys,
    ports::Entropy,
    records::{KeyRow, SealedKey, SealingPurpose},
    views::{open_signing_key, seal_signing_key, secret_digest},
};

/// An issuer's keys for digests of secrets and for private keys.
pub(super) struct Sealing {
    issuer: IssuerName,
    digests: HmacKey,
    signing: Vec<(u16, SealingKey)>,
}

impl Sealing {
    /// Opens them.
    pub(super) fn open(issuer: &IssuerName, rows: &[SealedKey], masters: &MasterKeys) -> Result<Self, OperatorError> {
        let newest = |purpose| {
            let mut of: Vec<_> = rows.iter().filter(|key| key.purpose == purpose).collect();
            of.sort_by_key(|key| std::cmp::Reverse(key.number));
            of
        };
        let missing = |purpose: SealingPurpose| {
            OperatorError::Keys(format!("issuer {issuer}: its key for {} is missing", purpose.as_str()))
        };
        let digests = newest(SealingPurpose::SecretDigests);
        let digests = digests.first().ok_or_else(|| missing(SealingPurpose::SecretDigests))?;
        let mut signing = Vec::new();
        for key in newest(SealingPurpose::SigningKeys) {
            signing.push((key.number, SealingKey::new(&*masters.open(issuer, key)?)));
        }
        if signing.is_empty() {
            return Err(missing(SealingPurpose::SigningKeys));
        }
        let digests = HmacKey::new(&*masters.open(issuer, digests)?);
        Ok(Self { issuer: issuer.clone(), digests, signing })
    }

    /// The digest under which a secret of `owner` is kept.
    pub(super) fn digest(&self, owner: &str, secret_sha256: &[u8; 32]) -> [u8; 32] {
        secret_digest(&self.digests, &self.issuer, owner, secret_sha256)
    }

    /// The digest by which a declared password hash is known again.
    pub(super) fn password_source(&self, user: &str, hash_sha256: &[u8; 32]) -> [u8; 32] {
        // No client has a colon in its id: this owner is nobody else's.
        self.digest(&format!("password:{user}"), hash_sha256)
    }

    /// A private key sealed for its row.
    pub(super) fn seal(&self, kid: &str, private: &[u8], chance: &dyn Entropy) -> Result<Vec<u8>, OperatorError> {
        let newest = self.signing.first().ok_or_else(|| OperatorError::Keys("no key seals private keys".into()))?;
        let mut nonce = [0; 12];
        chance.fill(&mut nonce);
        Ok(seal_signing_key(&self.issuer, (newest.0, &newest.1), kid, (nonce, private)))
    }

    /// The private key of a row.
    pub(super) fn unseal(&self, row: &KeyRow) -> Result<Zeroizing<Vec<u8>>, OperatorError> {
        open_signing_key(&self.issuer, &self.signing, row)
            .ok_or_else(|| OperatorError::Keys(format!("the key {} can't be opened", row.kid)))
    }
}
