//! What runs by itself: purging, last uses, key rotation, readiness, gauges.

use std::{sync::Arc, time::Duration};

use ficha_core::{
    Rules,
    ports::{Lease, Page, StoreError},
    upkeep::rotate_keys::rotate_due,
};
use ficha_oauth::Face;
use ficha_telemetry::metrics::{Cache, MetricsHandle, Table, metrics};
use tokio_util::sync::CancellationToken;

use crate::ops::{Readiness, Ready};

/// Rows of each table that one purge removes at most: a short transaction, never in the way of a request.
const PURGE_ROWS: u32 = 500;

/// Issuers whose keys are looked at before requests go first.
const ISSUERS: u32 = 50;

/// Runs until `stop`.
pub(crate) async fn run(
    (rules, face): (Arc<Rules>, Face),
    ready: Ready,
    exporter: MetricsHandle,
    stop: CancellationToken,
) {
    let rotation = tokio::spawn(rotate(rules.clone(), stop.clone()));
    let every = |seconds| {
        let mut timer = tokio::time::interval(Duration::from_secs(seconds));
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        timer
    };
    let (mut second, mut minute) = (every(1), every(60));
    // Signs of life don't wait for what takes its time.
    let watch = async {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = second.tick() => {
                    exporter.run_upkeep();
                    gauges(&rules, &face);
                    check_store(&rules, &ready).await;
                }
            }
        }
    };
    let work = async {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = minute.tick() => {
                    purge(&rules).await;
                    flush(&rules).await;
                }
            }
        }
    };
    tokio::join!(watch, work);
    flush(&rules).await;
    // It stops between two issuers.
    let _ = rotation.await;
    if let Err(error) = rules.feed.store().leave(rules.feed.me()).await {
        tracing::warn!(%error, "the other nodes could not be told that this one goes");
    }
}

/// Goes on once this node can serve. Who starts while the store is away waits for it, and says so.
pub(crate) async fn until_ready(rules: &Rules, ready: &Ready) {
    let mut told = false;
    loop {
        check_store(rules, ready).await;
        if ready.get() != Readiness::Unready || ready.is_going() {
            return;
        }
        if rules.feed.clock_is_off() && !std::mem::replace(&mut told, true) {
            tracing::error!(off = ?rules.feed.clock_off(), "waiting: the clock of this node is too far from the database's");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Readiness follows the store: without it only what needs none goes on.
async fn check_store(rules: &Rules, ready: &Ready) {
    if ready.is_going() {
        return;
    }
    let before = ready.get();
    let was_away = rules.outage.lasts(|| rules.clock.monotonic()).is_some();
    let beat = rules.feed.beat(&rules.node).await;
    rules.outage.note(beat.is_ok(), rules.clock.monotonic());
    if let Err(error) = &beat
        && before == Readiness::Ready
    {
        tracing::error!(%error, "the store takes no writes: only what needs none goes on");
    }
    let now = readiness(rules, beat.is_ok());
    if now == Readiness::Unready && before != now {
        if rules.feed.clock_is_off() {
            tracing::error!(off = ?rules.feed.clock_off(), "the clock of this node is too far from the database's: it issues nothing");
        } else if before == Readiness::Degraded {
            tracing::error!(
                "the store has taken no writes for longer than any issuer's outage_grace: nothing is issued"
            );
        }
    }
    if (was_away || before == Readiness::Degraded) && now == Readiness::Ready {
        tracing::info!("the store takes writes again");
    }
    // Going down meanwhile counts for more.
    ready.change(now);
}

/// What can be served right now.
fn readiness(rules: &Rules, writes: bool) -> Readiness {
    let feed = &rules.feed;
    let grace = rules.node.longest_grace().map(|grace| Duration::from_secs(u64::try_from(grace.0).unwrap_or(0)));
    if feed.is_alone() {
        return alone(rules.outage.lasts(|| rules.clock.monotonic()), grace);
    }
    match feed.lag() {
        // It has never seen the feed, nothing goes on without the store any more, or it would date what it issues wrong.
        None => Readiness::Unready,
        Some(lag) if feed.is_away() && lag >= grace.unwrap_or_default() => Readiness::Unready,
        Some(_) if feed.clock_is_off() => Readiness::Unready,
        Some(_) if writes && !feed.is_away() => Readiness::Ready,
        Some(_) => Readiness::Degraded,
    }
}

/// The same with a store of its own, which has taken no writes for as long as `away`.
fn alone(away: Option<Duration>, grace: Option<Duration>) -> Readiness {
    match (away, grace) {
        (None, _) => Readiness::Ready,
        (Some(away), Some(grace)) if away >= grace => Readiness::Unready,
        // Whichever issuer is asked for first can still be read.
        (Some(_), _) => Readiness::Degraded,
    }
}

/// Whether this node has the duty of that name from now on until twice `every` has passed: one node at a time.
async fn has_duty(rules: &Rules, name: &'static str, every: Duration) -> bool {
    if rules.feed.is_alone() {
        return true;
    }
    let lease = Lease { name, node: rules.feed.me().clone(), span: every * 2 };
    rules.feed.store().take_lease(&lease, rules.clock.now_ms()).await.unwrap_or_else(|error| {
        tracing::warn!(%error, duty = name, "whose duty it is could not be settled");
        false
    })
}

async fn purge(rules: &Rules) {
    if !has_duty(rules, "purge", Duration::from_mins(1)).await {
        return;
    }
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
                "nodes" => Table::Nodes,
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

/// Each hour lets the keys of every issuer take their turns.
async fn rotate(rules: Arc<Rules>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if has_duty(&rules, "rotate", Duration::from_hours(1)).await
            && let Err(error) = rotate_all(&rules, &stop).await
        {
            tracing::warn!(%error, "keys that are due could not be looked for");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_hours(1)) => {}
        }
    }
}

/// A few issuers at a time, never in the way of requests.
async fn rotate_all(rules: &Rules, stop: &CancellationToken) -> Result<(), StoreError> {
    let mut page = Page { after: String::new(), limit: ISSUERS };
    loop {
        let issuers = rules.clients.issuers(page.clone()).await?;
        let Some(last) = issuers.last() else { return Ok(()) };
        page.after = last.name.to_string();
        for issuer in issuers {
            if stop.is_cancelled() {
                return Ok(());
            }
            if let Err(error) = rotate_due(rules, &issuer.name).await {
                tracing::warn!(issuer = %issuer.name, %error, "keys that are due could not be rotated");
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn gauges(rules: &Rules, face: &Face) {
    metrics().changes_lag.set((), rules.feed.lag().unwrap_or_default().as_secs_f64());
    metrics().clock_off.set((), rules.feed.clock_off().as_secs_f64());
    metrics().nodes.set_count((), rules.feed.live());
    metrics().outage.set((), if rules.feed.is_away() { 1.0 } else { 0.0 });
    let (issuers, clients, users) = rules.node.sizes();
    metrics().cache_entries.set_count(Cache::Issuers, issuers);
    metrics().cache_entries.set_count(Cache::Places, face.places());
    metrics().cache_entries.set_count(Cache::Clients, clients);
    metrics().cache_entries.set_count(Cache::Users, users);
    metrics().cache_entries.set_count(Cache::Introspections, rules.introspected.remembered());
    metrics().signing_queue.set_count((), rules.signer.waiting());
    metrics().hashing_queue.set_count((), rules.passwords.waiting());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_alone_is_ready_as_long_as_something_can_be_issued() {
        let s = |s| Some(Duration::from_secs(s));
        assert_eq!(alone(None, s(0)), Readiness::Ready);
        assert_eq!(alone(s(299), s(300)), Readiness::Degraded);
        assert_eq!(alone(s(300), s(300)), Readiness::Unready);
        assert_eq!(alone(s(300), None), Readiness::Degraded, "none was asked for yet");
    }
}
