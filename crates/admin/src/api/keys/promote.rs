//! `POST …/keys/{kid}/promote`.

use axum::Json;
use ficha_core::operator::KeyInfo;
use ficha_types::{IssuerName, Kid};

use crate::{
    api::{Answer, State},
    extract::{Named, Who},
};

pub(crate) async fn promote(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named((issuer, kid)): Named<(IssuerName, Kid)>,
) -> Answer<KeyInfo> {
    Ok(Json(operator.key_promote(&actor, &issuer, &kid).await?))
}
