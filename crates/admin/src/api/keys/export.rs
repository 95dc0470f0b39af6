//! `POST …/keys/export`: the secret of an API. A POST, since it leaves a line in the audit.

use axum::Json;
use ficha_core::operator::ExportedKey;
use ficha_types::{ApiName, IssuerName, Kid};
use serde::{Deserialize, Serialize};

use crate::{
    api::{Answer, State},
    extract::{Body, Named, Who},
};

/// Which secret: one of the two is named; the key goes before the API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportRequest {
    /// This key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<Kid>,
    /// The newest key of this API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiName>,
}

pub(crate) async fn export(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named(issuer): Named<IssuerName>,
    Body(asked): Body<ExportRequest>,
) -> Answer<ExportedKey> {
    Ok(Json(operator.key_export(&actor, &issuer, (asked.kid.as_ref(), asked.api.as_ref())).await?))
}
