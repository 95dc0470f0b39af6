//! `POST …/tokens/revoke-all`: everything issued until now.

use axum::Json;
use ficha_core::operator::{Ended, Marking};
use ficha_types::IssuerName;

use crate::{
    api::{Answer, State},
    extract::{Body, Named, Who},
};

pub(crate) async fn revoke_all(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named(issuer): Named<IssuerName>,
    Body(whose): Body<Marking>,
) -> Answer<Ended> {
    Ok(Json(operator.token_revoke_all(&actor, &issuer, &whose).await?))
}
