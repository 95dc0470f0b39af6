//! The revocation feed is followed over TLS, with signatures: what comes is applied, and what was cut, held back, replayed,
//! moved, forged or is another's is not, and is noticed.

mod rule;
mod server;
mod stream;

use ficha_verify::Verifier;
use serde_json::json;
use server::{Connection, Server};

use crate::vouch::{claims, token, with};

/// A verifier that has heard a snapshot of nothing at change 5, and the connection on which it did.
async fn following(server: &mut Server) -> (Verifier, Connection) {
    let verifier = server.follows(Server::options());
    let connection = server.connection().await;
    connection.say(server.snapshot(5, &json!([])));
    heard(&verifier, 1).await;
    (verifier, connection)
}

/// Waits until so many events were taken.
async fn heard(verifier: &Verifier, events: u64) {
    until(|| verifier.feed_status().unwrap().events >= events).await;
}

async fn until(done: impl Fn() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), waiting).await.expect("it is done at some time");
}

/// A good token with this id.
fn named(server: &Server, jti: &str) -> String {
    token("k", &with(claims(&server.url), &json!({ "jti": jti })))
}
