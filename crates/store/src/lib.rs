//! The ports of ficha-core on SQLite and on PostgreSQL.
//!
//! `backend` is the seam: what is above it (`queries`) stands once for every engine, what is below it (`sqlite`,
//! `postgres`) is an engine's own: threads or a pool, locks, pragmas, migrations.

mod backend;
mod carry;
mod migration;
mod postgres;
mod queries;
mod sqlite;

pub use carry::{Carried, CarryError, carry};
pub use postgres::{PostgresError, PostgresFailure, PostgresOptions, PostgresStore};
pub use sqlite::{BackupFacts, Lost, OpenError, OpenFailure, OpenOptions, RestoreError, Restoring, SqliteStore};
