//! Administration over the Unix socket, as the commands speak it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acts;
mod audit;
mod refusals;
mod socket;

use std::sync::Arc;

use ficha_tests::{Answer, Config, Server, Shared};
use serde_json::Value;

static SHARED: Shared<Server> = Shared::new();

/// A server with one issuer, `acme`, with one API, `cards`.
fn server() -> Arc<Server> {
    SHARED.get(own_server)
}

/// Such a server that nobody else administers.
fn own_server() -> Server {
    let server = Server::serve(Config::new());
    server.apply(
        "[[issuer]]\nname = \"acme\"\ndialect = \"standard\"\nbase_urls = [\"https://localhost:8443/acme\"]\n\
         [[issuer.api]]\nname = \"cards\"\naudience = \"https://cards.example\"\nscopes = [\"cards:read\"]\n",
    );
    server
}

/// The answer to a request over the socket, with a body where there is one.
fn ask(server: &Server, line: &str, body: &Value) -> Answer {
    server.administer(line, body)
}
