//! A client as it is declared.

use std::collections::{BTreeMap, BTreeSet};

use ficha_types::{ApiName, AuthMethod, ClientId, GrantKind, ScopeSet};
use serde::{Deserialize, Serialize};

use super::{RemovedSecrets, StoredSecret};

/// Whether somebody may do anything at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As usual.
    Enabled,
    /// Refused everywhere; its tokens are inactive.
    Disabled,
}

/// An application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its public name.
    pub id: ClientId,
    /// Whether it may do anything.
    pub status: Status,
    /// At most two live ones.
    pub secrets: Vec<StoredSecret>,
    /// Those that were taken away.
    #[serde(default, skip_serializing_if = "RemovedSecrets::is_empty")]
    pub removed_secrets: RemovedSecrets,
    /// The grants that it may use.
    pub grants: BTreeSet<GrantKind>,
    /// The scopes that it holds, per API; an API that is absent is one that it may not use.
    pub scopes: BTreeMap<ApiName, ScopeSet>,
    /// The methods by which it may authenticate; every one of the dialect's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_methods: Option<BTreeSet<AuthMethod>>,
    /// Whether its id alone is enough for the grant `refresh_token`.
    #[serde(default)]
    pub refresh_without_secret: bool,
    /// Facts about it that a dialect may write into its tokens.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    /// The most requests of it that are under way at once.
    pub max_concurrent: u32,
    /// The most requests of it per second; no limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_second: Option<u32>,
    /// Counts the changes of secrets, scopes and status: a live token belongs to one value of it.
    pub policy: i64,
}
