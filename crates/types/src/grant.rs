//! The ways to get a token.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::BadWord;

/// One way to get a token (RFC 6749 §1.3), by the name that the standard gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 6749 §4.3; RFC 9700 §2.4 advises against it.
    Password,
    /// RFC 6749 §6.
    RefreshToken,
}

impl GrantKind {
    /// Every grant there is.
    pub const ALL: [Self; 3] = [Self::ClientCredentials, Self::Password, Self::RefreshToken];

    /// The standard's name, as in `grant_type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
        }
    }
}

impl FromStr for GrantKind {
    type Err = BadWord;
    fn from_str(s: &str) -> Result<Self, BadWord> {
        Self::ALL
            .into_iter()
            .find(|g| g.as_str() == s)
            .ok_or(BadWord { word: "grant", expected: "client_credentials, password or refresh_token" })
    }
}

impl fmt::Display for GrantKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
