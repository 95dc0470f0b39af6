//! A client and a user, with what a node remembers of them.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ficha_types::{ApiName, DialectName, ScopeSet, TokenId, UnixSeconds};

use super::secrets::SecretMemory;
use crate::{
    ports::{ClientRow, UserRow},
    records::{Api, Client},
    token::Scoped,
};

/// A live token in memory.
#[derive(Debug)]
pub(crate) struct LiveEntry {
    pub(crate) dialect: DialectName,
    /// The API as it was: another value of it means that the scopes are to be worked out again.
    pub(crate) api: Arc<Api>,
    /// What was asked for, so that the same question finds it without working out the scopes.
    pub(crate) asked: Option<ScopeSet>,
    pub(crate) token: Arc<str>,
    pub(crate) id: TokenId,
    pub(crate) scope: Arc<str>,
    pub(crate) issued_at: UnixSeconds,
    pub(crate) expires_at: UnixSeconds,
}

/// A client, its marks, and what a node remembers of it.
#[derive(Debug)]
pub struct ClientView {
    /// The declaration.
    pub client: Client,
    mark: Option<UnixSeconds>,
    api_marks: Vec<(ApiName, UnixSeconds)>,
    /// What is remembered of its secrets.
    pub(crate) secrets: SecretMemory,
    live: Mutex<Vec<LiveEntry>>,
    /// All that it holds at each API that it was asked for at.
    held: Mutex<Vec<(Arc<Api>, Arc<Scoped>)>>,
    /// Held while a live token is renewed: one signature per node and renewal.
    pub(crate) renewal: tokio::sync::Mutex<()>,
    load: Arc<Load>,
}

/// What a client has under way, and what is left of its rate.
#[derive(Debug)]
pub(crate) struct Load {
    under_way: AtomicU32,
    /// At which time how many requests were left.
    rate: Mutex<(Duration, f64)>,
}

impl Default for Load {
    fn default() -> Self {
        Self { under_way: AtomicU32::new(0), rate: Mutex::new((Duration::ZERO, f64::INFINITY)) }
    }
}

/// One request of a client that is under way.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Load>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ClientView {
    /// The view of a row.
    #[must_use]
    pub(crate) fn new(mut row: ClientRow, load: Arc<Load>) -> Self {
        // There may be very many of these: no room for what does not come.
        row.client.secrets.shrink_to_fit();
        row.api_marks.shrink_to_fit();
        Self {
            mark: row.mark,
            api_marks: row.api_marks,
            secrets: SecretMemory::of(&row.client.secrets),
            live: Mutex::default(),
            held: Mutex::default(),
            renewal: tokio::sync::Mutex::default(),
            load,
            client: row.client,
        }
    }

    /// The latest mark that covers its tokens at `api`.
    #[must_use]
    pub fn not_before(&self, api: &ApiName) -> Option<UnixSeconds> {
        self.api_marks.iter().find(|(name, _)| name == api).map(|(_, at)| *at).max(self.mark)
    }

    /// Its marks: its own, and those at single APIs.
    pub(crate) fn marks(&self) -> (Option<UnixSeconds>, &[(ApiName, UnixSeconds)]) {
        (self.mark, &self.api_marks)
    }

    /// Forgets a live token that is one no more.
    pub(crate) fn forget(&self, id: &TokenId) {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).retain(|entry| entry.id != *id);
    }

    /// Counts a request in; `None` when as many as it may have are under way.
    pub(crate) fn begin(&self) -> Option<UnderWay> {
        let permit = UnderWay(self.load.clone());
        let before = self.load.under_way.fetch_add(1, Ordering::Relaxed);
        (before < self.client.max_concurrent).then_some(permit)
    }

    /// Takes one request from its rate; `false` when that is used up. `now` is monotonic.
    pub(crate) fn within_rate(&self, now: Duration) -> bool {
        let Some(per_second) = self.client.max_per_second.map(f64::from) else { return true };
        let mut rate = self.load.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, left) = *rate;
        let left = (left + now.saturating_sub(at).as_secs_f64() * per_second).min(per_second);
        let granted = left >= 1.0;
        // A request whose body was slow arrived before others that were counted: time never goes back.
        *rate = (at.max(now), if granted { left - 1.0 } else { left });
        granted
    }

    /// All that it holds at `api`, which `work_out` finds when it is not known.
    pub(crate) fn all_held(&self, api: &Arc<Api>, work_out: impl FnOnce() -> Scoped) -> Arc<Scoped> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, scopes)) = held.iter().find(|(known, _)| Arc::ptr_eq(known, api)) {
            return scopes.clone();
        }
        let scopes = Arc::new(work_out());
        // Another value of the same API is the API as it was.
        held.retain(|(known, _)| known.name != api.name);
        held.reserve_exact(1);
        held.push((api.clone(), scopes.clone()));
        scopes
    }

    /// What the first live token comes to of which `look` makes something.
    pub(crate) fn live<T>(&self, look: impl Fn(&LiveEntry) -> Option<T>) -> Option<T> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.iter().find_map(look)
    }

    /// Remembers a live token, in the place of what it replaces; forgets those that have expired.
    pub(crate) fn remember(&self, entry: LiveEntry, now: UnixSeconds) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|e| {
            e.expires_at > now
                && !(e.dialect == entry.dialect && e.api.name == entry.api.name && e.asked == entry.asked)
        });
        live.reserve_exact(1);
        live.push(entry);
        // Sixteen sets for an API, and as many ways to ask for them: beyond that the store has them.
        if live.len() > 64 {
            live.remove(0);
        }
    }
}

/// A user and the mark that covers the person's tokens.
#[derive(Debug)]
pub struct UserView {
    /// The declaration and the mark.
    pub row: UserRow,
}

#[cfg(test)]
mod tests {
    use ficha_types::ScopeSet;

    use super::*;
    use crate::records::Status;

    fn app(load: &Arc<Load>, max_per_second: u32) -> ClientView {
        let client = Client {
            id: "app".parse().unwrap(),
            status: Status::Enabled,
            secrets: Vec::new(),
            removed_secrets: crate::records::RemovedSecrets::default(),
            grants: std::collections::BTreeSet::new(),
            scopes: [("cards".parse().unwrap(), ScopeSet::default())].into(),
            auth_methods: None,
            refresh_without_secret: false,
            properties: std::collections::BTreeMap::new(),
            max_concurrent: 1,
            max_per_second: Some(max_per_second),
            policy: 1,
        };
        ClientView::new(ClientRow { client, mark: None, api_marks: Vec::new() }, load.clone())
    }

    #[test]
    fn requests_that_arrived_late_refill_no_rate() {
        let app = app(&Arc::default(), 2);
        let at = |seconds| app.within_rate(Duration::from_secs(seconds));
        assert!(at(100) && at(100) && !at(100));
        assert!(!at(90), "its head came ten seconds ago");
        assert!(!at(100), "no second has passed");
        assert!(at(101));
    }

    #[test]
    fn a_change_of_the_client_resets_neither_its_rate_nor_what_is_under_way() {
        let load = Arc::default();
        let before = app(&load, 1);
        assert!(before.within_rate(Duration::from_secs(1)));
        let begun = before.begin();
        let after = app(&load, 1);
        assert!(!after.within_rate(Duration::from_secs(1)));
        assert!(begun.is_some() && after.begin().is_none());
        drop(begun);
        assert!(after.begin().is_some());
    }
}
