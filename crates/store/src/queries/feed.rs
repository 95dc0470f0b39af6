//! Nodes: how they learn of each other's changes, and of each other.

use ficha_core::ports::{Beat, Confirmation, Counters, LIVE_FOR, Lease, Place};
use ficha_types::{IssuerName, NodeName, UnixMillis};

use crate::backend::{Failure, Query, Session, Value, any, text, word};

/// The issuers come as one JSON array: neither engine knows the other's arrays.
static COUNTERS: Query = Query::by_engine(
    "SELECT issuer, change FROM counters WHERE issuer IN (SELECT value FROM json_each($1))",
    "SELECT issuer, change FROM counters WHERE issuer IN (SELECT json_array_elements_text($1::text::json))",
);
static BEAT: Query = Query::by_engine(
    "INSERT INTO nodes (name, seen_at, beats) VALUES ($1, $2, 1) \
     ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, beats = nodes.beats + 1 RETURNING seen_at",
    "INSERT INTO nodes (name, seen_at, beats) \
     VALUES ($1, 0 * $2::bigint + (extract(epoch FROM clock_timestamp()) * 1000)::bigint, 1) \
     ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, beats = nodes.beats + 1 RETURNING seen_at",
);
static LIVE: Query = Query::new("SELECT name FROM nodes WHERE seen_at > $1 ORDER BY name");
static LEAVE: Query = Query::new("DELETE FROM nodes WHERE name = $1");
static FORGET: Query = Query::new("DELETE FROM confirmations WHERE node = $1");
/// The places come as one JSON object, issuer by change.
static CONFIRM: Query = Query::by_engine(
    "INSERT INTO confirmations (issuer, node, change) SELECT key, $1, value FROM json_each($2) WHERE true \
     ON CONFLICT (issuer, node) DO UPDATE SET change = excluded.change WHERE confirmations.change < excluded.change",
    "INSERT INTO confirmations (issuer, node, change) \
     SELECT key, $1::text, value::bigint FROM json_each_text($2::text::json) \
     ON CONFLICT (issuer, node) DO UPDATE SET change = excluded.change WHERE confirmations.change < excluded.change",
);
static CONFIRMATIONS: Query = Query::by_engine(
    "SELECT n.name, c.change FROM confirmations c JOIN nodes n ON n.name = c.node \
     WHERE c.issuer = $1 AND n.seen_at > $2 - $3 ORDER BY n.name",
    "SELECT n.name, c.change FROM confirmations c JOIN nodes n ON n.name = c.node WHERE c.issuer = $1 AND n.seen_at > \
     0 * $2::bigint + (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $3::bigint ORDER BY n.name",
);
static TAKE: Query = Query::by_engine(
    "INSERT INTO leases (name, node, until) VALUES ($1, $2, $3 + $4) \
     ON CONFLICT (name) DO UPDATE SET node = excluded.node, until = excluded.until \
     WHERE leases.node = excluded.node OR leases.until <= $3 RETURNING name",
    "INSERT INTO leases (name, node, until) \
     VALUES ($1, $2, 0 * $3::bigint + (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $4::bigint) \
     ON CONFLICT (name) DO UPDATE SET node = excluded.node, until = excluded.until \
     WHERE leases.node = excluded.node OR leases.until <= excluded.until - $4::bigint RETURNING name",
);

/// The last numbers of those issuers and of the directory, by one statement.
pub(crate) async fn counters<S: Session>(session: &mut S, issuers: &[IssuerName]) -> Result<Counters, Failure> {
    let names: Vec<_> = issuers.iter().map(IssuerName::as_str).chain([""]).collect();
    let names = serde_json::to_string(&names).map_err(|e| Failure::damaged(&e))?;
    let rows = session.all(&COUNTERS, &[text(&names)], |row| Ok((row.text(0)?.to_owned(), row.int(1)?))).await?;
    let mut counters = Counters { directory: 0, issuers: Vec::with_capacity(rows.len()) };
    for (name, change) in rows {
        if name.is_empty() {
            counters.directory = change;
        } else {
            counters.issuers.push((name.parse().map_err(|e: ficha_types::BadWord| Failure::damaged(&e))?, change));
        }
    }
    Ok(counters)
}

/// A sign of life.
pub(crate) async fn beat<S: Session>(session: &mut S, node: &NodeName, now: UnixMillis) -> Result<Beat, Failure> {
    let seen_at = session.first(&BEAT, &[text(node), Value::Int(now.0)], |row| row.int(0)).await?;
    let now = UnixMillis(seen_at.unwrap_or(now.0));
    let live = session.all(&LIVE, &[Value::Int(now.0.saturating_sub(live_for()))], |row| word(row, 0)).await?;
    Ok(Beat { now, live })
}

/// The node goes.
pub(crate) async fn leave<S: Session>(session: &mut S, node: &NodeName) -> Result<(), Failure> {
    session.run(&LEAVE, &[text(node)]).await?;
    session.run(&FORGET, &[text(node)]).await.map(drop)
}

/// The node has applied changes up to those numbers.
pub(crate) async fn confirm<S: Session>(session: &mut S, node: &NodeName, places: &[Place]) -> Result<(), Failure> {
    let places: serde_json::Map<_, _> =
        places.iter().map(|place| (place.issuer.to_string(), place.change.into())).collect();
    let places = serde_json::to_string(&places).map_err(|e| Failure::damaged(&e))?;
    session.run(&CONFIRM, &[text(node), text(&places)]).await.map(drop)
}

/// The live nodes that remember something of the issuer, and how far each has come.
pub(crate) async fn confirmations<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    now: UnixMillis,
) -> Result<Vec<Confirmation>, Failure> {
    let values = [text(issuer), Value::Int(now.0), Value::Int(live_for())];
    session.all(&CONFIRMATIONS, &values, |row| Ok(Confirmation { node: word(row, 0)?, change: row.int(1)? })).await
}

/// Takes the duty, or keeps it.
pub(crate) async fn take_lease<S: Session>(session: &mut S, lease: &Lease, now: UnixMillis) -> Result<bool, Failure> {
    let span = Value::Int(i64::try_from(lease.span.as_millis()).unwrap_or(i64::MAX));
    any(session, &TAKE, &[text(lease.name), text(&lease.node), Value::Int(now.0), span]).await
}

fn live_for() -> i64 {
    i64::try_from(LIVE_FOR.as_millis()).unwrap_or(i64::MAX)
}
