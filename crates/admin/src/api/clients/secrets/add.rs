//! `POST …/clients/{client}/secrets`: a generated one is answered this once.

use axum::Json;
use ficha_core::operator::{NewSecret, ShownSecret};
use ficha_types::{ClientId, IssuerName};

use crate::{
    api::{Answer, State},
    extract::{Body, Named, Who},
};

pub(crate) async fn add(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named((issuer, client)): Named<(IssuerName, ClientId)>,
    Body(new): Body<NewSecret>,
) -> Answer<ShownSecret> {
    Ok(Json(operator.client_secret_add(&actor, (&issuer, &client), &new).await?))
}
