//! What an application of a declaration changes, in words: what is shown before it is done.

use serde::{Deserialize, Serialize};

/// What happens to one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It is made.
    Add,
    /// It is altered.
    Change,
}

/// One record that is made or altered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Made or altered.
    pub effect: Effect,
    /// Of which issuer.
    pub issuer: String,
    /// What: `issuer`, `api`, `client`, `user`, `key`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Each altered field in words. Never a secret.
    pub details: Vec<String>,
}

/// Every step of an application, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The steps; none when everything is as declared.
    pub steps: Vec<Step>,
    /// Records that are as declared.
    pub unchanged: usize,
    /// Whether it was done, or only worked out.
    pub applied: bool,
}
