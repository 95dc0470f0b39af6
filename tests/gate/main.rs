//! APIs that are protected: by the gate behind the real proxies, from the configurations that are shipped, and by the program of
//! docs/protect-an-api.md that introspects.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits for other processes"
)]

mod command;
mod follows;
mod fronts;
mod introspected;
mod own;
mod process;
mod proxied;
mod restarts;
mod site;
mod upstream;
