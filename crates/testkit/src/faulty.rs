//! A store that fails when a test says so: one node's way to the store that all share.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
};

use ficha_core::{
    ports::{
        Beat, BoxFuture, ChangeRow, ClientRow, ClientStore, Commit, Confirmation, Counters, FamilyUse, FeedStore,
        IssuerRows, Kept, Lease, LiveKey, LiveOffer, LiveRow, MarkSet, OperatorStore, Page, Place, PlaceRow,
        PurgeReport, Revocation, SecretUse, Standing, StoreError, TokenRevoked, TokenStore, Trade, UpkeepStore,
        UserRow,
    },
    records::{AuditEntry, Client, Issuer, Mark, SealedKey, User},
};
use ficha_types::{
    ApiName, ClientId, FamilyId, IssuerName, NodeName, Subject, TokenId, UnixMillis, UnixSeconds, Username,
};

use crate::store_suite::Store;

/// Where the next write loses its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Before it was committed: nothing of it stays.
    Before,
    /// After it was committed: all of it stays, and nobody was told.
    After,
}

/// One node's way to a store.
pub struct Faulty {
    store: Arc<dyn Store>,
    down: AtomicBool,
    cut: Mutex<Option<Cut>>,
    ahead: AtomicI64,
    asked_for_confirmations: AtomicUsize,
    writes: AtomicUsize,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

impl Faulty {
    /// A way that is whole.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            down: AtomicBool::new(false),
            cut: Mutex::default(),
            ahead: AtomicI64::new(0),
            asked_for_confirmations: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
        }
    }

    /// Whether nothing comes through.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Cuts the connection of the next write.
    pub fn cut_next_write(&self, cut: Cut) {
        *self.cut.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
    }

    /// How many milliseconds the clock of the database is ahead, as beats tell it.
    pub fn set_clock_ahead(&self, ms: i64) {
        self.ahead.store(ms, Ordering::SeqCst);
    }

    /// How often it was asked which nodes know of a change.
    #[must_use]
    pub fn asked_for_confirmations(&self) -> usize {
        self.asked_for_confirmations.load(Ordering::SeqCst)
    }

    /// How many writes were begun.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    fn up(&self) -> Result<(), StoreError> {
        if self.down.load(Ordering::SeqCst) { Err(StoreError::Unreachable("no connection".into())) } else { Ok(()) }
    }

    fn read<'a, T: 'a>(&'a self, asked: Answer<'a, T>) -> Answer<'a, T> {
        Box::pin(async move {
            self.up()?;
            let answer = asked.await;
            self.up()?;
            answer
        })
    }

    fn write<'a, T: 'a>(&'a self, step: Answer<'a, T>) -> Answer<'a, T> {
        Box::pin(async move {
            self.up()?;
            self.writes.fetch_add(1, Ordering::SeqCst);
            let cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner).take();
            let lost = || StoreError::OutcomeUnknown("the connection was lost at commit".into());
            match cut {
                None => step.await,
                Some(Cut::Before) => Err(lost()),
                Some(Cut::After) => {
                    step.await?;
                    Err(lost())
                }
            }
        })
    }
}

/// Methods that pass their arguments on.
macro_rules! passes {
    ($($how:ident $name:ident($($arg:ident: $kind:ty),*) -> $answer:ty;)+) => {$(
        fn $name<'a>(&'a self, $($arg: $kind),*) -> Answer<'a, $answer> {
            self.$how(self.store.$name($($arg),*))
        }
    )+};
}

impl ClientStore for Faulty {
    fn issuers(&self, page: Page) -> Answer<'_, Vec<Issuer>> {
        self.read(self.store.issuers(page))
    }
    passes! {
        read places(urls: &'a [String]) -> Vec<PlaceRow>;
        read stands(origins: &'a [String]) -> bool;
        read places_of_host(host: &'a str, page: Page) -> Vec<PlaceRow>;
        read issuer(name: &'a IssuerName) -> Option<IssuerRows>;
        read client(issuer: &'a IssuerName, id: &'a ClientId) -> Option<ClientRow>;
        read user(issuer: &'a IssuerName, name: &'a Username) -> Option<UserRow>;
        read user_by_subject(issuer: &'a IssuerName, sub: &'a Subject) -> Option<UserRow>;
    }
}

impl TokenStore for Faulty {
    passes! {
        read live_token(issuer: &'a IssuerName, key: &'a LiveKey) -> Option<LiveRow>;
        write keep_live(issuer: &'a IssuerName, key: &'a LiveKey, offer: &'a LiveOffer) -> Kept;
        write trade_refresh(issuer: &'a IssuerName, used: &'a FamilyUse, now: UnixSeconds) -> Trade;
        write revoke_token(
            issuer: &'a IssuerName, revocation: &'a Revocation, now: UnixSeconds, fold_above: u32
        ) -> TokenRevoked;
        write revoke_family(issuer: &'a IssuerName, used: &'a FamilyUse, now: UnixSeconds) -> i64;
        write mark(issuer: &'a IssuerName, mark: &'a Mark, now: UnixSeconds) -> MarkSet;
        read standing(
            issuer: &'a IssuerName, id: &'a TokenId, family: Option<&'a FamilyId>, api: &'a ApiName
        ) -> Standing;
        read revoked(issuer: &'a IssuerName, most: u32) -> Vec<String>;
        read family_standing(issuer: &'a IssuerName, family: &'a FamilyId) -> Standing;
    }
}

impl OperatorStore for Faulty {
    fn commit(&self, commit: Commit) -> Answer<'_, i64> {
        self.write(self.store.commit(commit))
    }
    fn sealing_keys(&self) -> Answer<'_, Vec<(IssuerName, SealedKey)>> {
        self.read(self.store.sealing_keys())
    }
    passes! {
        read clients(issuer: &'a IssuerName, page: Page) -> Vec<Client>;
        read users(issuer: &'a IssuerName, page: Page) -> Vec<User>;
        read audit(issuer: &'a IssuerName, limit: u32) -> Vec<AuditEntry>;
        read note(name: &'a str) -> Option<String>;
        write set_note(name: &'a str, value: &'a str) -> ();
    }
}

impl UpkeepStore for Faulty {
    fn purge(&self, now: UnixSeconds, limit: u32) -> Answer<'_, PurgeReport> {
        self.write(self.store.purge(now, limit))
    }
    passes! {
        write note_secret_uses(uses: &'a [SecretUse]) -> ();
        read secret_uses(issuer: &'a IssuerName, owner: &'a str) -> Vec<SecretUse>;
    }
}

impl FeedStore for Faulty {
    passes! {
        read changes_since(issuer: &'a IssuerName, after: i64, limit: u32) -> Vec<ChangeRow>;
        read counters(issuers: &'a [IssuerName]) -> Counters;
        read leave(node: &'a NodeName) -> ();
        read confirm(node: &'a NodeName, places: &'a [Place]) -> ();
        read take_lease(lease: &'a Lease, now: UnixMillis) -> bool;
    }

    fn beat<'a>(&'a self, node: &'a NodeName, now: UnixMillis) -> Answer<'a, Beat> {
        Box::pin(async move {
            self.up()?;
            let beat = self.store.beat(node, now).await?;
            Ok(Beat { now: UnixMillis(beat.now.0 + self.ahead.load(Ordering::SeqCst)), ..beat })
        })
    }

    fn confirmations<'a>(&'a self, issuer: &'a IssuerName, now: UnixMillis) -> Answer<'a, Vec<Confirmation>> {
        self.asked_for_confirmations.fetch_add(1, Ordering::SeqCst);
        self.read(self.store.confirmations(issuer, now))
    }

    fn notified(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}
