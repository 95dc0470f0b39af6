//! What may go wrong with a server's machine: it is killed, its disk is full, its database is read-only, damaged or held by
//! somebody else.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits for random times"
)]

mod crash;
mod load;
mod secrets_search;
mod site;
mod store_down;
mod store_unusable;
