//! The ports: each method is a step of `queries`, on a connection of the pool.

use ficha_core::{
    ports::{
        Beat, BoxFuture, ChangeRow, ClientRow, ClientStore, Commit, Confirmation, Counters, FamilyUse, FeedStore,
        IssuerRows, Kept, Lease, LiveKey, LiveOffer, LiveRow, MarkSet, OperatorStore, Page, Place, PlaceRow,
        PurgeReport, Revocation, SecretUse, Standing, StandingPage, StandingPlace, StandingStore, Standings,
        StoreError, TokenRevoked, TokenStore, Trade, UpkeepStore, UserRow,
    },
    records::{AuditEntry, Client, Issuer, Mark, SealedKey, User},
};
use ficha_types::{
    ApiName, ClientId, FamilyId, IssuerName, NodeName, Subject, TokenId, UnixMillis, UnixSeconds, Username,
};

use super::PostgresStore;
use crate::queries::{
    changes, clients, families, feed, issuers, keys, marks, operator, purge, revocations, standing, tokens, users,
};

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

impl ClientStore for PostgresStore {
    fn issuers(&self, page: Page) -> Answer<'_, Vec<Issuer>> {
        self.read(page, |page, s| Box::pin(issuers::some(s, page)))
    }

    fn places<'a>(&'a self, urls: &'a [String]) -> Answer<'a, Vec<PlaceRow>> {
        self.read(urls, |urls, s| Box::pin(issuers::places(s, urls)))
    }

    fn stands<'a>(&'a self, origins: &'a [String]) -> Answer<'a, bool> {
        self.read(origins, |origins, s| Box::pin(issuers::stands(s, origins)))
    }

    fn places_of_host<'a>(&'a self, host: &'a str, page: Page) -> Answer<'a, Vec<PlaceRow>> {
        self.read((host, page), |(host, page), s| Box::pin(issuers::of_host(s, host, page)))
    }

    fn issuer<'a>(&'a self, name: &'a IssuerName) -> Answer<'a, Option<IssuerRows>> {
        self.read(name, |name, s| Box::pin(issuers::one(s, name)))
    }

    fn client<'a>(&'a self, issuer: &'a IssuerName, id: &'a ClientId) -> Answer<'a, Option<ClientRow>> {
        self.read((issuer, id), |(issuer, id), s| Box::pin(clients::one(s, issuer, id)))
    }

    fn user<'a>(&'a self, issuer: &'a IssuerName, name: &'a Username) -> Answer<'a, Option<UserRow>> {
        self.read((issuer, name), |(issuer, name), s| Box::pin(users::by_name(s, issuer, name)))
    }

    fn user_by_subject<'a>(&'a self, issuer: &'a IssuerName, sub: &'a Subject) -> Answer<'a, Option<UserRow>> {
        self.read((issuer, sub), |(issuer, sub), s| Box::pin(users::by_subject(s, issuer, sub)))
    }
}

impl TokenStore for PostgresStore {
    fn live_token<'a>(&'a self, issuer: &'a IssuerName, key: &'a LiveKey) -> Answer<'a, Option<LiveRow>> {
        self.read((issuer, key), |(issuer, key), s| Box::pin(tokens::live(s, issuer, key)))
    }

    fn keep_live<'a>(&'a self, issuer: &'a IssuerName, key: &'a LiveKey, offer: &'a LiveOffer) -> Answer<'a, Kept> {
        let told = (issuer.clone(), key.clone(), offer.clone());
        self.write(told, |(issuer, key, offer), s| Box::pin(tokens::keep(s, issuer, key, offer)))
    }

    fn trade_refresh<'a>(&'a self, issuer: &'a IssuerName, used: &'a FamilyUse, now: UnixSeconds) -> Answer<'a, Trade> {
        let told = (issuer.clone(), used.clone(), now);
        self.write(told, |(issuer, used, now), s| Box::pin(families::trade(s, issuer, used, *now)))
    }

    fn revoke_token<'a>(
        &'a self,
        issuer: &'a IssuerName,
        revocation: &'a Revocation,
        now: UnixSeconds,
        fold_above: u32,
    ) -> Answer<'a, TokenRevoked> {
        let told = (issuer.clone(), revocation.clone(), (now, fold_above));
        self.write(told, |(issuer, revocation, bounds), s| {
            Box::pin(revocations::revoke(s, issuer, revocation, *bounds))
        })
    }

    fn revoke_family<'a>(&'a self, issuer: &'a IssuerName, used: &'a FamilyUse, now: UnixSeconds) -> Answer<'a, i64> {
        let told = (issuer.clone(), used.clone(), now);
        self.write(told, |(issuer, used, now), s| Box::pin(families::revoke(s, issuer, used, *now)))
    }

    fn mark<'a>(&'a self, issuer: &'a IssuerName, mark: &'a Mark, now: UnixSeconds) -> Answer<'a, MarkSet> {
        let told = (issuer.clone(), mark.clone(), now);
        self.write(told, |(issuer, mark, now), s| Box::pin(marks::step(s, issuer, mark, *now)))
    }

    fn standing<'a>(
        &'a self,
        issuer: &'a IssuerName,
        id: &'a TokenId,
        family: Option<&'a FamilyId>,
        api: &'a ApiName,
    ) -> Answer<'a, Standing> {
        self.read((issuer, (id, family), api), |(issuer, (id, family), api), s| {
            Box::pin(revocations::standing(s, issuer, (id, *family), api))
        })
    }

    fn revoked<'a>(&'a self, issuer: &'a IssuerName, most: u32) -> Answer<'a, Vec<String>> {
        self.read((issuer, most), |(issuer, most), s| Box::pin(revocations::names(s, issuer, *most)))
    }

    fn family_standing<'a>(&'a self, issuer: &'a IssuerName, family: &'a FamilyId) -> Answer<'a, Standing> {
        self.read((issuer, family), |(issuer, family), s| Box::pin(families::standing(s, issuer, family)))
    }
}

impl OperatorStore for PostgresStore {
    fn commit(&self, commit: Commit) -> Answer<'_, i64> {
        self.write(commit, |commit, s| Box::pin(operator::commit(s, commit)))
    }

    fn clients<'a>(&'a self, issuer: &'a IssuerName, page: Page) -> Answer<'a, Vec<Client>> {
        self.read((issuer, page), |(issuer, page), s| Box::pin(clients::some(s, issuer, page)))
    }

    fn users<'a>(&'a self, issuer: &'a IssuerName, page: Page) -> Answer<'a, Vec<User>> {
        self.read((issuer, page), |(issuer, page), s| Box::pin(users::some(s, issuer, page)))
    }

    fn audit<'a>(&'a self, issuer: &'a IssuerName, limit: u32) -> Answer<'a, Vec<AuditEntry>> {
        self.read((issuer, limit), |(issuer, limit), s| Box::pin(operator::audit(s, issuer, *limit)))
    }

    fn note<'a>(&'a self, name: &'a str) -> Answer<'a, Option<String>> {
        self.read(name, |name, s| Box::pin(operator::note(s, name)))
    }

    fn set_note<'a>(&'a self, name: &'a str, value: &'a str) -> Answer<'a, ()> {
        let told = (name.to_owned(), value.to_owned());
        self.write(told, |(name, value), s| Box::pin(operator::set_note(s, name, value)))
    }

    fn sealing_keys(&self) -> Answer<'_, Vec<(IssuerName, SealedKey)>> {
        self.read((), |(), s| Box::pin(keys::all_sealing(s)))
    }
}

impl FeedStore for PostgresStore {
    fn changes_since<'a>(&'a self, issuer: &'a IssuerName, after: i64, limit: u32) -> Answer<'a, Vec<ChangeRow>> {
        self.read((issuer, after, limit), |(issuer, after, limit), s| {
            Box::pin(changes::since(s, issuer, *after, *limit))
        })
    }

    fn counters<'a>(&'a self, issuers: &'a [IssuerName]) -> Answer<'a, Counters> {
        self.read(issuers, |issuers, s| Box::pin(feed::counters(s, issuers)))
    }

    fn beat<'a>(&'a self, node: &'a NodeName, now: UnixMillis) -> Answer<'a, Beat> {
        self.write((node.clone(), now), |(node, now), s| Box::pin(feed::beat(s, node, *now)))
    }

    fn leave<'a>(&'a self, node: &'a NodeName) -> Answer<'a, ()> {
        self.write(node.clone(), |node, s| Box::pin(feed::leave(s, node)))
    }

    fn confirm<'a>(&'a self, node: &'a NodeName, places: &'a [Place]) -> Answer<'a, ()> {
        self.write((node.clone(), places.to_vec()), |(node, places), s| Box::pin(feed::confirm(s, node, places)))
    }

    fn confirmations<'a>(&'a self, issuer: &'a IssuerName, now: UnixMillis) -> Answer<'a, Vec<Confirmation>> {
        self.read((issuer, now), |(issuer, now), s| Box::pin(feed::confirmations(s, issuer, *now)))
    }

    fn take_lease<'a>(&'a self, lease: &'a Lease, now: UnixMillis) -> Answer<'a, bool> {
        self.write((lease.clone(), now), |(lease, now), s| Box::pin(feed::take_lease(s, lease, *now)))
    }

    fn notified(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.tidings.heard())
    }
}

impl UpkeepStore for PostgresStore {
    fn purge(&self, now: UnixSeconds, limit: u32) -> Answer<'_, PurgeReport> {
        self.write((now, limit), |(now, limit), s| Box::pin(purge::purge(s, *now, *limit)))
    }

    fn note_secret_uses<'a>(&'a self, uses: &'a [SecretUse]) -> Answer<'a, ()> {
        self.write(uses.to_vec(), |uses, s| Box::pin(operator::note_secret_uses(s, uses)))
    }

    fn secret_uses<'a>(&'a self, issuer: &'a IssuerName, owner: &'a str) -> Answer<'a, Vec<SecretUse>> {
        self.read((issuer, owner), |(issuer, owner), s| Box::pin(operator::secret_uses(s, issuer, owner)))
    }
}

impl StandingStore for PostgresStore {
    fn standing_page<'a>(
        &'a self,
        issuer: &'a IssuerName,
        wanted: &'a Standings,
        place: &'a StandingPlace,
        limit: u32,
    ) -> Answer<'a, StandingPage> {
        self.read((issuer, wanted, place, limit), |(issuer, wanted, place, limit), s| {
            Box::pin(standing::page(s, issuer, wanted, (place, *limit)))
        })
    }

    fn standing_count<'a>(&'a self, issuer: &'a IssuerName, wanted: &'a Standings) -> Answer<'a, u64> {
        self.read((issuer, wanted), |(issuer, wanted), s| Box::pin(standing::count(s, issuer, wanted)))
    }
}
