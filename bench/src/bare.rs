//! `bare`: the smallest axum handler that reads a form and answers the same bytes; what everything is measured against.

use std::io::Write;

use anyhow::Result;
use axum::{Router, body::Bytes, routing::post};

/// Serves until it is killed; writes its address on a line first.
///
/// # Errors
/// No listener.
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        let bare = Router::new().route("/", post(async |form: Bytes| form));
        Ok(axum::serve(listener, bare).await?)
    })
}
