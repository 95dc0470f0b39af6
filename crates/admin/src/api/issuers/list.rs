//! `GET /v1/issuers?after=NAME&limit=N`.

use axum::Json;
use ficha_core::operator::IssuerSummary;

use crate::{
    api::{Answer, State},
    extract::Paged,
};

pub(crate) async fn list(axum::extract::State(operator): State, Paged(page): Paged) -> Answer<Vec<IssuerSummary>> {
    Ok(Json(operator.issuers(page).await?))
}
