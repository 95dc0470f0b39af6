//! `GET …/clients/{client}/secrets`: without the secrets themselves.

use axum::Json;
use ficha_core::operator::SecretInfo;
use ficha_types::{ClientId, IssuerName};

use crate::{
    api::{Answer, State},
    extract::Named,
};

pub(crate) async fn list(
    axum::extract::State(operator): State,
    Named((issuer, client)): Named<(IssuerName, ClientId)>,
) -> Answer<Vec<SecretInfo>> {
    Ok(Json(operator.client_secrets(&issuer, &client).await?))
}
