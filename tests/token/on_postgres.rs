//! What a client and an API see at the endpoints for tokens, with everything kept in PostgreSQL.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod client_auth;
mod client_credentials;
mod introspect;
mod keys;
mod log;
mod not_before;
mod password;
mod refresh_token;
mod reuse;
mod revoke;
mod routes;
mod scope;
mod transport;
mod world;

/// Where the servers of these tests keep everything.
const ENGINE: ficha_tests::Engine = ficha_tests::Engine::Postgres;
