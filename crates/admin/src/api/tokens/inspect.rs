//! `POST /v1/tokens/inspect`.

use axum::Json;
use ficha_core::operator::Inspection;
use ficha_types::{IssuerName, Secret};
use serde::Deserialize;

use crate::{
    api::{Answer, State},
    extract::{Body, Who},
};

/// A token to look into: `{"token": …, "issuer": …}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InspectRequest {
    /// The token.
    pub token: Secret,
    /// Whose it should be; whichever it is when absent.
    #[serde(default)]
    pub issuer: Option<IssuerName>,
}

pub(crate) async fn inspect(
    axum::extract::State(operator): State,
    _: Who,
    Body(asked): Body<InspectRequest>,
) -> Answer<Inspection> {
    Ok(Json(operator.token_inspect(asked.issuer.as_ref(), asked.token.expose()).await?))
}
