//! `GET …/apis/{api}/secrets`: without the secrets themselves.

use axum::Json;
use ficha_core::operator::SecretInfo;
use ficha_types::{ApiName, IssuerName};

use crate::{
    api::{Answer, State},
    extract::Named,
};

pub(crate) async fn list(
    axum::extract::State(operator): State,
    Named((issuer, api)): Named<(IssuerName, ApiName)>,
) -> Answer<Vec<SecretInfo>> {
    Ok(Json(operator.api_secrets(&issuer, &api).await?))
}
