//! `GET …/apis/{api}`.

use axum::Json;
use ficha_core::operator::ApiDetails;
use ficha_types::{ApiName, IssuerName};

use crate::{
    api::{Answer, State},
    extract::Named,
};

pub(crate) async fn get(
    axum::extract::State(operator): State,
    Named((issuer, api)): Named<(IssuerName, ApiName)>,
) -> Answer<ApiDetails> {
    Ok(Json(operator.api(&issuer, &api).await?))
}
