//! `POST …/clients/{client}/enable`.

use axum::Json;
use ficha_types::{ClientId, IssuerName};

use crate::{
    api::{Answer, Done, State},
    extract::{Named, Who},
};

pub(crate) async fn enable(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named((issuer, client)): Named<(IssuerName, ClientId)>,
) -> Answer<Done> {
    operator.client_enable(&actor, &issuer, &client).await?;
    Ok(Json(Done {}))
}
