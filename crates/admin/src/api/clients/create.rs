//! `POST …/clients`: with its first secret, which is answered this once when ficha made it.

use axum::Json;
use ficha_core::operator::{NewClient, ShownSecret};
use ficha_types::IssuerName;

use crate::{
    api::{Answer, State},
    extract::{Body, Named, Who},
};

pub(crate) async fn create(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named(issuer): Named<IssuerName>,
    Body(new): Body<NewClient>,
) -> Answer<ShownSecret> {
    Ok(Json(operator.client_add(&actor, &issuer, &new).await?))
}
