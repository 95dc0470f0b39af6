//! What a node holds in memory: who there is, found fast, and forgotten when it changes.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use ficha_telemetry::metrics::{Cache as Held, metrics};
use ficha_types::{ClientId, IssuerName, Subject, TokenId};
use quick_cache::sync::Cache;

use super::{ClientView, IssuerView, UserView, client::Load};
use crate::{
    feed::{Track, Trust},
    master::MasterKeys,
    ports::{ClientStore, Dialect, StoreError},
    turns::{Company, Turns},
};

/// The bounds of the caches, in entries.
#[derive(Debug, Clone, Copy)]
pub struct CacheSizes {
    /// Clients, over all issuers.
    pub clients: usize,
    /// Users, over all issuers.
    pub users: usize,
}

/// Something that caches must forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The issuer's declaration, an API, a key, its own mark.
    Issuer,
    /// A client, or a mark of it.
    Client(ClientId),
    /// A user, or the person's mark.
    User(Subject),
    /// A token or a family was revoked.
    Revoked,
    /// A token of a client was revoked, or was its live one and was replaced.
    Token {
        /// Its `jti`.
        id: TokenId,
        /// Whose it is.
        client: ClientId,
    },
    /// All that is remembered of the issuer.
    Everything,
}

/// An issuer's place in memory; stays while the process lives.
#[derive(Debug)]
pub struct IssuerSlot {
    name: IssuerName,
    view: ArcSwapOption<IssuerView>,
    loading: tokio::sync::Mutex<()>,
    epoch: AtomicU64,
    /// Shared while something that was read is kept, alone while a change is applied: nothing from before it is kept after.
    applying: RwLock<()>,
    slowest_hash_ms: AtomicU64,
    track: Track,
    turns: Arc<Turns>,
}

impl IssuerSlot {
    /// The place of an issuer of which nothing is known yet.
    #[must_use]
    pub fn new(name: &IssuerName) -> Self {
        Self {
            name: name.clone(),
            view: ArcSwapOption::empty(),
            loading: tokio::sync::Mutex::default(),
            epoch: AtomicU64::new(0),
            applying: RwLock::default(),
            slowest_hash_ms: AtomicU64::new(0),
            track: Track::default(),
            turns: Turns::new(),
        }
    }

    /// Whose place.
    #[must_use]
    pub fn name(&self) -> &IssuerName {
        &self.name
    }

    /// Grows with every change of the issuer: what was worked out at another value may be out of date.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The number of the last change that is applied here; nothing while nothing is remembered.
    #[must_use]
    pub fn applied(&self) -> Option<i64> {
        self.track.applied()
    }

    /// How far this node has come with its changes.
    pub(crate) fn track(&self) -> &Track {
        &self.track
    }

    /// Milliseconds of the slowest check of a password so far.
    pub(crate) fn slowest_hash_ms(&self) -> u64 {
        self.slowest_hash_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn note_hash_ms(&self, ms: u64) {
        self.slowest_hash_ms.fetch_max(ms, Ordering::Relaxed);
    }

    /// Keeps what was read at `epoch`, unless a change came since.
    pub(crate) fn keep<T>(&self, epoch: u64, keep: impl FnOnce() -> T) -> Option<T> {
        let _no_change_now = self.applying.read().unwrap_or_else(PoisonError::into_inner);
        (self.epoch() == epoch).then(keep)
    }
}

/// Where a request arrived: the issuer, and how it speaks there.
#[derive(Clone)]
pub struct Place {
    /// The issuer as of now.
    pub issuer: Arc<IssuerView>,
    /// Its place in memory.
    pub slot: Arc<IssuerSlot>,
    /// The wire contract.
    pub dialect: Arc<dyn Dialect>,
    /// How far what is remembered may be trusted.
    pub trust: Trust,
    /// What [`IssuerSlot::epoch`] was before `issuer` was looked at: at another value `issuer` may be out of date.
    pub epoch: u64,
}

/// An issuer as a request finds it that begins now.
#[derive(Clone)]
pub struct Entered {
    /// The issuer as of now.
    pub issuer: Arc<IssuerView>,
    /// How far what is remembered may be trusted.
    pub trust: Trust,
    /// What [`IssuerSlot::epoch`] was before.
    pub epoch: u64,
}

impl Entered {
    /// Where a request arrived that speaks `dialect`.
    #[must_use]
    pub fn at(self, slot: Arc<IssuerSlot>, dialect: Arc<dyn Dialect>) -> Place {
        let Self { issuer, trust, epoch } = self;
        Place { issuer, slot, dialect, trust, epoch }
    }
}

type ClientKey = (IssuerName, ClientId);
type UserKey = (IssuerName, Subject);

/// The memory of a node.
pub struct Node {
    store: Arc<dyn ClientStore>,
    masters: Arc<MasterKeys>,
    slots: RwLock<HashMap<IssuerName, Arc<IssuerSlot>>>,
    declared: AtomicU64,
    clients: Cache<ClientKey, Arc<ClientView>>,
    /// What clients have under way and left of their rates, which no change of theirs resets.
    loads: Cache<ClientKey, Arc<Load>>,
    users: Cache<UserKey, Arc<UserView>>,
    company: Company,
}

impl Node {
    /// A node that knows nobody yet.
    #[must_use]
    pub fn new(store: Arc<dyn ClientStore>, masters: Arc<MasterKeys>, sizes: CacheSizes) -> Self {
        Self {
            store,
            masters,
            slots: RwLock::default(),
            declared: AtomicU64::new(0),
            clients: Cache::new(sizes.clients),
            loads: Cache::new(sizes.clients),
            users: Cache::new(sizes.users),
            company: Company::default(),
        }
    }

    /// Resolves when it is the turn of a request of an issuer that arrived at `now`: its crowds do not hold up those of others.
    pub async fn turn(&self, slot: &IssuerSlot, now: Duration) {
        if self.company.mixed(&slot.turns, now) {
            slot.turns.wait().await;
        }
    }

    /// The master keys, to seal a key that is made where one was missing.
    pub(crate) fn masters(&self) -> &MasterKeys {
        &self.masters
    }

    /// The issuer's place in memory, made when there is none. Only for issuers that exist: places stay.
    #[must_use]
    pub fn slot(&self, name: &IssuerName) -> Arc<IssuerSlot> {
        let read = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = read.get(name) {
            return slot.clone();
        }
        drop(read);
        let mut write = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        write.entry(name.clone()).or_insert_with(|| Arc::new(IssuerSlot::new(name))).clone()
    }

    /// The issuer as of now, from memory or the store; `None` when there is none of that name.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] when it had to be read and could not, or its keys can't be opened.
    pub async fn issuer(&self, slot: &IssuerSlot) -> Result<Option<Arc<IssuerView>>, StoreError> {
        if let Some(view) = slot.view.load_full() {
            return Ok(Some(view));
        }
        let _one_at_a_time = slot.loading.lock().await;
        if let Some(view) = slot.view.load_full() {
            return Ok(Some(view));
        }
        let epoch = slot.epoch();
        let Some(rows) = self.store.issuer(&slot.name).await? else { return Ok(None) };
        slot.track.begin(rows.change);
        let view = IssuerView::new(rows, &self.masters).map_err(|e| {
            tracing::error!(issuer = %slot.name, error = %e, "an issuer can't be served");
            StoreError::Unreachable(e.to_string())
        })?;
        let view = Arc::new(view);
        slot.keep(epoch, || slot.view.store(Some(view.clone())));
        Ok(Some(view))
    }

    /// The client as of now.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] when it had to be read and could not.
    pub async fn client(&self, slot: &IssuerSlot, id: &ClientId) -> Result<Option<Arc<ClientView>>, StoreError> {
        let key = (slot.name.clone(), id.clone());
        if let Some(view) = self.clients.get(&key) {
            metrics().cache_hits.count(Held::Clients);
            return Ok(Some(view));
        }
        metrics().cache_misses.count(Held::Clients);
        let epoch = slot.epoch();
        let Some(row) = self.store.client(&slot.name, id).await? else { return Ok(None) };
        let load = self.loads.get_or_insert_with(&key, || Ok::<_, StoreError>(Arc::default()))?;
        let view = Arc::new(ClientView::new(row, load));
        // Two first requests at once: both go on with the one that is kept, so that renewals meet.
        let kept =
            Self::keeping(slot, epoch, || self.clients.get_or_insert_with(&key, || Ok::<_, StoreError>(view.clone())));
        Ok(Some(kept.transpose()?.unwrap_or(view)))
    }

    /// The client as it is remembered.
    pub(crate) fn remembered_client(&self, slot: &IssuerSlot, id: &ClientId) -> Option<Arc<ClientView>> {
        self.clients.get(&(slot.name.clone(), id.clone()))
    }

    /// The user as of now.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] when it had to be read and could not.
    pub async fn user(&self, slot: &IssuerSlot, sub: &Subject) -> Result<Option<Arc<UserView>>, StoreError> {
        let key = (slot.name.clone(), sub.clone());
        if let Some(view) = self.users.get(&key) {
            metrics().cache_hits.count(Held::Users);
            return Ok(Some(view));
        }
        metrics().cache_misses.count(Held::Users);
        let epoch = slot.epoch();
        let Some(row) = self.store.user_by_subject(&slot.name, sub).await? else { return Ok(None) };
        let view = Arc::new(UserView { row });
        Self::keeping(slot, epoch, || self.users.insert(key, view.clone()));
        Ok(Some(view))
    }

    /// Keeps what belongs to an issuer and was read at `epoch`: only when the changes of the issuer are followed.
    fn keeping<T>(slot: &IssuerSlot, epoch: u64, keep: impl FnOnce() -> T) -> Option<T> {
        if slot.track.remembers() { slot.keep(epoch, keep) } else { None }
    }

    /// The places of the issuers of which something may be remembered.
    pub(crate) fn remembered(&self) -> Vec<Arc<IssuerSlot>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.values().filter(|slot| slot.track.remembers()).cloned().collect()
    }

    /// Every issuer of which something is remembered is followed as if it was new.
    pub(crate) fn follow_anew(&self) {
        for slot in self.slots.read().unwrap_or_else(PoisonError::into_inner).values() {
            slot.track.follow_anew();
        }
    }

    /// Another node made an issuer, or changed where one answers.
    pub(crate) fn redeclared(&self) {
        self.declared.fetch_add(1, Ordering::AcqRel);
    }

    /// The longest that any issuer that is remembered lets its tokens go on without the store; nothing where none is.
    #[must_use]
    pub fn longest_grace(&self) -> Option<ficha_types::Seconds> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let views = slots.values().filter_map(|slot| slot.view.load_full());
        views.map(|view| view.issuer.outage_grace).max()
    }

    /// Forgets what a change made out of date. Called after its commit and before its answer.
    pub fn apply(&self, issuer: &IssuerName, changes: &[Change]) {
        let slot = self.slot(issuer);
        let _nothing_is_kept_now = slot.applying.write().unwrap_or_else(PoisonError::into_inner);
        // The number tells who is reading meanwhile to keep nothing.
        slot.epoch.fetch_add(1, Ordering::AcqRel);
        for change in changes {
            match change {
                Change::Issuer => {
                    slot.view.store(None);
                    self.declared.fetch_add(1, Ordering::AcqRel);
                }
                Change::Client(id) => drop(self.clients.remove(&(issuer.clone(), id.clone()))),
                Change::User(sub) => drop(self.users.remove(&(issuer.clone(), sub.clone()))),
                Change::Revoked => {}
                Change::Token { id, client } => {
                    if let Some(view) = self.clients.peek(&(issuer.clone(), client.clone())) {
                        view.forget(id);
                    }
                }
                Change::Everything => {
                    slot.view.store(None);
                    self.declared.fetch_add(1, Ordering::AcqRel);
                    self.clients.retain(|(of, _), _| of != issuer);
                    self.users.retain(|(of, _), _| of != issuer);
                }
            }
        }
    }

    /// Grows with every change of an issuer's declaration: a table of base URLs that was made at another value may be out of
    /// date.
    #[must_use]
    pub fn declared(&self) -> u64 {
        self.declared.load(Ordering::Acquire)
    }

    /// Entries held: issuers, clients, users.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize, usize) {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        (slots.len(), self.clients.len(), self.users.len())
    }
}
