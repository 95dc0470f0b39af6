//! A token request, read and checked: what a dialect's parser makes of the bytes.

use std::net::IpAddr;

use ficha_types::{AuthMethod, GrantKind, ScopeSet, Secret, Username};

/// Who asks, and how that was shown.
#[derive(Debug)]
pub enum Credentials {
    /// Nothing at all.
    None,
    /// A client's id alone: in the body, or Basic with an empty secret.
    Id(String),
    /// An id and a secret. Basic gives two readings where the header holds `%` or `+`: as it stands, then form-decoded
    /// (RFC 6749 §2.3.1); the body gives one.
    Secret {
        /// How it came.
        method: AuthMethod,
        /// At least one reading.
        readings: Vec<Reading>,
    },
}

/// One reading of an id and a secret.
#[derive(Debug)]
pub struct Reading {
    /// What may be a client's id, not checked yet: one that can't be is an unknown client.
    pub id: String,
    /// The secret, not empty.
    pub secret: Secret,
}

/// Which API is asked for: `audience` and `resource` (RFC 8707), as they were sent.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Target {
    /// `audience`.
    pub audience: Option<String>,
    /// `resource`, each that was sent.
    pub resources: Vec<String>,
}

/// One variant per grant, with that grant's fields and no others.
#[derive(Debug)]
pub enum GrantRequest {
    /// RFC 6749 §4.4.
    ClientCredentials {
        /// The scope asked for.
        scope: Option<ScopeSet>,
        /// The API asked for.
        target: Target,
    },
    /// RFC 6749 §4.3.
    Password {
        /// The user's name, as typed; `None` when it can't be one, which is an unknown user.
        username: Option<Username>,
        /// The password.
        password: Secret,
        /// The scope asked for.
        scope: Option<ScopeSet>,
        /// The API asked for.
        target: Target,
    },
    /// RFC 6749 §6.
    RefreshToken {
        /// The refresh token.
        token: Secret,
        /// The scope asked for: part of the first answer's.
        scope: Option<ScopeSet>,
        /// The API, if named: must be the first answer's.
        target: Target,
    },
}

impl GrantRequest {
    /// Which grant it is.
    #[must_use]
    pub const fn kind(&self) -> GrantKind {
        match self {
            Self::ClientCredentials { .. } => GrantKind::ClientCredentials,
            Self::Password { .. } => GrantKind::Password,
            Self::RefreshToken { .. } => GrantKind::RefreshToken,
        }
    }
}

/// A token request.
#[derive(Debug)]
pub struct TokenRequest {
    /// Who asks.
    pub who: Credentials,
    /// For what.
    pub grant: GrantRequest,
}

/// Where a request came from and when, for guarding.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// The client's address, behind trusted proxies.
    pub address: IpAddr,
    /// [`crate::ports::Clock::monotonic`] at its arrival.
    pub arrived: std::time::Duration,
}
