//! Waiting until the other nodes know of a change.

use std::{sync::Arc, time::Duration};

use ficha_telemetry::metrics::metrics;
use ficha_types::NodeName;
use futures_util::future::{Either, select};

use super::{ANSWERED_WITHIN, FRESH_FOR, Feed};
use crate::{
    ports::{Confirmation, StoreError},
    views::IssuerSlot,
};

/// How old the answer about the other nodes may be that several who wait share.
const ASKED_APART: Duration = Duration::from_millis(5);

impl Feed {
    /// Waits until every live node that remembers something of the issuer has applied its change `change`, which has just been
    /// committed; at the longest [`FRESH_FOR`], after which none serves from before it. Answers the nodes that had not.
    pub async fn settled(&self, slot: &IssuerSlot, change: i64) -> Vec<NodeName> {
        if self.is_alone() {
            return Vec::new();
        }
        let committed = self.clock.monotonic();
        let end = committed + FRESH_FOR;
        let mut late = Vec::new();
        loop {
            let asked = self.company(slot, committed);
            match select(Box::pin(asked), self.clock.wait_monotonic(end)).await {
                Either::Left((Ok(nodes), _)) => {
                    // This node has applied it already.
                    let behind = nodes.iter().filter(|c| c.change < change && c.node != self.me);
                    late = behind.map(|c| c.node.clone()).collect();
                    if late.is_empty() {
                        return late;
                    }
                }
                Either::Left((Err(error), _)) => tracing::warn!(%error, "which nodes know of a change can't be asked"),
                Either::Right(_) => break,
            }
            let now = self.clock.monotonic();
            if now >= end {
                break;
            }
            self.clock.wait_monotonic((now + ASKED_APART).min(end)).await;
        }
        metrics().unconfirmed_answers.count(());
        late
    }

    /// The live nodes and how far they have come, asked at `after` or later and not much before now.
    async fn company(&self, slot: &IssuerSlot, after: Duration) -> Result<Arc<[Confirmation]>, StoreError> {
        let mut asking = slot.track().asking.lock().await;
        let begun = self.clock.monotonic();
        if let Some((asked, nodes)) = &*asking
            && *asked >= after
            && begun.saturating_sub(*asked) < ASKED_APART
        {
            return Ok(nodes.clone());
        }
        let nodes = self.store.confirmations(slot.name(), self.clock.now_ms());
        let nodes: Arc<[_]> = self.within(ANSWERED_WITHIN, nodes).await?.into();
        *asking = Some((begun, nodes.clone()));
        Ok(nodes)
    }
}
