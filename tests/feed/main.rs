//! The revocation feed end to end: real followers of a real server, over TLS.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking; which Python to take, and how much is measured, stands in the environment"
)]

mod python;
mod site;
mod two_nodes;
mod verifier;
