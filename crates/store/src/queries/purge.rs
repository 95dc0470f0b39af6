//! Taking away rows whose time has passed.

use std::collections::BTreeMap;

use ficha_core::ports::PurgeReport;
use ficha_types::{Seconds, UnixSeconds};

use super::revocations;
use crate::backend::{Failure, Query, Session, Value, optional, text};

/// How long changes are kept.
const CHANGES_FOR: Seconds = Seconds::days(1);

static LIVE: Query = Query::new(
    "DELETE FROM live_tokens WHERE (issuer, client, api, fingerprint) IN \
     (SELECT issuer, client, api, fingerprint FROM live_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
);
static FAMILIES: Query = Query::new(
    "DELETE FROM families WHERE (issuer, family) IN \
     (SELECT issuer, family FROM families WHERE keep_until <= $1 ORDER BY keep_until LIMIT $2)",
);
static REVOCATIONS: Query = Query::new(
    "DELETE FROM revocations WHERE (issuer, id, api) IN \
     (SELECT issuer, id, api FROM revocations WHERE until <= $1 ORDER BY until LIMIT $2) RETURNING issuer, client",
);
static CHANGES: Query = Query::new(
    "DELETE FROM changes WHERE (issuer, number) IN \
     (SELECT issuer, number FROM changes WHERE at <= $1 ORDER BY at LIMIT $2)",
);

/// What nodes wrote that have been silent for a day: who crashed said no farewell.
static CONFIRMATIONS: Query = Query::new(
    "DELETE FROM confirmations WHERE (issuer, node) IN (SELECT c.issuer, c.node FROM confirmations c \
     JOIN nodes n ON n.name = c.node WHERE n.seen_at <= $1 ORDER BY c.node, c.issuer LIMIT $2)",
);
static NODES: Query = Query::new(
    "DELETE FROM nodes WHERE name IN (SELECT name FROM nodes WHERE seen_at <= $1 AND NOT EXISTS \
     (SELECT 1 FROM confirmations c WHERE c.node = nodes.name) ORDER BY seen_at LIMIT $2)",
);

/// Takes the counts of those whose revocations go, before these: as who adds one more and folds does.
static HOLD_COUNTS: Query = Query::new(
    "UPDATE revocation_counts SET standing = standing WHERE (issuer, client) IN \
     (SELECT issuer, client FROM revocations WHERE until <= $1 ORDER BY until LIMIT $2)",
);

/// Removes at most `limit` rows of each table; of one table together, of several one after the other.
pub(crate) async fn purge<S: Session>(session: &mut S, now: UnixSeconds, limit: u32) -> Result<PurgeReport, Failure> {
    let most = Value::Int(limit.into());
    let until = |at: UnixSeconds| [Value::Int(at.0), most];
    let live = session.run(&LIVE, &until(now)).await?;
    let families = session.run(&FAMILIES, &until(now)).await?;
    let changes = session.run(&CHANGES, &until(now - CHANGES_FOR)).await?;
    let silent = [Value::Int((now - CHANGES_FOR).0.saturating_mul(1000)), most];
    let confirmations = session.run(&CONFIRMATIONS, &silent).await?;
    let nodes = session.run(&NODES, &silent).await?;
    session.whole().await?;
    session.run(&HOLD_COUNTS, &until(now)).await?;
    let gone = session
        .all(&REVOCATIONS, &until(now), |row| {
            let client = optional(row, 1, |row, column| Ok(row.text(column)?.to_owned()))?;
            Ok((row.text(0)?.to_owned(), client))
        })
        .await?;
    let revoked = u64::try_from(gone.len()).unwrap_or(u64::MAX);
    let mut by_client = BTreeMap::<_, u64>::new();
    for (issuer, client) in gone {
        if let Some(client) = client {
            *by_client.entry((issuer, client)).or_default() += 1;
        }
    }
    for ((issuer, client), gone) in &by_client {
        revocations::less(session, [text(issuer), text(client)], *gone).await?;
    }
    Ok(PurgeReport {
        rows: vec![
            ("live_tokens", live),
            ("families", families),
            ("revocations", revoked),
            ("changes", changes),
            ("nodes", nodes + confirmations),
        ],
    })
}
