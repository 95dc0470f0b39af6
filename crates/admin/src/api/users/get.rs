//! `GET …/users/{user}`.

use axum::Json;
use ficha_core::operator::UserSummary;
use ficha_types::{IssuerName, Username};

use crate::{
    api::{Answer, State},
    extract::Named,
};

pub(crate) async fn get(
    axum::extract::State(operator): State,
    Named((issuer, user)): Named<(IssuerName, Username)>,
) -> Answer<UserSummary> {
    Ok(Json(operator.user(&issuer, &user).await?))
}
