//! The black box: a real server, started as its users start it and spoken to over HTTP.
//!
//! Every server runs with ficha's own crates at `trace`. When it goes down, its output and its database are searched for every
//! secret, password and token that was used in the process ([`secrets`]): one found fails the test.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits for another process"
)]

mod harness;

pub use harness::*;
