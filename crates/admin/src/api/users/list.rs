//! `GET …/users?after=NAME&limit=N`.

use axum::Json;
use ficha_core::operator::UserSummary;
use ficha_types::IssuerName;

use crate::{
    api::{Answer, State},
    extract::{Named, Paged},
};

pub(crate) async fn list(
    axum::extract::State(operator): State,
    Named(issuer): Named<IssuerName>,
    Paged(page): Paged,
) -> Answer<Vec<UserSummary>> {
    Ok(Json(operator.users(&issuer, page).await?))
}
