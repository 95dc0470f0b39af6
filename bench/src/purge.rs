//! The database does not grow with traffic: every table counted before and after very many tokens.

use std::collections::BTreeMap;

use anyhow::Result;
use rusqlite::{Connection, OpenFlags};

use crate::{
    http::{Caller, Same, drive},
    options::Options,
    process::{Cores, pause, pin_generator},
    report::{
        Goal::{AtMost, Told},
        Report,
    },
    site::Site,
};

/// Connections to it.
const FEW: usize = 8;
/// Requests between two looks at the log.
const BATCH: usize = 500_000;
/// How long the server is left alone until what it does by itself is done.
const REST: std::time::Duration = std::time::Duration::from_secs(4);
/// Tables of single rows that the server itself writes: how it is, not what it did. When a secret was last used is one row for each secret,
/// written a while later.
const OWN: [&str; 3] = ["probes", "nodes", "secret_uses"];

/// Issues very many HS256 tokens, each with a refresh token, and counts every table before and after.
///
/// # Errors
/// A server that does not start, a lost connection.
pub(crate) fn measure(site: &Site, options: &Options, report: &mut Report) -> Result<()> {
    pin_generator(Cores::Both)?;
    let requests = options.pick(10_000_000, 100_000);
    let server = site.start(Cores::Both)?;
    let request = site.with_refresh();
    let mut same = Same { request: &request, needle: "\"refresh_token\":\"" };
    // The first one writes when its client's secret was last used.
    drive(&mut Caller::several(FEW, site.address)?, FEW, &mut same)?;
    pause(REST);
    let before = rows(site)?;
    let mut left = requests;
    while left > 0 {
        let batch = left.min(BATCH);
        // A connection ends after a million requests.
        let mut callers = Caller::several(FEW, site.address)?;
        let driven = drive(&mut callers, batch, &mut same)?;
        report.count(batch, driven.errors);
        left -= batch;
        site.take_log()?;
    }
    pause(REST);
    let after = rows(site)?;
    server.stop()?;
    for (table, rows) in &after {
        let grown = rows - before.get(table).copied().unwrap_or(0.0);
        let goal = if OWN.contains(&table.as_str()) { Told } else { AtMost(0.0) };
        report.add(&format!("rows of {table} after {requests} tokens − before"), "", vec![grown], goal);
    }
    Ok(())
}

/// The rows of every table.
fn rows(site: &Site) -> Result<BTreeMap<String, f64>> {
    let database = Connection::open_with_flags(site.data().join("ficha.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut names =
        database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let names = names.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let count =
        |name: &String| database.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get::<_, i64>(0));
    names.into_iter().map(|name| Ok((name.clone(), count(&name)? as f64))).collect()
}
