//! The tables of a database file, brought up to date.

use rusqlite::{Connection, TransactionBehavior};

use super::open::OpenFailure;
use crate::migration::Migration;

/// `fich` in the header of the file: whose database it is.
const APPLICATION: i64 = 0x6669_6368;

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "tables", text: include_str!("../../migrations/sqlite/0001_tables.sql") },
    Migration { number: 2, name: "cluster", text: include_str!("../../migrations/sqlite/0002_cluster.sql") },
    Migration { number: 3, name: "feed", text: include_str!("../../migrations/sqlite/0003_feed.sql") },
];

/// What the file says of itself.
struct Found {
    application: i64,
    version: i64,
    objects: i64,
}

/// Brings the tables up to date.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenFailure> {
    let found = found(connection)?;
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

/// Fails unless the tables are there, as this binary or the one before it made them.
pub(super) fn check(connection: &Connection) -> Result<(), OpenFailure> {
    let found = found(connection)?;
    if found.application != APPLICATION || found.version < 1 {
        return Err(OpenFailure::NotOurs);
    }
    let known = MIGRATIONS.last().map_or(0, |last| last.number);
    if found.version > known {
        return Err(OpenFailure::Newer { found: found.version, known });
    }
    check_done(connection, found.version)
}

/// The first table, index, view or trigger that the migrations did not make, or made otherwise.
pub(super) fn foreign(connection: &Connection) -> Result<Option<String>, OpenFailure> {
    let version = found(connection)?.version;
    let mut own = Connection::open_in_memory()?;
    for migration in MIGRATIONS.iter().filter(|m| m.number <= version) {
        run(&mut own, migration)?;
    }
    let (there, own) = (objects(connection)?, objects(&own)?);
    let differs = there.iter().find(|object| !own.contains(object)).or_else(|| own.iter().find(|o| !there.contains(o)));
    Ok(differs.map(|(kind, name, _)| format!("the {kind} {name}")))
}

/// Kind, name and text of everything that the database defines.
fn objects(connection: &Connection) -> Result<Vec<(String, String, Option<String>)>, OpenFailure> {
    let mut query = connection.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn found(connection: &Connection) -> Result<Found, OpenFailure> {
    Ok(Found {
        application: number(connection, "PRAGMA application_id")?,
        version: number(connection, "PRAGMA user_version")?,
        objects: number(connection, "SELECT count(*) FROM sqlite_schema")?,
    })
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
