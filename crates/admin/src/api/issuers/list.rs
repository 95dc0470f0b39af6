//! `GET /v1/issuers`.

use axum::Json;
use ficha_core::operator::IssuerSummary;

use crate::api::{Answer, State};

pub(crate) async fn list(axum::extract::State(operator): State) -> Answer<Vec<IssuerSummary>> {
    Ok(Json(operator.issuers().await?))
}
