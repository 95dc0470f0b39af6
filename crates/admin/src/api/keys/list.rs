//! `GET …/keys`: without their material.

use axum::Json;
use ficha_core::operator::KeyInfo;
use ficha_types::IssuerName;

use crate::{
    api::{Answer, State},
    extract::Named,
};

pub(crate) async fn list(
    axum::extract::State(operator): State,
    Named(issuer): Named<IssuerName>,
) -> Answer<Vec<KeyInfo>> {
    Ok(Json(operator.keys(&issuer).await?))
}
