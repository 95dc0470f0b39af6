//! `POST …/keys`: makes successors.

use axum::Json;
use ficha_core::operator::{KeyInfo, KeyScope};
use ficha_types::IssuerName;

use crate::{
    api::{Answer, State},
    extract::{Body, Named, Who},
};

pub(crate) async fn rotate(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named(issuer): Named<IssuerName>,
    Body(scope): Body<KeyScope>,
) -> Answer<Vec<KeyInfo>> {
    Ok(Json(operator.key_rotate(&actor, &issuer, &scope).await?))
}
