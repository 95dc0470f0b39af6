//! `POST …/tokens/revoke`: one token by its `jti`.

use axum::Json;
use ficha_core::operator::{Ended, RevokeById};
use ficha_types::IssuerName;

use crate::{
    api::{Answer, State},
    extract::{Body, Named, Who},
};

pub(crate) async fn revoke(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named(issuer): Named<IssuerName>,
    Body(which): Body<RevokeById>,
) -> Answer<Ended> {
    Ok(Json(operator.token_revoke(&actor, &issuer, &which).await?))
}
