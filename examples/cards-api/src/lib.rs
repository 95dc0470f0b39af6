//! An API of cards and users, protected by ficha-verify: a few of the operations that Pomelo's scopes name.
//!
//! The data is made up, lies in memory, and is gone with the process. How the requests come is the server's: it puts a
//! [`Transport`](ficha_verify::Transport) into the extensions of each.

mod cards;
mod data;
mod refusal;
mod users;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use ficha_verify::{FeedOptions, ProtectLayer, Scope, ScopeTable, Seconds, Verifier};

/// Every operation: method, path, and the scope that it needs.
pub const OPERATIONS: [(&str, &str, &str); 7] = [
    ("GET", "/cards", "arg:cards:search-card"),
    ("POST", "/cards", "arg:cards:create-card"),
    ("GET", "/cards/{id}", "arg:cards:get-card"),
    ("POST", "/cards/{id}/activate", "arg:cards:activate-card"),
    ("GET", "/users", "arg:users:search-user"),
    ("POST", "/users", "arg:users:create-user"),
    ("GET", "/users/{id}", "arg:users:get-user"),
];

/// Bytes that a body may have.
const MAX_BODY: usize = 64 * 1024;

/// Whether requests may come without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// Never.
    Refused,
    /// From this machine, for development.
    OnLoopback,
}

/// How the issuer's revocation feed is followed, as the API of this name with this secret: while it can't be, nothing is made
/// or activated any more, and what only reads goes on for two minutes.
///
/// # Panics
/// Never: the scopes of [`OPERATIONS`] are scopes, as the tests find out.
pub fn feed(api_name: &str, secret: String) -> FeedOptions {
    let writes = OPERATIONS.iter().filter(|(method, ..)| *method == "POST").map(|(.., scope)| scope.parse::<Scope>());
    let writes = writes.collect::<Result<_, _>>().expect("the scopes are of the form");
    FeedOptions::with_secret(api_name, secret).allow_stale_for(Seconds::minutes(2)).refuse_at_once(writes)
}

/// The API, for tokens that `verifier` accepts.
///
/// # Panics
/// Never: the rows of [`OPERATIONS`] are of the table's form, as the tests find out.
pub fn router(verifier: Verifier, plain: PlainHttp) -> Router {
    let table = ScopeTable::new(OPERATIONS).expect("the rows are of the table's form");
    let protect = match plain {
        PlainHttp::Refused => ProtectLayer::new(verifier, table),
        PlainHttp::OnLoopback => ProtectLayer::new(verifier, table).allow_loopback_http(),
    };
    Router::new()
        .route("/cards", get(cards::search).post(cards::create))
        .route("/cards/{id}", get(cards::get))
        .route("/cards/{id}/activate", post(cards::activate))
        .route("/users", get(users::search).post(users::create))
        .route("/users/{id}", get(users::get))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(protect)
        .with_state(Arc::new(data::Data::of_the_demo()))
}
