//! Carrying an embedded database over to PostgreSQL: every row of every table in one transaction, or nothing.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::SinkExt;
use rusqlite::types::ValueRef;
use tokio::sync::mpsc;
use tokio_postgres::Client;

use crate::{PostgresError, PostgresOptions, PostgresStore, SqliteStore};

/// Tables that say something of a database or its nodes, not of issuers: the target has its own.
const LEFT: [&str; 5] = ["migrations", "probes", "nodes", "confirmations", "leases"];

/// Bytes that are sent at a time.
const CHUNK: usize = 64 << 10;
/// Chunks that wait to be sent.
const WAITING: usize = 16;

/// Why a database was not carried over. The target is as it was.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// The target can't be used.
    #[error(transparent)]
    Target(#[from] PostgresError),
    /// The target holds something already.
    #[error("{place} is not empty: its table {table} has rows. Name a database of its own")]
    NotEmpty {
        /// The target.
        place: String,
        /// The first table with rows.
        table: String,
    },
    /// A node of ficha runs on the target.
    #[error("a node of ficha runs on {0}: stop it first")]
    InUse(String),
    /// The embedded database can't be read.
    #[error("the embedded database can't be read: {0}")]
    Source(String),
    /// Not every row arrived.
    #[error("of the {from} rows of {table} {to} arrived")]
    Counts {
        /// The table.
        table: String,
        /// Rows that were there.
        from: u64,
        /// Rows that are in the target.
        to: u64,
    },
    /// The target failed on the way.
    #[error("the target failed: {0}")]
    Failed(String),
    /// The connection was lost at the commit: it may be done.
    #[error(
        "the connection was lost while it was being committed: it may be done. Repeat the command: a target that is not empty has everything"
    )]
    OutcomeUnknown,
}

/// A table that was carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Its name.
    pub table: String,
    /// Its rows, as many as before.
    pub rows: u64,
}

/// A table of the embedded database.
#[derive(Debug, Clone)]
struct Table {
    name: String,
    columns: Vec<String>,
    rows: u64,
}

/// Carries all of `from`, which nobody writes meanwhile, over to an empty database. `told` hears how many rows of how many have gone.
///
/// # Errors
/// [`CarryError`]; but for [`CarryError::OutcomeUnknown`] nothing was written.
pub async fn carry(
    from: Arc<SqliteStore>,
    to: &PostgresOptions,
    told: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Vec<Carried>, CarryError> {
    // Makes the tables, and tells what is wrong with the database.
    let place = PostgresStore::open(to).await?.place().to_owned();
    let (client, connection) = to.connect().await?;
    let driven = tokio::spawn(connection);
    let tables = {
        let from = Arc::clone(&from);
        blocking(move || tables(&from)).await?
    };
    let done = in_transaction(&client, (&from, &place), &tables, told).await;
    let done = match done {
        Ok(done) => match client.batch_execute("COMMIT").await {
            Ok(()) => Ok(done),
            Err(error) if error.as_db_error().is_some() => Err(CarryError::Failed(error.to_string())),
            Err(_) => Err(CarryError::OutcomeUnknown),
        },
        // It ends with the connection.
        Err(error) => Err(error),
    };
    drop(client);
    // It ends with the client, unless the server does not answer.
    driven.abort();
    done
}

async fn in_transaction(
    client: &Client,
    (from, place): (&Arc<SqliteStore>, &str),
    tables: &[Table],
    told: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Vec<Carried>, CarryError> {
    client.batch_execute("BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0").await.map_err(failed)?;
    client.batch_execute("LOCK TABLE issuers, counters, notes IN EXCLUSIVE MODE").await.map_err(failed)?;
    let live =
        "SELECT count(*) FROM nodes WHERE seen_at > (extract(epoch FROM clock_timestamp()) * 1000)::INT8 - 10000";
    if count(client, live).await? > 0 {
        return Err(CarryError::InUse(place.to_owned()));
    }
    // What every database has from its first start on, and is another one's here.
    client.batch_execute("DELETE FROM counters WHERE issuer = ''; DELETE FROM notes").await.map_err(failed)?;
    for table in tables {
        if count(client, &format!("SELECT count(*) FROM (SELECT 1 FROM {} LIMIT 1) AS first", table.name)).await? > 0 {
            return Err(CarryError::NotEmpty { place: place.to_owned(), table: table.name.clone() });
        }
    }
    let total = tables.iter().map(|table| table.rows).sum();
    let (mut gone, mut carried) = (0, Vec::new());
    for table in tables {
        let (chunks, mut read) = mpsc::channel::<Result<(Bytes, u64), CarryError>>(WAITING);
        let (source, read_from) = (table.clone(), Arc::clone(from));
        tokio::task::spawn_blocking(move || send(&read_from, &source, &chunks));
        let into = format!("COPY {} ({}) FROM STDIN", table.name, table.columns.join(", "));
        let sink = client.copy_in::<_, Bytes>(&into).await.map_err(failed)?;
        let mut sink = Box::pin(sink);
        while let Some(chunk) = read.recv().await {
            let (bytes, rows) = chunk?;
            sink.send(bytes).await.map_err(failed)?;
            gone += rows;
            told(gone, total);
        }
        sink.as_mut().finish().await.map_err(failed)?;
        let arrived = count(client, &format!("SELECT count(*) FROM {}", table.name)).await?;
        if arrived != table.rows {
            return Err(CarryError::Counts { table: table.name.clone(), from: table.rows, to: arrived });
        }
        carried.push(Carried { table: table.name.clone(), rows: arrived });
    }
    Ok(carried)
}

async fn count(client: &Client, query: &str) -> Result<u64, CarryError> {
    let row = client.query_typed_one(query, &[]).await.map_err(failed)?;
    let rows = row.try_get::<_, i64>(0).map_err(failed)?;
    Ok(u64::try_from(rows).unwrap_or_default())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: tokio_postgres::Error) -> CarryError {
    CarryError::Failed(error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unread(error: rusqlite::Error) -> CarryError {
    CarryError::Source(error.to_string())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CarryError> + Send + 'static,
) -> Result<T, CarryError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(CarryError::Source(e.to_string())))
}

/// Every table that is carried over. Their names and columns are those of the migrations: plain words.
fn tables(from: &SqliteStore) -> Result<Vec<Table>, CarryError> {
    let connection = from.past_the_queues().map_err(unread)?;
    let words = |query: &str| -> Result<Vec<String>, CarryError> {
        let mut query = connection.prepare(query).map_err(unread)?;
        let rows = query.query_map([], |row| row.get(0)).map_err(unread)?;
        rows.collect::<Result<_, _>>().map_err(unread)
    };
    let mut tables = Vec::new();
    for name in words("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")?
    {
        if LEFT.contains(&name.as_str()) {
            continue;
        }
        let columns = words(&format!("SELECT name FROM pragma_table_info('{name}') ORDER BY cid"))?;
        let rows = connection.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get::<_, i64>(0));
        let rows = u64::try_from(rows.map_err(unread)?).unwrap_or_default();
        tables.push(Table { name, columns, rows });
    }
    Ok(tables)
}

/// Reads a table and hands its rows on, in the form that `COPY` reads. What went wrong is the last thing that it hands on.
fn send(from: &SqliteStore, table: &Table, chunks: &mpsc::Sender<Result<(Bytes, u64), CarryError>>) {
    let read = || -> Result<(), CarryError> {
        let connection = from.past_the_queues().map_err(unread)?;
        let mut query =
            connection.prepare(&format!("SELECT {} FROM {}", table.columns.join(", "), table.name)).map_err(unread)?;
        let mut rows = query.query([]).map_err(unread)?;
        let (mut chunk, mut n) = (Vec::with_capacity(2 * CHUNK), 0);
        // Who waits for them may have gone.
        let hand_on = |chunk: &mut Vec<u8>, n: u64| chunks.blocking_send(Ok((std::mem::take(chunk).into(), n))).is_ok();
        while let Some(row) = rows.next().map_err(unread)? {
            for column in 0..table.columns.len() {
                if column > 0 {
                    chunk.push(b'\t');
                }
                write(&mut chunk, row.get_ref(column).map_err(unread)?, &table.name)?;
            }
            chunk.push(b'\n');
            n += 1;
            if chunk.len() >= CHUNK && !hand_on(&mut chunk, std::mem::take(&mut n)) {
                return Ok(());
            }
        }
        hand_on(&mut chunk, n);
        Ok(())
    };
    if let Err(error) = read() {
        // Likewise.
        let _ = chunks.blocking_send(Err(error));
    }
}

/// A value in the text form of `COPY` (PostgreSQL, "File Formats").
fn write(out: &mut Vec<u8>, value: ValueRef<'_>, table: &str) -> Result<(), CarryError> {
    match value {
        ValueRef::Null => out.extend_from_slice(b"\\N"),
        ValueRef::Integer(n) => out.extend_from_slice(n.to_string().as_bytes()),
        ValueRef::Real(_) => return Err(CarryError::Source(format!("a broken number in {table}"))),
        ValueRef::Text(text) => {
            if text.contains(&0) || str::from_utf8(text).is_err() {
                return Err(CarryError::Source(format!("a text in {table} that PostgreSQL does not take")));
            }
            for byte in text {
                match byte {
                    b'\\' => out.extend_from_slice(b"\\\\"),
                    b'\t' => out.extend_from_slice(b"\\t"),
                    b'\n' => out.extend_from_slice(b"\\n"),
                    b'\r' => out.extend_from_slice(b"\\r"),
                    byte => out.push(*byte),
                }
            }
        }
        ValueRef::Blob(bytes) => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\\\x");
            let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            out.extend(nibbles.filter_map(|nibble| HEX.get(usize::from(nibble))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_copy_reads_them() {
        let written = |value| {
            let mut out = Vec::new();
            write(&mut out, value, "t").map(|()| String::from_utf8(out).unwrap())
        };
        assert_eq!(written(ValueRef::Null).unwrap(), r"\N");
        assert_eq!(written(ValueRef::Integer(-7)).unwrap(), "-7");
        assert_eq!(written(ValueRef::Text("a\tb\\N\nñ".as_bytes())).unwrap(), r"a\tb\\N\nñ");
        assert_eq!(written(ValueRef::Blob(&[0, 0xab, 0xff])).unwrap(), r"\\x00abff");
        assert!(written(ValueRef::Text(b"a\0b")).is_err());
        assert!(written(ValueRef::Real(1.5)).is_err());
    }
}
