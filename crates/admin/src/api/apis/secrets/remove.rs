//! `DELETE …/apis/{api}/secrets/{secret}`.

use axum::Json;
use ficha_types::{ApiName, IssuerName};

use crate::{
    api::{Answer, Done, State},
    extract::{Named, Who},
};

pub(crate) async fn remove(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named((issuer, api, secret)): Named<(IssuerName, ApiName, String)>,
) -> Answer<Done> {
    operator.api_secret_remove(&actor, (&issuer, &api), &secret).await?;
    Ok(Json(Done {}))
}
