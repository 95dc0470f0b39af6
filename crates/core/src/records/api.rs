//! An API (resource server) as it is declared.

use ficha_types::{Algorithm, ApiName, Audience, Scope, Seconds};
use serde::{Deserialize, Serialize};

use super::{RemovedSecrets, StoredSecret};

/// An API that accepts tokens of one issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Api {
    /// Its name: unique among the issuer's APIs and clients.
    pub name: ApiName,
    /// What stands in `aud`: unique among the issuer's APIs.
    pub audience: Audience,
    /// The scopes that it knows, in the order in which they are written.
    pub scopes: Vec<Scope>,
    /// How long its access tokens live; the dialect's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_lifetime: Option<Seconds>,
    /// The longest lifetime that was ever declared: tokens of that time may still be out.
    #[serde(default)]
    pub longest_lifetime: Seconds,
    /// How its access tokens are signed.
    pub algorithm: Algorithm,
    /// What its access tokens are.
    pub format: TokenFormat,
    /// At most two, for introspection.
    #[serde(default)]
    pub secrets: Vec<StoredSecret>,
    /// Those that were taken away.
    #[serde(default, skip_serializing_if = "RemovedSecrets::is_empty")]
    pub removed_secrets: RemovedSecrets,
}

/// What an access token is to its bearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenFormat {
    /// A signed JWT (RFC 9068, or as the dialect dresses it).
    Jwt,
}

impl Api {
    /// The longest that a token of it may live that was issued at any time; `usual` is the dialect's default.
    #[must_use]
    pub fn longest_life(&self, usual: Seconds) -> Seconds {
        self.token_lifetime.unwrap_or(usual).max(self.longest_lifetime).max(usual)
    }

    /// Whether a token signed by `algorithm` may be one of this API's. Its algorithm may have been changed since: any
    /// asymmetric one counts, but HS256 only where HS256 is declared.
    #[must_use]
    pub fn algorithm_allows(&self, algorithm: Algorithm) -> bool {
        algorithm == self.algorithm || !(algorithm.is_symmetric() || self.algorithm.is_symmetric())
    }
}
