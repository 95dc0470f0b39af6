//! Looking at issuers.

use ficha_types::{IssuerName, UnixSeconds};
use serde::{Deserialize, Serialize};

use super::{ApiSummary, KeyInfo, Operator, OperatorError, keys};
use crate::{ports::Page, records::Issuer};

/// An issuer in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerSummary {
    /// Its name.
    pub name: String,
    /// Its dialect.
    pub dialect: String,
    /// Its base URLs, the canonical one first.
    pub base_urls: Vec<String>,
}

/// An issuer with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerDetails {
    /// The declaration.
    pub issuer: Issuer,
    /// Its not-before mark.
    pub not_before: Option<UnixSeconds>,
    /// Its APIs.
    pub apis: Vec<ApiSummary>,
    /// Its keys, without their material.
    pub keys: Vec<KeyInfo>,
}

impl Operator {
    /// Issuers by name, a page of them.
    ///
    /// # Errors
    /// [`OperatorError::Store`].
    pub async fn issuers(&self, page: Page) -> Result<Vec<IssuerSummary>, OperatorError> {
        let summary = |issuer: Issuer| IssuerSummary {
            name: issuer.name.to_string(),
            dialect: issuer.dialect.to_string(),
            base_urls: issuer.places.iter().map(|p| p.url.to_string()).collect(),
        };
        Ok(self.rules.clients.issuers(page).await?.into_iter().map(summary).collect())
    }

    /// One issuer.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`], [`OperatorError::Store`].
    pub async fn issuer(&self, name: &IssuerName) -> Result<IssuerDetails, OperatorError> {
        let rows = self.rows(name).await?;
        Ok(IssuerDetails {
            not_before: rows.mark,
            apis: rows.apis.iter().map(ApiSummary::of).collect(),
            keys: rows.keys.iter().map(|key| keys::info(key, self.rules.clock.now())).collect(),
            issuer: rows.issuer,
        })
    }
}
