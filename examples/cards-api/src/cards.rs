//! Cards.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use ficha_verify::Claims;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    data::{CardType, Data},
    refusal::{Body, Refusal},
};

#[derive(Deserialize)]
pub(crate) struct Search {
    user_id: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct NewCard {
    user_id: String,
    card_type: CardType,
}

/// `GET /cards`, of one user with `?user_id=`.
pub(crate) async fn search(
    State(data): State<Arc<Data>>,
    search: Result<Query<Search>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(search) = search?;
    Ok(Json(json!({"data": data.tables().cards(search.user_id.as_deref())})))
}

/// `POST /cards`.
pub(crate) async fn create(
    State(data): State<Arc<Data>>,
    claims: Claims,
    Body(new): Body<NewCard>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let created_by = claims.client_id().or(claims.subject()).unwrap_or_default().to_owned();
    let card = data.tables().add_card(&new.user_id, new.card_type, created_by)?;
    Ok((StatusCode::CREATED, Json(json!({"data": card}))))
}

/// `GET /cards/{id}`.
pub(crate) async fn get(State(data): State<Arc<Data>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!({"data": data.tables().card(&id)?})))
}

/// `POST /cards/{id}/activate`.
pub(crate) async fn activate(State(data): State<Arc<Data>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!({"data": data.tables().activate(&id)?})))
}
