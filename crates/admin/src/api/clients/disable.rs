//! `POST …/clients/{client}/disable`.

use axum::Json;
use ficha_types::{ClientId, IssuerName};

use crate::{
    api::{Answer, Done, KeepTokens, State},
    extract::{Body, Named, Who},
};

pub(crate) async fn disable(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named((issuer, client)): Named<(IssuerName, ClientId)>,
    Body(KeepTokens { keep_tokens }): Body<KeepTokens>,
) -> Answer<Done> {
    operator.client_disable(&actor, (&issuer, &client), keep_tokens).await?;
    Ok(Json(Done {}))
}
