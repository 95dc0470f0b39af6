//! `GET /v1/doctor`.

use axum::Json;
use ficha_core::operator::Finding;

use crate::api::{Answer, State};

pub(crate) async fn doctor(axum::extract::State(operator): State) -> Answer<Vec<Finding>> {
    Ok(Json(operator.doctor().await?))
}
