//! `POST …/keys/{kid}/withdraw`.

use axum::Json;
use ficha_core::operator::Withdrawn;
use ficha_types::{IssuerName, Kid};

use crate::{
    api::{Answer, State},
    extract::{Named, Who},
};

pub(crate) async fn withdraw(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named((issuer, kid)): Named<(IssuerName, Kid)>,
) -> Answer<Withdrawn> {
    Ok(Json(operator.key_withdraw(&actor, &issuer, &kid).await?))
}
