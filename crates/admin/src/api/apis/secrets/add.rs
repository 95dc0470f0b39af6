//! `POST …/apis/{api}/secrets`: a generated one is answered this once.

use axum::Json;
use ficha_core::operator::{NewSecret, ShownSecret};
use ficha_types::{ApiName, IssuerName};

use crate::{
    api::{Answer, State},
    extract::{Body, Named, Who},
};

pub(crate) async fn add(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named((issuer, api)): Named<(IssuerName, ApiName)>,
    Body(new): Body<NewSecret>,
) -> Answer<ShownSecret> {
    Ok(Json(operator.api_secret_add(&actor, (&issuer, &api), &new).await?))
}
