//! `POST …/users/{user}/disable`.

use axum::Json;
use ficha_types::{IssuerName, Username};

use crate::{
    api::{Answer, Done, KeepTokens, State},
    extract::{Body, Named, Who},
};

pub(crate) async fn disable(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named((issuer, user)): Named<(IssuerName, Username)>,
    Body(KeepTokens { keep_tokens }): Body<KeepTokens>,
) -> Answer<Done> {
    operator.user_disable(&actor, (&issuer, &user), keep_tokens).await?;
    Ok(Json(Done {}))
}
