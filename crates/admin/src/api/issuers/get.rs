//! `GET /v1/issuers/{issuer}`.

use axum::Json;
use ficha_core::operator::IssuerDetails;
use ficha_types::IssuerName;

use crate::{
    api::{Answer, State},
    extract::Named,
};

pub(crate) async fn get(
    axum::extract::State(operator): State,
    Named(issuer): Named<IssuerName>,
) -> Answer<IssuerDetails> {
    Ok(Json(operator.issuer(&issuer).await?))
}
