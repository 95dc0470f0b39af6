//! `GET …/keys/{kid}`.

use axum::Json;
use ficha_core::operator::KeyInfo;
use ficha_types::{IssuerName, Kid};

use crate::{
    api::{Answer, State},
    extract::Named,
};

pub(crate) async fn get(
    axum::extract::State(operator): State,
    Named((issuer, kid)): Named<(IssuerName, Kid)>,
) -> Answer<KeyInfo> {
    Ok(Json(operator.key(&issuer, &kid).await?))
}
