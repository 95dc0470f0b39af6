//! `POST /v1/apply`.

use axum::Json;
use ficha_core::operator::{Declaration, Plan};
use serde::{Deserialize, Serialize};

use crate::{
    api::{Answer, State},
    extract::{Body, Who},
};

/// What is to be applied.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    /// Issuers as they should be.
    pub declaration: Declaration,
    /// `false` only works out what would change.
    pub carry_out: bool,
}

pub(crate) async fn apply(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Body(asked): Body<ApplyRequest>,
) -> Answer<Plan> {
    Ok(Json(operator.apply(&actor, &asked.declaration, asked.carry_out).await?))
}
