//! The ports: each method is a step of `queries`, on the writer's thread or a reader's.

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

use super::{SqliteStore, at_once};
use crate::queries::{
    changes, clients, families, feed, issuers, keys, marks, operator, purge, revocations, tokens, users,
};

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

impl ClientStore for SqliteStore {
    fn issuers(&self, page: Page) -> Answer<'_, Vec<Issuer>> {
        self.read(move |s| at_once(issuers::some(s, &page)))
    }

    fn places<'a>(&'a self, urls: &'a [String]) -> Answer<'a, Vec<PlaceRow>> {
        let urls = urls.to_vec();
        self.read(move |s| at_once(issuers::places(s, &urls)))
    }

    fn stands<'a>(&'a self, origins: &'a [String]) -> Answer<'a, bool> {
        let origins = origins.to_vec();
        self.read(move |s| at_once(issuers::stands(s, &origins)))
    }

    fn places_of_host<'a>(&'a self, host: &'a str, page: Page) -> Answer<'a, Vec<PlaceRow>> {
        let host = host.to_owned();
        self.read(move |s| at_once(issuers::of_host(s, &host, &page)))
    }

    fn issuer<'a>(&'a self, name: &'a IssuerName) -> Answer<'a, Option<IssuerRows>> {
        let name = name.clone();
        self.read(move |s| at_once(issuers::one(s, &name)))
    }

    fn client<'a>(&'a self, issuer: &'a IssuerName, id: &'a ClientId) -> Answer<'a, Option<ClientRow>> {
        let (issuer, id) = (issuer.clone(), id.clone());
        self.read(move |s| at_once(clients::one(s, &issuer, &id)))
    }

    fn user<'a>(&'a self, issuer: &'a IssuerName, name: &'a Username) -> Answer<'a, Option<UserRow>> {
        let (issuer, name) = (issuer.clone(), name.clone());
        self.read(move |s| at_once(users::by_name(s, &issuer, &name)))
    }

    fn user_by_subject<'a>(&'a self, issuer: &'a IssuerName, sub: &'a Subject) -> Answer<'a, Option<UserRow>> {
        let (issuer, sub) = (issuer.clone(), sub.clone());
        self.read(move |s| at_once(users::by_subject(s, &issuer, &sub)))
    }
}

impl TokenStore for SqliteStore {
    fn live_token<'a>(&'a self, issuer: &'a IssuerName, key: &'a LiveKey) -> Answer<'a, Option<LiveRow>> {
        let (issuer, key) = (issuer.clone(), key.clone());
        self.read(move |s| at_once(tokens::live(s, &issuer, &key)))
    }

    fn keep_live<'a>(&'a self, issuer: &'a IssuerName, key: &'a LiveKey, offer: &'a LiveOffer) -> Answer<'a, Kept> {
        let (issuer, key, offer) = (issuer.clone(), key.clone(), offer.clone());
        self.write(move |s| at_once(tokens::keep(s, &issuer, &key, &offer)))
    }

    fn trade_refresh<'a>(&'a self, issuer: &'a IssuerName, used: &'a FamilyUse, now: UnixSeconds) -> Answer<'a, Trade> {
        let (issuer, used) = (issuer.clone(), used.clone());
        self.write(move |s| at_once(families::trade(s, &issuer, &used, now)))
    }

    fn revoke_token<'a>(
        &'a self,
        issuer: &'a IssuerName,
        revocation: &'a Revocation,
        now: UnixSeconds,
        fold_above: u32,
    ) -> Answer<'a, TokenRevoked> {
        let (issuer, revocation) = (issuer.clone(), revocation.clone());
        self.write(move |s| at_once(revocations::revoke(s, &issuer, &revocation, (now, fold_above))))
    }

    fn revoke_family<'a>(&'a self, issuer: &'a IssuerName, used: &'a FamilyUse, now: UnixSeconds) -> Answer<'a, i64> {
        let (issuer, used) = (issuer.clone(), used.clone());
        self.write(move |s| at_once(families::revoke(s, &issuer, &used, now)))
    }

    fn mark<'a>(&'a self, issuer: &'a IssuerName, mark: &'a Mark, now: UnixSeconds) -> Answer<'a, MarkSet> {
        let (issuer, mark) = (issuer.clone(), mark.clone());
        self.write(move |s| at_once(marks::step(s, &issuer, &mark, now)))
    }

    fn standing<'a>(
        &'a self,
        issuer: &'a IssuerName,
        id: &'a TokenId,
        family: Option<&'a FamilyId>,
        api: &'a ApiName,
    ) -> Answer<'a, Standing> {
        let (issuer, id, family, api) = (issuer.clone(), id.clone(), family.cloned(), api.clone());
        self.read(move |s| at_once(revocations::standing(s, &issuer, (&id, family.as_ref()), &api)))
    }

    fn revoked<'a>(&'a self, issuer: &'a IssuerName, most: u32) -> Answer<'a, Vec<String>> {
        let issuer = issuer.clone();
        self.read(move |s| at_once(revocations::names(s, &issuer, most)))
    }

    fn family_standing<'a>(&'a self, issuer: &'a IssuerName, family: &'a FamilyId) -> Answer<'a, Standing> {
        let (issuer, family) = (issuer.clone(), family.clone());
        self.read(move |s| at_once(families::standing(s, &issuer, &family)))
    }
}

impl OperatorStore for SqliteStore {
    fn commit(&self, commit: Commit) -> Answer<'_, i64> {
        self.write(move |s| at_once(operator::commit(s, &commit)))
    }

    fn clients<'a>(&'a self, issuer: &'a IssuerName, page: Page) -> Answer<'a, Vec<Client>> {
        let issuer = issuer.clone();
        self.read(move |s| at_once(clients::some(s, &issuer, &page)))
    }

    fn users<'a>(&'a self, issuer: &'a IssuerName, page: Page) -> Answer<'a, Vec<User>> {
        let issuer = issuer.clone();
        self.read(move |s| at_once(users::some(s, &issuer, &page)))
    }

    fn audit<'a>(&'a self, issuer: &'a IssuerName, limit: u32) -> Answer<'a, Vec<AuditEntry>> {
        let issuer = issuer.clone();
        self.read(move |s| at_once(operator::audit(s, &issuer, limit)))
    }

    fn note<'a>(&'a self, name: &'a str) -> Answer<'a, Option<String>> {
        let name = name.to_owned();
        self.read(move |s| at_once(operator::note(s, &name)))
    }

    fn set_note<'a>(&'a self, name: &'a str, value: &'a str) -> Answer<'a, ()> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(move |s| at_once(operator::set_note(s, &name, &value)))
    }

    fn sealing_keys(&self) -> Answer<'_, Vec<(IssuerName, SealedKey)>> {
        self.read(|s| at_once(keys::all_sealing(s)))
    }
}

impl UpkeepStore for SqliteStore {
    fn purge(&self, now: UnixSeconds, limit: u32) -> Answer<'_, PurgeReport> {
        self.write(move |s| at_once(purge::purge(s, now, limit)))
    }

    fn note_secret_uses<'a>(&'a self, uses: &'a [SecretUse]) -> Answer<'a, ()> {
        let uses = uses.to_vec();
        self.write(move |s| at_once(operator::note_secret_uses(s, &uses)))
    }

    fn secret_uses<'a>(&'a self, issuer: &'a IssuerName, owner: &'a str) -> Answer<'a, Vec<SecretUse>> {
        let (issuer, owner) = (issuer.clone(), owner.to_owned());
        self.read(move |s| at_once(operator::secret_uses(s, &issuer, &owner)))
    }
}

impl FeedStore for SqliteStore {
    fn changes_since<'a>(&'a self, issuer: &'a IssuerName, after: i64, limit: u32) -> Answer<'a, Vec<ChangeRow>> {
        let issuer = issuer.clone();
        self.read(move |s| at_once(changes::since(s, &issuer, after, limit)))
    }

    fn counters<'a>(&'a self, issuers: &'a [IssuerName]) -> Answer<'a, Counters> {
        let issuers = issuers.to_vec();
        self.read(move |s| at_once(feed::counters(s, &issuers)))
    }

    fn beat<'a>(&'a self, node: &'a NodeName, now: UnixMillis) -> Answer<'a, Beat> {
        let node = node.clone();
        self.write(move |s| at_once(feed::beat(s, &node, now)))
    }

    fn leave<'a>(&'a self, node: &'a NodeName) -> Answer<'a, ()> {
        let node = node.clone();
        self.write(move |s| at_once(feed::leave(s, &node)))
    }

    fn confirm<'a>(&'a self, node: &'a NodeName, places: &'a [Place]) -> Answer<'a, ()> {
        let (node, places) = (node.clone(), places.to_vec());
        self.write(move |s| at_once(feed::confirm(s, &node, &places)))
    }

    fn confirmations<'a>(&'a self, issuer: &'a IssuerName, now: UnixMillis) -> Answer<'a, Vec<Confirmation>> {
        let issuer = issuer.clone();
        self.read(move |s| at_once(feed::confirmations(s, &issuer, now)))
    }

    fn take_lease<'a>(&'a self, lease: &'a Lease, now: UnixMillis) -> Answer<'a, bool> {
        let lease = lease.clone();
        self.write(move |s| at_once(feed::take_lease(s, &lease, now)))
    }

    fn notified(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}
