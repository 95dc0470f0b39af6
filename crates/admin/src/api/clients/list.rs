//! `GET …/clients?after=ID&limit=N`.

use axum::Json;
use ficha_core::operator::ClientSummary;
use ficha_types::IssuerName;

use crate::{
    api::{Answer, State},
    extract::{Named, Paged},
};

pub(crate) async fn list(
    axum::extract::State(operator): State,
    Named(issuer): Named<IssuerName>,
    Paged(page): Paged,
) -> Answer<Vec<ClientSummary>> {
    Ok(Json(operator.clients(&issuer, page).await?))
}
