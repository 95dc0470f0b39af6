//! A user (resource owner) as declared.

use std::{collections::BTreeMap, fmt};

use ficha_types::{ApiName, ScopeSet, Subject, Username};
use serde::{Deserialize, Serialize};

use super::Status;

/// A person whom the grant `password` involves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// What the person types.
    pub name: Username,
    /// What stands in `sub`: made by ficha, never equal to a `client_id` of the issuer.
    pub sub: Subject,
    /// Whether the person may do anything.
    pub status: Status,
    /// The password's hash.
    pub password: PasswordHash,
    /// The person's permissions, per API.
    pub scopes: BTreeMap<ApiName, ScopeSet>,
    /// A digest of the imported hash that `ficha apply` last took in: the same declaration is known again by it after the
    /// hash was upgraded at a login or the password changed, and neither is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_source: Option<[u8; 32]>,
}

/// A password's hash in the PHC string format, or bcrypt's own (`$2b$…`). Shows itself to nobody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes a hash that [`crate::passwords`] has checked or made.
    #[must_use]
    pub fn new(hash: String) -> Self {
        Self(hash)
    }

    /// The text, for the store and the check.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}
