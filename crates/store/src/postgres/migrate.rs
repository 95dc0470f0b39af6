//! The tables of a database that many nodes use: brought up to date by whoever comes first, while the others serve.

use std::{collections::BTreeMap, time::Duration};

use tokio_postgres::{
    Client, Config, Error,
    error::SqlState,
    types::{ToSql, Type},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::{PostgresFailure, whole};
use crate::migration::Migration;

/// `ficha` as a number: the lock of whoever changes the tables.
const LOCK: i64 = 0x66_6963_6861;

/// How long the whole may take, the wait for another node's turn included.
const PATIENCE: Duration = Duration::from_mins(2);

/// A change of a table waits this long for those who use it, and tries again: behind it everybody waits.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '1s'";

/// How often.
const ATTEMPTS: usize = 30;

/// A migration, and which programs it leaves working: those that know all migrations up to this number.
struct Suited {
    migration: Migration,
    suits: i64,
}

const MIGRATIONS: &[Suited] = &[
    Suited {
        migration: Migration {
            number: 1,
            name: "tables",
            text: include_str!("../../migrations/postgres/0001_tables.sql"),
        },
        suits: 1,
    },
    Suited {
        migration: Migration {
            number: 2,
            name: "cluster",
            text: include_str!("../../migrations/postgres/0002_cluster.sql"),
        },
        suits: 2,
    },
    Suited {
        migration: Migration { number: 3, name: "feed", text: include_str!("../../migrations/postgres/0003_feed.sql") },
        suits: 2,
    },
];

/// What was done to the tables.
struct Done {
    checksum: String,
    suits: i64,
}

/// Brings the tables up to date. No statement has a name: this may be a pooler that lends a connection for a transaction only.
pub(super) async fn migrate(config: &Config, tls: MakeRustlsConnect) -> Result<(), PostgresFailure> {
    let (client, connection) = config.connect(tls).await.map_err(|e| PostgresFailure::of(&e))?;
    let driven = tokio::spawn(connection);
    let ended = tokio::time::timeout(PATIENCE, brought_up_to_date(&client)).await;
    drop(client);
    // It ends with the client, unless the server does not answer.
    driven.abort();
    ended.unwrap_or_else(|_| Err(PostgresFailure::Migration("another node or a long transaction is in the way".into())))
}

async fn brought_up_to_date(client: &Client) -> Result<(), PostgresFailure> {
    check_fitness(client).await?;
    // Usually there is nothing to do: then neither a lock nor the right to change tables is needed.
    if missing(client).await?.is_empty() {
        return Ok(());
    }
    let mut attempt = 1;
    loop {
        match changed(client).await {
            Err(Tried::Busy) if attempt < ATTEMPTS => attempt += 1,
            Err(Tried::Busy) => {
                let why = "its tables are in use by a long transaction: end that one and start again";
                return Err(PostgresFailure::Migration(why.to_owned()));
            }
            Err(Tried::Failed(why)) => return Err(why),
            Ok(()) => return Ok(()),
        }
    }
}

/// What a commit promises is the server's to keep: it must be set up to.
async fn check_fitness(client: &Client) -> Result<(), PostgresFailure> {
    let asked = "SELECT current_setting('server_version_num')::INT8, current_setting('server_encoding'), \
                 current_setting('synchronous_commit')";
    let row = client.query_typed_one(asked, &[]).await.map_err(|e| PostgresFailure::of(&e))?;
    let read = |e: Error| PostgresFailure::Unreachable(whole(&e));
    let (version, encoding, commit): (i64, String, String) =
        (row.try_get(0).map_err(read)?, row.try_get(1).map_err(read)?, row.try_get(2).map_err(read)?);
    if version < 130_000 {
        return Err(PostgresFailure::Unfit(format!("it is PostgreSQL {}: ficha needs 13 or later", version / 10_000)));
    }
    if encoding != "UTF8" {
        return Err(PostgresFailure::Unfit(format!("its encoding is {encoding}: create it with ENCODING 'UTF8'")));
    }
    if commit == "off" {
        let why = "synchronous_commit is off there, so what is answered could be lost: turn it on";
        return Err(PostgresFailure::Unfit(why.to_owned()));
    }
    Ok(())
}

enum Tried {
    /// A table is in use.
    Busy,
    Failed(PostgresFailure),
}

impl From<Error> for Tried {
    fn from(error: Error) -> Self {
        let busy = [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED];
        match error.code() {
            Some(code) if busy.contains(code) => Self::Busy,
            Some(_) => Self::Failed(PostgresFailure::Migration(whole(&error))),
            None => Self::Failed(PostgresFailure::Unreachable(whole(&error))),
        }
    }
}

/// Does what is missing, all or nothing.
async fn changed(client: &Client) -> Result<(), Tried> {
    let done = in_transaction(client).await;
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = client.batch_execute(end).await;
    done?;
    Ok(ended?)
}

async fn in_transaction(client: &Client) -> Result<(), Tried> {
    client.batch_execute("BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await?;
    client.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    // Whoever came first may have done it.
    let missing = missing(client).await.map_err(Tried::Failed)?;
    client.batch_execute(LOCK_TIMEOUT).await?;
    client
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL, \
             checksum TEXT NOT NULL, suits BIGINT NOT NULL)",
        )
        .await?;
    for Suited { migration, suits } in missing {
        client.batch_execute(migration.text).await?;
        let row = "INSERT INTO migrations (number, name, checksum, suits) VALUES ($1, $2, $3, $4)";
        let Migration { number, name, .. } = migration;
        let checksum = migration.checksum();
        let values: [(&(dyn ToSql + Sync), Type); 4] =
            [(number, Type::INT8), (name, Type::TEXT), (&checksum, Type::TEXT), (suits, Type::INT8)];
        client.execute_typed(row, &values).await?;
    }
    Ok(())
}

/// The migrations that are still to be done. Fails when the tables are not what this program can use.
async fn missing(client: &Client) -> Result<Vec<&'static Suited>, PostgresFailure> {
    let failed = |e: Error| PostgresFailure::of(&e);
    let tables = "SELECT to_regclass('migrations') IS NOT NULL, count(*) FROM pg_tables \
                  WHERE schemaname = current_schema()";
    let row = client.query_typed_one(tables, &[]).await.map_err(failed)?;
    let (ours, tables): (bool, i64) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
    if !ours {
        return if tables == 0 { Ok(MIGRATIONS.iter().collect()) } else { Err(PostgresFailure::NotOurs) };
    }
    let rows = client.query_typed("SELECT number, checksum, suits FROM migrations", &[]).await;
    let rows = rows.map_err(|e| match e.code() {
        Some(code) if *code == SqlState::UNDEFINED_COLUMN => PostgresFailure::NotOurs,
        Some(_) | None => PostgresFailure::of(&e),
    })?;
    let mut done = BTreeMap::new();
    for row in &rows {
        let (number, checksum, suits): (i64, _, _) =
            (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?, row.try_get(2).map_err(failed)?);
        done.insert(number, Done { checksum, suits });
    }
    compare(&done)
}

fn compare(done: &BTreeMap<i64, Done>) -> Result<Vec<&'static Suited>, PostgresFailure> {
    let known = MIGRATIONS.last().map_or(0, |last| last.migration.number);
    if let Some((&found, _)) = done.iter().rfind(|(number, done)| **number > known && done.suits > known) {
        return Err(PostgresFailure::Newer { found, known });
    }
    let mut missing = Vec::new();
    for suited in MIGRATIONS {
        let number = suited.migration.number;
        match done.get(&number) {
            None => missing.push(suited),
            Some(done) if done.checksum == suited.migration.checksum() => {}
            Some(_) => return Err(PostgresFailure::OtherTables { number }),
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::migrate::MIGRATIONS as SQLITE;

    #[test]
    fn both_engines_have_migrations_of_the_same_numbers_and_names() {
        let here = MIGRATIONS.iter().map(|m| (m.migration.number, m.migration.name));
        assert!(here.eq(SQLITE.iter().map(|m| (m.number, m.name))));
    }

    #[test]
    fn each_migration_suits_a_program_that_knows_it() {
        assert!(MIGRATIONS.iter().all(|m| m.suits <= m.migration.number));
    }
}
