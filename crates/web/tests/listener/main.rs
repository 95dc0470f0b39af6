//! The listener over real sockets.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests, their helpers included")]

mod http;
mod shutdown;
mod support;
mod tls;
