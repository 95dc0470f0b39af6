//! The ports of ficha-core on SQLite.
//!
//! `backend` is the seam: what is above it (`queries`) stands once for every engine, what is below it (`sqlite`) is an
//! engine's own: threads, locks, pragmas, migrations.

mod backend;
mod queries;
mod sqlite;

pub use sqlite::{OpenError, OpenFailure, OpenOptions, SqliteStore};
