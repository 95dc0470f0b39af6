//! Looking for what others changed, and applying it.

use std::{collections::HashMap, pin::pin, sync::Arc, time::Duration};

use ficha_types::IssuerName;
use futures_util::future::select;

use super::{ANSWERED_WITHIN, Feed, POLL_EVERY};
use crate::{
    ports::{Fact, Place, StoreError},
    records::{Mark, Marked},
    rules::Rules,
    views::{Change, IssuerSlot, Node},
};

/// Changes that are read at once.
const PAGE: u32 = 1000;
/// Changes of one issuer behind which all that is remembered of it is forgotten instead.
const MOST_BEHIND: i64 = 10_000;
/// Notices that come faster are one.
const NOTICES_APART: Duration = Duration::from_millis(10);

impl Feed {
    /// Follows the changes of every issuer of which this node remembers something; never ends.
    pub async fn follow(&self, rules: &Rules) {
        if self.is_alone() {
            return std::future::pending().await;
        }
        let mut failed = false;
        loop {
            let begun = self.clock.monotonic();
            let outcome = self.poll(rules).await;
            let again = outcome.is_err() && !failed;
            failed = outcome.is_err();
            match outcome {
                // A single failure is no outage: it may be this machine that is slow. Until the next one requests ask themselves.
                Err(error) if again => tracing::warn!(%error, "a look for changes failed, and is made again"),
                Err(error) => self.lost(&error),
                Ok(()) => {}
            }
            if !again {
                select(pin!(self.store.notified()), self.clock.wait_monotonic(begun + POLL_EVERY)).await;
            }
            self.clock.wait_monotonic(begun + NOTICES_APART).await;
        }
    }

    /// One look at all issuers, applied whole: from its beginning on the place of this node is confirmed. What was given out
    /// without the store and was ended meanwhile is dead before that.
    ///
    /// # Errors
    /// [`StoreError`]: then nothing is confirmed.
    pub async fn poll(&self, rules: &Rules) -> Result<(), StoreError> {
        let mut directory = self.polling.lock().await;
        let slots = rules.node.remembered();
        // Who serves from memory is waited for: the others know of it before the look after which it does.
        let new: Vec<_> = slots.iter().filter(|slot| !slot.track().is_followed()).collect();
        self.tell(new.iter().copied()).await?;
        let begun = self.clock.monotonic();
        let names: Vec<_> = slots.iter().map(|slot| slot.name().clone()).collect();
        let counters = self.within(ANSWERED_WITHIN, self.store.counters(&names)).await?;
        let last: HashMap<IssuerName, i64> = counters.issuers.into_iter().collect();
        for slot in &slots {
            let last = last.get(slot.name()).copied();
            if last != slot.track().applied() {
                let _one_at_a_time = slot.track().looking.lock().await;
                self.bring(&rules.node, slot, last).await?;
            }
        }
        if directory.replace(counters.directory).is_some_and(|before| before != counters.directory) {
            rules.node.redeclared();
        }
        self.tell(slots.iter()).await?;
        if self.is_away() {
            self.settle(rules).await?;
        }
        for slot in new {
            slot.track().follow();
        }
        self.confirmed.set(begun);
        Ok(())
    }

    /// Confirms the place for one issuer, by a look that begins at `after` or later.
    pub(super) async fn catch_up(&self, node: &Node, slot: &IssuerSlot, after: Duration) -> Result<(), StoreError> {
        let mut looking = slot.track().looking.lock().await;
        if let Some((begun, outcome)) = &*looking
            && *begun >= after
        {
            return outcome.clone();
        }
        let begun = self.clock.monotonic();
        let look = async {
            let names = [slot.name().clone()];
            let counters = self.store.counters(&names).await?;
            self.bring(node, slot, counters.issuers.first().map(|(_, last)| *last)).await
        };
        let outcome = self.within(ANSWERED_WITHIN, look).await;
        *looking = Some((begun, outcome.clone()));
        outcome
    }

    /// Applies the changes of an issuer up to number `last`; there is no such issuer any more when that is nothing.
    async fn bring(&self, node: &Node, slot: &IssuerSlot, last: Option<i64>) -> Result<(), StoreError> {
        let Some(last) = last else {
            self.forget(node, slot, 0);
            return Ok(());
        };
        while let Some(applied) = slot.track().applied() {
            if applied == last {
                break;
            }
            // A database that was put back to an earlier state, or too much to go through.
            if applied > last || last - applied > MOST_BEHIND {
                self.forget(node, slot, last);
                break;
            }
            let rows = self.within(ANSWERED_WITHIN, self.store.changes_since(slot.name(), applied, PAGE)).await?;
            let (Some(first), Some(end)) = (rows.first(), rows.last().map(|row| row.number)) else {
                self.forget(node, slot, last);
                break;
            };
            if first.number != applied + 1 {
                self.forget(node, slot, last);
                break;
            }
            let changes: Vec<_> = rows.iter().map(|row| change(&row.fact)).collect();
            if self.is_away() {
                self.away.missed(slot.name(), rows.iter().map(|row| &row.fact));
            }
            node.apply(slot.name(), &changes);
            slot.track().advance(end);
            if end > last {
                break;
            }
        }
        Ok(())
    }

    /// Forgets all of an issuer: what is read from now on is of change number `last` or later.
    fn forget(&self, node: &Node, slot: &IssuerSlot, last: i64) {
        if self.is_away() {
            self.away.missed_all(slot.name());
        }
        node.apply(slot.name(), &[Change::Everything]);
        slot.track().advance(last);
    }

    /// Tells the others how far this node has come, where they don't know.
    async fn tell<'s>(&self, slots: impl Iterator<Item = &'s Arc<IssuerSlot>>) -> Result<(), StoreError> {
        let untold: Vec<(_, Place)> =
            slots.filter_map(|slot| Some((slot, slot.track().untold(slot.name())?))).collect();
        if untold.is_empty() {
            return Ok(());
        }
        let places: Vec<_> = untold.iter().map(|(_, place)| place.clone()).collect();
        self.within(ANSWERED_WITHIN, self.store.confirm(&self.me, &places)).await?;
        for (slot, place) in untold {
            slot.track().told(place.change);
        }
        Ok(())
    }
}

/// What a node must forget of a fact.
fn change(fact: &Fact) -> Change {
    match fact {
        Fact::Issuer
        | Fact::Api(_)
        | Fact::Key(_)
        | Fact::KeyGone(_)
        | Fact::SealingKey(_)
        // Whose it is is not known: with the issuer's view every live token in memory is looked up again.
        | Fact::Token { client: None, .. } => Change::Issuer,
        Fact::Client(id) => Change::Client(id.clone()),
        Fact::User(sub) => Change::User(sub.clone()),
        Fact::Mark(mark) => Change::of_mark(mark),
        Fact::Token { id, client: Some(client), .. } | Fact::LiveToken { id, client, .. } => {
            Change::Token { id: id.clone(), client: client.clone() }
        }
        Fact::Family { .. } => Change::Revoked,
        Fact::Other => Change::Everything,
    }
}

impl Change {
    /// What a node must forget when a mark is set.
    #[must_use]
    pub fn of_mark(Mark { whose, .. }: &Mark) -> Self {
        match whose {
            Marked::Issuer => Self::Issuer,
            Marked::Client(id) | Marked::ClientAtApi(id, _) => Self::Client(id.clone()),
            Marked::User(sub) => Self::User(sub.clone()),
        }
    }
}
