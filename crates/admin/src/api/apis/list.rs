//! `GET …/apis`.

use axum::Json;
use ficha_core::operator::ApiSummary;
use ficha_types::IssuerName;

use crate::{
    api::{Answer, State},
    extract::Named,
};

pub(crate) async fn list(
    axum::extract::State(operator): State,
    Named(issuer): Named<IssuerName>,
) -> Answer<Vec<ApiSummary>> {
    Ok(Json(operator.apis(&issuer).await?))
}
