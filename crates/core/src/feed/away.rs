//! Without the store: what was given out meanwhile, and what becomes of it when the store is back.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use ficha_types::{ApiName, ClientId, IssuerName, UnixSeconds};

use super::Feed;
use crate::{
    ports::{Fact, StoreError},
    records::{Mark, Marked},
    refusal::Refusal,
    rules::Rules,
    views::{Change, ClientView, IssuerView},
};

/// The most clients that get tokens without the store: their last ones must be remembered.
const MOST_CLIENTS: usize = 100_000;

/// Whether the store is away, and what was given out since. Only a client itself gets anything without the store, so nothing
/// is to be remembered of users.
#[derive(Debug, Default)]
pub(super) struct Away {
    noted: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    given: HashMap<(IssuerName, ClientId), Given>,
    /// Marks that were set meanwhile, of those who got something.
    missed: Vec<(IssuerName, Mark)>,
    /// Issuers of which it can't be told what was missed.
    missed_all: HashSet<IssuerName>,
}

/// What a client was given without the store.
#[derive(Debug, Clone)]
struct Given {
    /// The last `iat`.
    last: UnixSeconds,
    /// The marks that were known then.
    issuer: Option<UnixSeconds>,
    client: Option<UnixSeconds>,
    at_apis: Vec<(ApiName, UnixSeconds)>,
}

impl Away {
    pub(super) fn is_noted(&self) -> bool {
        self.noted.load(Ordering::Acquire)
    }

    /// Notes it; whether that is news.
    fn note(&self) -> bool {
        !self.noted.swap(true, Ordering::AcqRel)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happened meanwhile to those who got something.
    pub(super) fn missed<'f>(&self, issuer: &IssuerName, facts: impl Iterator<Item = &'f Fact>) {
        let mut state = self.state();
        for fact in facts {
            if *fact == Fact::Other {
                state.missed_all.insert(issuer.clone());
            }
            if let Fact::Mark(mark) = fact
                && state.last(issuer, &mark.whose).is_some()
            {
                state.missed.push((issuer.clone(), mark.clone()));
            }
        }
    }

    /// It can't be told any more what happened.
    pub(super) fn missed_all(&self, issuer: &IssuerName) {
        self.state().missed_all.insert(issuer.clone());
    }
}

impl State {
    /// The last `iat` that was given to whom the mark covers.
    fn last(&self, issuer: &IssuerName, whose: &Marked) -> Option<UnixSeconds> {
        match whose {
            Marked::Issuer => self.given.iter().filter(|((of, _), _)| of == issuer).map(|(_, given)| given.last).max(),
            Marked::Client(id) | Marked::ClientAtApi(id, _) => {
                self.given.get(&(issuer.clone(), id.clone())).map(|given| given.last)
            }
            Marked::User(_) => None,
        }
    }

    /// Marks that must move past what was given after them.
    fn due(&self) -> Vec<(IssuerName, Mark)> {
        let moved = |(issuer, mark): &(IssuerName, Mark)| {
            let at = self.last(issuer, &mark.whose).filter(|last| *last > mark.at)?;
            Some((issuer.clone(), Mark { whose: mark.whose.clone(), at }))
        };
        self.missed.iter().filter_map(moved).collect()
    }
}

impl Feed {
    /// The store can't be reached.
    pub(super) fn lost(&self, error: &StoreError) {
        // Before the first look there is nothing that could go on.
        if self.confirmed.age(self.clock.monotonic()).is_some() && self.away.note() {
            tracing::error!(%error, "the store is away: only what the outage rule lets go on does");
        }
    }

    /// Remembers that the client gets something that is issued at `now` without the store, before it does.
    pub(crate) fn giving(&self, issuer: &IssuerView, client: &ClientView, now: UnixSeconds) -> Result<(), Refusal> {
        self.away.note();
        let mut state = self.away.state();
        let key = (issuer.name().clone(), client.client.id.clone());
        if let Some(given) = state.given.get_mut(&key) {
            given.last = given.last.max(now);
            return Ok(());
        }
        if state.given.len() >= MOST_CLIENTS {
            return Err(Refusal::Busy("outage"));
        }
        let (mark, at_apis) = client.marks();
        let given = Given { last: now, issuer: issuer.mark, client: mark, at_apis: at_apis.to_vec() };
        state.given.insert(key, given);
        Ok(())
    }

    /// The store is back, and what was missed is applied: whatever was ended meanwhile is dead with all that it was given
    /// since. When that fails, the store is still away.
    pub(super) async fn settle(&self, rules: &Rules) -> Result<(), StoreError> {
        let (due, unsure) = {
            let state = self.away.state();
            let unsure: Vec<_> =
                state.given.iter().filter(|((issuer, _), _)| state.missed_all.contains(issuer)).collect();
            let unsure: Vec<_> = unsure.into_iter().map(|(key, given)| (key.clone(), given.clone())).collect();
            (state.due(), unsure)
        };
        for (issuer, mark) in due {
            move_mark(rules, &issuer, &mark).await?;
        }
        let mut marks_of_issuers = HashMap::new();
        for ((issuer, client), given) in unsure {
            if !marks_of_issuers.contains_key(&issuer) {
                let mark = rules.clients.issuer(&issuer).await?.and_then(|rows| rows.mark);
                marks_of_issuers.insert(issuer.clone(), mark);
            }
            let mut ended = Vec::new();
            let of_issuer = marks_of_issuers.get(&issuer).copied().flatten();
            if of_issuer > given.issuer && of_issuer < Some(given.last) {
                ended.push(Marked::Issuer);
            }
            if let Some(row) = rules.clients.client(&issuer, &client).await? {
                if row.mark > given.client && row.mark < Some(given.last) {
                    ended.push(Marked::Client(client.clone()));
                }
                for (api, at) in row.api_marks {
                    let known = given.at_apis.iter().find(|(name, _)| *name == api).map(|(_, at)| *at);
                    if Some(at) > known && at < given.last {
                        ended.push(Marked::ClientAtApi(client.clone(), api));
                    }
                }
            }
            for whose in ended {
                move_mark(rules, &issuer, &Mark { whose, at: given.last }).await?;
            }
        }
        *self.away.state() = State::default();
        self.away.noted.store(false, Ordering::Release);
        tracing::info!("the store is back, and what was missed is applied");
        Ok(())
    }
}

async fn move_mark(rules: &Rules, issuer: &IssuerName, mark: &Mark) -> Result<(), StoreError> {
    tracing::warn!(%issuer, ?mark, "something was ended while the store was away: what it was given since is dead too");
    let outcome = rules.tokens.mark(issuer, mark, rules.clock.now()).await;
    rules.node.apply(issuer, &[Change::of_mark(mark)]);
    outcome.map(drop)
}
