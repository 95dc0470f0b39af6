//! `POST …/users/{user}/enable`.

use axum::Json;
use ficha_types::{IssuerName, Username};

use crate::{
    api::{Answer, Done, State},
    extract::{Named, Who},
};

pub(crate) async fn enable(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named((issuer, user)): Named<(IssuerName, Username)>,
) -> Answer<Done> {
    operator.user_enable(&actor, &issuer, &user).await?;
    Ok(Json(Done {}))
}
