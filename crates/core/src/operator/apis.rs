//! Looking at APIs. They are made by `ficha apply`; their secrets also one by one.

use ficha_types::{ApiName, IssuerName};
use serde::{Deserialize, Serialize};

use super::{
    Operator, OperatorError, SecretInfo,
    act::find_api,
    slots::{dialects, own_lifetime},
};
use crate::records::Api;

/// An API in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiSummary {
    /// Its name.
    pub name: String,
    /// What stands in `aud`.
    pub audience: String,
    /// How its tokens are signed.
    pub algorithm: String,
    /// How many scopes it declares.
    pub scopes: usize,
    /// How many secrets it has.
    pub secrets: usize,
}

/// An API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiDetails {
    /// Its name.
    pub name: String,
    /// What stands in `aud`.
    pub audience: String,
    /// How its tokens are signed.
    pub algorithm: String,
    /// Seconds that its access tokens live.
    pub token_lifetime: i64,
    /// The scopes that it knows, in its order.
    pub scopes: Vec<String>,
    /// Its secrets.
    pub secrets: Vec<SecretInfo>,
}

impl ApiSummary {
    pub(super) fn of(api: &Api) -> Self {
        Self {
            name: api.name.to_string(),
            audience: api.audience.to_string(),
            algorithm: api.algorithm.to_string(),
            scopes: api.scopes.len(),
            secrets: api.secrets.len(),
        }
    }
}

impl Operator {
    /// An issuer's APIs, by name.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`], [`OperatorError::Store`].
    pub async fn apis(&self, issuer: &IssuerName) -> Result<Vec<ApiSummary>, OperatorError> {
        Ok(self.rows(issuer).await?.apis.iter().map(ApiSummary::of).collect())
    }

    /// One API.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`], [`OperatorError::Store`].
    pub async fn api(&self, issuer: &IssuerName, name: &ApiName) -> Result<ApiDetails, OperatorError> {
        let rows = self.rows(issuer).await?;
        let api = find_api(&rows, name)?;
        Ok(ApiDetails {
            name: api.name.to_string(),
            audience: api.audience.to_string(),
            algorithm: api.algorithm.to_string(),
            token_lifetime: api.token_lifetime.unwrap_or_else(|| own_lifetime(&dialects(&self.rules, &rows.issuer))).0,
            scopes: api.scopes.iter().map(ToString::to_string).collect(),
            secrets: self.secret_infos(issuer, name.as_str(), &api.secrets).await?,
        })
    }
}
