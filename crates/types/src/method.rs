//! The ways in which a client proves who it is.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::BadWord;

/// A client authentication method that proves a secret, by its name in RFC 7591 §2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// HTTP Basic (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// Members of the body, form or JSON as the dialect reads it (RFC 6749 §2.3.1).
    ClientSecretPost,
}

impl AuthMethod {
    /// Every method there is.
    pub const ALL: [Self; 2] = [Self::ClientSecretBasic, Self::ClientSecretPost];

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
        }
    }
}

impl FromStr for AuthMethod {
    type Err = BadWord;
    fn from_str(s: &str) -> Result<Self, BadWord> {
        Self::ALL.into_iter().find(|m| m.as_str() == s).ok_or(BadWord {
            word: "client authentication method",
            expected: "client_secret_basic or client_secret_post",
        })
    }
}

impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
