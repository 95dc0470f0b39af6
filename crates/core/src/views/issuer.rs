//! An issuer, ready to serve.

use std::sync::Arc;

use ficha_jose::{HmacKey, JwkSet, SealingKey, SigningKey};
use ficha_types::{ApiName, Audience, IssuerName, UnixSeconds};

use super::{FeedKey, KeyRing, LoadedKey, SecretMemory};
use crate::{
    master::{MasterError, MasterKeys},
    ports::IssuerRows,
    records::{Api, Issuer, KeyRow, SealingPurpose},
};

/// Why an issuer can't be served.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ViewError {
    /// Its keys don't open.
    #[error(transparent)]
    Master(#[from] MasterError),
    /// A row that must be there is not, or can't be read.
    #[error("issuer {0}: {1}")]
    Broken(IssuerName, String),
}

/// An issuer with its APIs and keys as of one moment.
#[derive(Debug)]
pub struct IssuerView {
    /// The declaration.
    pub issuer: Issuer,
    /// What stands in `iss`.
    pub iss: Arc<str>,
    /// Its APIs, by name.
    pub apis: Vec<Arc<Api>>,
    /// Its signing keys.
    pub keys: KeyRing,
    /// Its own not-before mark.
    pub mark: Option<UnixSeconds>,
    /// The number of its last change.
    pub change: i64,
    /// What is remembered of the secrets of each of `apis`.
    api_secrets: Vec<SecretMemory>,
    secret_digests: HmacKey,
    /// What a sealed refresh token is bound to.
    refresh_identity: Box<[u8]>,
    refresh_sealing: Vec<(u16, SealingKey)>,
    live_sealing: Vec<(u16, SealingKey)>,
    feed: Vec<FeedKey>,
}

impl IssuerView {
    /// Opens and parses every key of `rows`.
    ///
    /// # Errors
    /// [`ViewError`] when a key doesn't open, is missing, or a record makes no sense.
    pub fn new(rows: IssuerRows, masters: &MasterKeys) -> Result<Self, ViewError> {
        let name = rows.issuer.name.clone();
        let broken = |what: String| ViewError::Broken(name.clone(), what);
        let iss = rows.issuer.canonical().ok_or_else(|| broken("it has no base URL".into()))?.as_str().into();
        let mut opened = Vec::new();
        for key in &rows.sealing {
            opened.push((key.purpose, key.number, masters.open(&name, key)?));
        }
        opened.sort_by_key(|(_, number, _)| std::cmp::Reverse(*number));
        let of = |purpose| opened.iter().filter(move |(p, _, _)| *p == purpose);
        let sealing = |purpose| of(purpose).map(|(_, n, bytes)| (*n, SealingKey::new(bytes))).collect::<Vec<_>>();
        let missing = |purpose: SealingPurpose| broken(format!("its key for {} is missing", purpose.as_str()));
        let (_, _, digests) =
            of(SealingPurpose::SecretDigests).next().ok_or_else(|| missing(SealingPurpose::SecretDigests))?;
        let signing_sealing = sealing(SealingPurpose::SigningKeys);
        let mut feed = Vec::new();
        for (_, _, seed) in of(SealingPurpose::Feed) {
            feed.push(FeedKey::new(seed).map_err(|e| broken(format!("its key for the feed: {e}")))?);
        }
        let mut keys = Vec::new();
        for row in rows.keys {
            let private = open_signing_key(&name, &signing_sealing, &row)
                .ok_or_else(|| broken(format!("its signing key {} can't be opened", row.kid)))?;
            let signing = SigningKey::from_private(row.algorithm, &private)
                .map_err(|e| broken(format!("its signing key {}: {e}", row.kid)))?;
            keys.push(LoadedKey::new(row, signing));
        }
        Ok(Self {
            iss,
            api_secrets: rows.apis.iter().map(|api| SecretMemory::of(&api.secrets)).collect(),
            apis: rows.apis.into_iter().map(Arc::new).collect(),
            keys: KeyRing::new(keys),
            mark: rows.mark,
            change: rows.change,
            secret_digests: HmacKey::new(&**digests),
            refresh_identity: format!("ficha refresh token\n{name}").into_bytes().into(),
            refresh_sealing: sealing(SealingPurpose::RefreshTokens),
            live_sealing: sealing(SealingPurpose::LiveTokens),
            feed,
            issuer: rows.issuer,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &IssuerName {
        &self.issuer.name
    }

    /// The API of that name.
    #[must_use]
    pub fn api(&self, name: &ApiName) -> Option<&Arc<Api>> {
        self.apis.iter().find(|a| a.name == *name)
    }

    /// The API of that name, whatever the name is, and what is remembered of its secrets.
    pub(crate) fn api_with_secrets(&self, name: &str) -> Option<(&Arc<Api>, &SecretMemory)> {
        self.apis.iter().zip(&self.api_secrets).find(|(api, _)| api.name.as_str() == name)
    }

    /// The API that calls itself so.
    #[must_use]
    pub fn api_of(&self, audience: &str) -> Option<&Arc<Api>> {
        self.apis.iter().find(|a| a.audience.as_str() == audience)
    }

    /// As [`Self::api_of`], of a checked audience.
    #[must_use]
    pub fn api_for(&self, audience: &Audience) -> Option<&Arc<Api>> {
        self.api_of(audience.as_str())
    }

    /// The digest under which a secret of `owner` (a client's id, an API's name) is kept: HMAC-SHA-256 over issuer, owner and
    /// the secret's SHA-256, lengths first, under a random key of the issuer.
    #[must_use]
    pub fn secret_digest(&self, owner: &str, secret_sha256: &[u8; 32]) -> [u8; 32] {
        secret_digest(&self.secret_digests, self.name(), owner, secret_sha256)
    }

    /// The associated data of every sealed refresh token of this issuer.
    pub(crate) fn refresh_identity(&self) -> &[u8] {
        &self.refresh_identity
    }

    /// The newest key for refresh tokens, with its number.
    pub(crate) fn refresh_sealer(&self) -> Option<&(u16, SealingKey)> {
        self.refresh_sealing.first()
    }

    /// The key for refresh tokens of that number.
    pub(crate) fn refresh_opener(&self, number: u16) -> Option<&SealingKey> {
        self.refresh_sealing.iter().find(|(n, _)| *n == number).map(|(_, key)| key)
    }

    /// The newest key for live tokens, with its number.
    pub(crate) fn live_sealer(&self) -> Option<&(u16, SealingKey)> {
        self.live_sealing.first()
    }

    /// The key that signs the revocation feed, the newest one; none where it was not needed yet.
    #[must_use]
    pub fn feed_key(&self) -> Option<&FeedKey> {
        self.feed.first()
    }

    /// The keys that may have signed the revocation feed, for those who follow it.
    #[must_use]
    pub fn feed_keys(&self) -> JwkSet {
        JwkSet::new(self.feed.iter().filter_map(|key| key.signing.public_jwk(&key.kid)).collect())
    }

    /// The key for live tokens of that number.
    pub(crate) fn live_opener(&self, number: u16) -> Option<&SealingKey> {
        self.live_sealing.iter().find(|(n, _)| *n == number).map(|(_, key)| key)
    }
}

/// See [`IssuerView::secret_digest`].
pub(crate) fn secret_digest(key: &HmacKey, issuer: &IssuerName, owner: &str, secret_sha256: &[u8; 32]) -> [u8; 32] {
    let lengths = [issuer.as_str().len().to_be_bytes(), owner.len().to_be_bytes()];
    let [issuer_len, owner_len] = &lengths;
    key.sign(&[issuer_len, issuer.as_str().as_bytes(), owner_len, owner.as_bytes(), secret_sha256])
}

/// Seals a private key for its row: key number in front, the row's identity as associated data.
pub(crate) fn seal_signing_key(
    issuer: &IssuerName,
    (number, key): (u16, &SealingKey),
    kid: &str,
    (nonce, private): ([u8; 12], &[u8]),
) -> Vec<u8> {
    let mut out = number.to_be_bytes().to_vec();
    out.extend(key.seal(nonce, &signing_key_identity(issuer, kid), private));
    out
}

/// The private key of a row, if this issuer's keys open it.
pub(crate) fn open_signing_key(
    issuer: &IssuerName,
    sealing: &[(u16, SealingKey)],
    row: &KeyRow,
) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    let (number, sealed) = row.sealed.split_first_chunk::<2>()?;
    let (_, key) = sealing.iter().find(|(n, _)| *n == u16::from_be_bytes(*number))?;
    key.open(&signing_key_identity(issuer, row.kid.as_str()), sealed).ok()
}

fn signing_key_identity(issuer: &IssuerName, kid: &str) -> Vec<u8> {
    format!("ficha signing key\n{issuer}\n{kid}").into_bytes()
}
