//! The routes.

mod apis;
mod apply;
mod backup;
mod clients;
mod doctor;
mod issuers;
mod keys;
mod tokens;
mod users;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    middleware::from_fn,
    routing::{delete, get, post},
};
use ficha_core::operator::Operator;
use http::StatusCode;
use serde::{Deserialize, Serialize};

pub use apply::ApplyRequest;
pub use backup::{BackupLine, BackupRequest};
pub use keys::export::ExportRequest;
pub use tokens::inspect::InspectRequest;
pub use users::password::PasswordRequest;

use crate::Failure;

/// Bytes of the largest body: a declaration with its secrets' digests.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// What every handler answers.
type Answer<T> = Result<Json<T>, Failure>;

/// The operator, as the handlers get it.
type State = axum::extract::State<Arc<Operator>>;

/// Whether what was issued until now may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepTokens {
    /// `true` sets no not-before mark.
    #[serde(default)]
    pub keep_tokens: bool,
}

/// `{}`: done, and nothing to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {}

/// The routes of administration. They trust who reaches them: serve them where only the server's owner can.
pub fn router(operator: Arc<Operator>) -> Router {
    let issuer = Router::new()
        .route("/", get(issuers::get::get))
        .route("/apis", get(apis::list::list))
        .route("/apis/{api}", get(apis::get::get))
        .route("/apis/{api}/secrets", get(apis::secrets::list::list).post(apis::secrets::add::add))
        .route("/apis/{api}/secrets/{secret}", delete(apis::secrets::remove::remove))
        .route("/clients", get(clients::list::list).post(clients::create::create))
        .route("/clients/{client}", get(clients::get::get))
        .route("/clients/{client}/disable", post(clients::disable::disable))
        .route("/clients/{client}/enable", post(clients::enable::enable))
        .route("/clients/{client}/secrets", get(clients::secrets::list::list).post(clients::secrets::add::add))
        .route("/clients/{client}/secrets/{secret}", delete(clients::secrets::remove::remove))
        .route("/users", get(users::list::list).post(users::create::create))
        .route("/users/{user}", get(users::get::get))
        .route("/users/{user}/password", post(users::password::password))
        .route("/users/{user}/disable", post(users::disable::disable))
        .route("/users/{user}/enable", post(users::enable::enable))
        .route("/keys", get(keys::list::list).post(keys::rotate::rotate))
        .route("/keys/export", post(keys::export::export))
        .route("/keys/{kid}", get(keys::get::get))
        .route("/keys/{kid}/promote", post(keys::promote::promote))
        .route("/keys/{kid}/withdraw", post(keys::withdraw::withdraw))
        .route("/tokens/revoke", post(tokens::revoke::revoke))
        .route("/tokens/revoke-all", post(tokens::revoke_all::revoke_all));
    Router::new()
        .route("/v1/issuers", get(issuers::list::list))
        .nest("/v1/issuers/{issuer}", issuer)
        .route("/v1/tokens/inspect", post(tokens::inspect::inspect))
        .route("/v1/apply", post(apply::apply))
        .route("/v1/backup", post(backup::backup))
        .route("/v1/doctor", get(doctor::doctor))
        .fallback(async || Failure::no_route(StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(async || Failure::no_route(StatusCode::METHOD_NOT_ALLOWED))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(crate::failure::log))
        .with_state(operator)
}
