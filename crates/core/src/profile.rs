//! The policies that a dialect names: each is a rule of this crate, the dialect only chooses.

use ficha_types::{Algorithm, AuthMethod, GrantKind, Seconds};

/// What a dialect chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The grants that it knows.
    pub grants: Vec<GrantKind>,
    /// How its clients may prove a secret.
    pub auth_methods: Vec<AuthMethod>,
    /// Whether the grant `refresh_token` takes Basic with an empty secret as the client's id alone, for clients that may.
    pub refresh_by_id_alone: bool,
    /// How an API's tokens are signed when the API does not say.
    pub algorithm: Algorithm,
    /// How long access tokens live when the API does not say.
    pub token_lifetime: Seconds,
    /// Whether the same token is handed out again; fresh ones when absent.
    pub reuse: Option<Reuse>,
    /// Whether and how refresh tokens are issued.
    pub refresh: Option<Refresh>,
    /// How keys are named.
    pub kid: KidStyle,
}

/// Handing out the live token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reuse {
    /// A token with no more than this left is replaced; 0 hands it out to its last second.
    pub min_remaining: Seconds,
}

/// Issuing refresh tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// The grants whose answers carry one.
    pub with: Vec<GrantKind>,
    /// What a use does to it.
    pub mode: RefreshMode,
    /// What it is to its bearer.
    pub form: RefreshForm,
    /// How long one lives.
    pub lifetime: Seconds,
    /// How long its family lives in all.
    pub family_lifetime: Seconds,
    /// How long after its use the predecessor gets the same successor again.
    pub retry_window: Seconds,
}

/// What a use does to a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshMode {
    /// It is spent, and a successor comes.
    Rotate,
    /// It stays, byte for byte, until it expires.
    Keep,
}

/// What a refresh token is to its bearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshForm {
    /// Opaque: sealed facts.
    Sealed,
    /// A JWT, signed by a key of its own that is never published.
    Jwt,
}

/// How keys are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KidStyle {
    /// The RFC 7638 thumbprint.
    Thumbprint,
    /// That many random URL-safe characters.
    Random(usize),
    /// A prefix and a number: `k1`, `k2`, …
    Numbered(String),
}
