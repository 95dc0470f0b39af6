//! `POST …/users`.

use axum::Json;
use ficha_core::operator::{NewUser, UserSummary};
use ficha_types::IssuerName;

use crate::{
    api::{Answer, State},
    extract::{Body, Named, Who},
};

pub(crate) async fn create(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named(issuer): Named<IssuerName>,
    Body(new): Body<NewUser>,
) -> Answer<UserSummary> {
    Ok(Json(operator.user_add(&actor, &issuer, &new).await?))
}
