//! Every command, as a person types it and as a program reads it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod api;
mod apply;
mod backup;
mod client;
mod dev;
mod dialect;
mod doctor;
mod issuer;
mod json;
mod key;
mod master_key;
mod offline;
mod postgres;
mod serve;
mod site;
mod token;
mod user;
mod wrong_use;
