//! What runs by itself: purging, last uses, key rotation, readiness, gauges.

use std::{sync::Arc, time::Duration};

use ficha_core::{Rules, upkeep::rotate_keys::rotate_due};
use ficha_telemetry::metrics::{Cache, MetricsHandle, Table, metrics};
use tokio_util::sync::CancellationToken;

use crate::{
    ops::{Readiness, Ready},
    wire,
};

/// Rows of each table that one purge removes at most: a short transaction, never in the way of a request.
const PURGE_ROWS: u32 = 500;

/// Runs until `stop`.
pub(crate) async fn run(rules: Arc<Rules>, ready: Ready, exporter: MetricsHandle, stop: CancellationToken) {
    let every = |seconds| {
        let mut timer = tokio::time::interval(Duration::from_secs(seconds));
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        timer
    };
    let (mut second, mut minute, mut hour) = (every(1), every(60), every(3600));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = second.tick() => {
                exporter.run_upkeep();
                gauges(&rules);
                check_store(&rules, &ready).await;
            }
            _ = minute.tick() => {
                purge(&rules).await;
                flush(&rules).await;
            }
            _ = hour.tick() => rotate(&rules).await,
        }
    }
    flush(&rules).await;
}

/// Readiness follows the store: without it only what needs none goes on.
async fn check_store(rules: &Rules, ready: &Ready) {
    let before = ready.get();
    if before == Readiness::Unready {
        return;
    }
    let probed = wire::probe(rules).await;
    rules.outage.note(probed.is_ok(), rules.clock.monotonic());
    let now = match probed {
        Ok(()) => Readiness::Ready,
        Err(error) => {
            if before == Readiness::Ready {
                tracing::error!(%error, "the store takes no writes: only what needs none goes on");
            }
            Readiness::Degraded
        }
    };
    if before == Readiness::Degraded && now == Readiness::Ready {
        tracing::info!("the store takes writes again");
    }
    // Going down meanwhile counts for more.
    ready.change(before, now);
}

async fn purge(rules: &Rules) {
    loop {
        let report = match rules.upkeep.purge(rules.clock.now(), PURGE_ROWS).await {
            Ok(report) => report,
            Err(error) => return tracing::warn!(%error, "expired rows could not be purged"),
        };
        for (table, rows) in &report.rows {
            let label = match *table {
                "live_tokens" => Table::LiveTokens,
                "families" => Table::Families,
                "revocations" => Table::Revocations,
                _ => Table::Changes,
            };
            metrics().rows_purged.add(label, *rows);
        }
        if report.rows.iter().all(|(_, rows)| *rows < u64::from(PURGE_ROWS)) {
            return;
        }
        // Requests go first.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn flush(rules: &Rules) {
    if let Err(error) = rules.secret_uses.flush(&*rules.upkeep).await {
        tracing::warn!(%error, "the last uses of secrets could not be kept");
    }
}

async fn rotate(rules: &Rules) {
    let issuers = match rules.clients.issuers().await {
        Ok(issuers) => issuers,
        Err(error) => return tracing::warn!(%error, "keys that are due could not be looked for"),
    };
    for issuer in issuers {
        if let Err(error) = rotate_due(rules, &issuer.name).await {
            tracing::warn!(issuer = %issuer.name, %error, "keys that are due could not be rotated");
        }
    }
}

fn gauges(rules: &Rules) {
    let (issuers, clients, users) = rules.node.sizes();
    metrics().cache_entries.set_count(Cache::Issuers, issuers);
    metrics().cache_entries.set_count(Cache::Clients, clients);
    metrics().cache_entries.set_count(Cache::Users, users);
    metrics().cache_entries.set_count(Cache::Introspections, rules.introspected.remembered());
    metrics().signing_queue.set_count((), rules.signer.waiting());
    metrics().hashing_queue.set_count((), rules.passwords.waiting());
}
