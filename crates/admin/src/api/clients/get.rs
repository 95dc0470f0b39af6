//! `GET …/clients/{client}`.

use axum::Json;
use ficha_core::operator::ClientDetails;
use ficha_types::{ClientId, IssuerName};

use crate::{
    api::{Answer, State},
    extract::Named,
};

pub(crate) async fn get(
    axum::extract::State(operator): State,
    Named((issuer, client)): Named<(IssuerName, ClientId)>,
) -> Answer<ClientDetails> {
    Ok(Json(operator.client(&issuer, &client).await?))
}
