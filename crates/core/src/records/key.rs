//! Keys as they are kept: private material sealed under the master key.

use std::fmt;

use ficha_types::{Algorithm, ApiName, Kid, UnixSeconds};
use serde::{Deserialize, Serialize};

/// Where a signing key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Published, not signing yet.
    Next,
    /// Signing.
    Active,
    /// Signs no more; published until the last token that it signed has expired.
    Retiring,
}

/// A signing key of an issuer (or of one API, for HS256).
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Its id in commands, unique in the issuer: `k1`; `k1/refresh` for one that signs refresh tokens under the `kid` `k1`.
    pub kid: Kid,
    /// What it signs by.
    pub algorithm: Algorithm,
    /// The API whose secret it is (HS256), else `None`.
    pub api: Option<ApiName>,
    /// Where it stands in its life.
    pub state: KeyState,
    /// The private key (PKCS#8, or the secret itself), sealed under the issuer's key for [`SealingPurpose::SigningKeys`].
    pub sealed: Vec<u8>,
    /// When it was made and published.
    pub created_at: UnixSeconds,
    /// When it may begin to sign (`Next`), began (`Active`), or stopped (`Retiring`).
    pub since: UnixSeconds,
}

impl KeyRow {
    /// The `kid` of headers and key sets: without what stands behind the slash.
    #[must_use]
    pub fn published_kid(&self) -> &str {
        self.kid.as_str().split('/').next().unwrap_or_default()
    }

    /// Whether it signs refresh tokens: such a key is never published.
    #[must_use]
    pub fn is_for_refresh(&self) -> bool {
        is_for_refresh(&self.kid)
    }
}

/// Whether that is the id of a key that signs refresh tokens.
pub(crate) fn is_for_refresh(kid: &Kid) -> bool {
    kid.as_str().ends_with("/refresh")
}

impl fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRow")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// What a symmetric key of an issuer is for. Each purpose has keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SealingPurpose {
    /// Digests of the secrets of clients and APIs (an HMAC key).
    SecretDigests,
    /// Sealing of refresh tokens.
    RefreshTokens,
    /// Sealing of live tokens in the database.
    LiveTokens,
    /// Sealing of the private signing keys.
    SigningKeys,
    /// The seed of the Ed25519 key that signs the revocation feed.
    Feed,
}

impl SealingPurpose {
    /// Every purpose there is.
    pub const ALL: [Self; 5] =
        [Self::SecretDigests, Self::RefreshTokens, Self::LiveTokens, Self::SigningKeys, Self::Feed];

    /// The word in the store and in the associated data.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SecretDigests => "secret_digests",
            Self::RefreshTokens => "refresh_tokens",
            Self::LiveTokens => "live_tokens",
            Self::SigningKeys => "signing_keys",
            Self::Feed => "feed",
        }
    }
}

/// A symmetric key of 32 bytes, sealed under the master key.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// What it is for.
    pub purpose: SealingPurpose,
    /// Its number among the issuer's keys of that purpose, 1 first; stands in front of what it sealed.
    pub number: u16,
    /// Id of the master key that sealed it.
    pub master: String,
    /// The sealed 32 bytes.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedKey")
            .field("purpose", &self.purpose)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
