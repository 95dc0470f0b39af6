//! Forward authentication: the gate behind the real proxies, from the configurations that are shipped.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits for other processes"
)]

mod command;
mod follows;
mod fronts;
mod own;
mod process;
mod proxied;
mod restarts;
mod site;
mod upstream;
