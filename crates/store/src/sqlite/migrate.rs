//! The tables of a database file, brought up to date.

use rusqlite::{Connection, TransactionBehavior};

use super::open::OpenFailure;
use crate::migration::Migration;

/// `fich` in the header of the file: whose database it is.
const APPLICATION: i64 = 0x6669_6368;

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "tables", text: include_str!("../../migrations/sqlite/0001_tables.sql") },
    Migration { number: 2, name: "cluster", text: include_str!("../../migrations/sqlite/0002_cluster.sql") },
];

/// What the file says of itself.
struct Found {
    application: i64,
    version: i64,
    objects: i64,
}

/// Brings the tables up to date.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenFailure> {
    let found = Found {
        application: number(connection, "PRAGMA application_id")?,
        version: number(connection, "PRAGMA user_version")?,
        objects: number(connection, "SELECT count(*) FROM sqlite_schema")?,
    };
    if found.application != APPLICATION && (found.application != 0 || found.version != 0 || found.objects != 0) {
        return Err(OpenFailure::NotOurs);
    }
    let known = MIGRATIONS.last().map_or(0, |last| last.number);
    if found.version > known {
        return Err(OpenFailure::Newer { found: found.version, known });
    }
    if found.version > 0 {
        check_done(connection, found.version)?;
    }
    for migration in MIGRATIONS.iter().filter(|m| m.number > found.version) {
        run(connection, migration)?;
    }
    Ok(())
}

/// Fails when what was done is not what this binary would have done.
fn check_done(connection: &Connection, version: i64) -> Result<(), OpenFailure> {
    for migration in MIGRATIONS.iter().filter(|m| m.number <= version) {
        let checksum =
            connection.query_row("SELECT checksum FROM migrations WHERE number = ?1", [migration.number], |row| {
                row.get::<_, String>(0)
            });
        match checksum {
            Ok(checksum) if checksum == migration.checksum() => {}
            Ok(_) | Err(rusqlite::Error::QueryReturnedNoRows) => {
                return Err(OpenFailure::OtherTables { number: migration.number });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn run(connection: &mut Connection, migration: &Migration) -> Result<(), OpenFailure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {}; \
         CREATE TABLE IF NOT EXISTS migrations \
         (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT",
        migration.number
    ))?;
    transaction.execute_batch(migration.text)?;
    transaction.execute(
        "INSERT INTO migrations (number, name, checksum) VALUES (?1, ?2, ?3)",
        (migration.number, migration.name, migration.checksum()),
    )?;
    transaction.commit()?;
    Ok(())
}

fn number(connection: &Connection, question: &str) -> Result<i64, OpenFailure> {
    Ok(connection.query_row(question, [], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_from_one_without_gaps() {
        assert!(MIGRATIONS.iter().map(|m| m.number).eq(1..=i64::try_from(MIGRATIONS.len()).unwrap()));
    }
}
