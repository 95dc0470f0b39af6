//! `DELETE …/clients/{client}/secrets/{secret}`.

use axum::Json;
use ficha_types::{ClientId, IssuerName};

use crate::{
    api::{Answer, Done, State},
    extract::{Named, Who},
};

pub(crate) async fn remove(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named((issuer, client, secret)): Named<(IssuerName, ClientId, String)>,
) -> Answer<Done> {
    operator.client_secret_remove(&actor, (&issuer, &client), &secret).await?;
    Ok(Json(Done {}))
}
