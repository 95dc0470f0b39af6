//! Users.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    data::Data,
    refusal::{Body, Refusal},
};

/// Characters that a name may have.
const MAX_NAME: usize = 100;

#[derive(Deserialize)]
pub(crate) struct NewUser {
    name: String,
    surname: String,
}

/// `GET /users`.
pub(crate) async fn search(State(data): State<Arc<Data>>) -> Json<Value> {
    Json(json!({"data": data.tables().users()}))
}

/// `POST /users`.
pub(crate) async fn create(
    State(data): State<Arc<Data>>,
    Body(new): Body<NewUser>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let is_name = |text: &str| {
        (1..=MAX_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control) && text == text.trim()
    };
    if !is_name(&new.name) || !is_name(&new.surname) {
        return Err(Refusal::Invalid(
            "name and surname have 1 to 100 characters, none of control, no space at the ends",
        ));
    }
    let user = data.tables().add_user(new.name, new.surname)?;
    Ok((StatusCode::CREATED, Json(json!({"data": user}))))
}

/// `GET /users/{id}`.
pub(crate) async fn get(State(data): State<Arc<Data>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!({"data": data.tables().user(&id)?})))
}
