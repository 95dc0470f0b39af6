//! How nodes learn of each other's changes, and of each other.

use std::time::Duration;

use ficha_core::{
    ports::{ChangeRow, Counters, Edit, Expect, Fact, Lease, Place},
    records::{Issuer, Mark, Marked, SealingPurpose},
};
use ficha_types::{IssuerName, NodeName, Seconds, UnixMillis, UnixSeconds};
use futures_util::future::join_all;

use super::{
    Store,
    samples::{
        NOON, act, after_noon, api, app, cards, client, family, founded, issuer, key, last_change, mark_of_app, offer,
        place, revocation, sealing, token, used, user, word,
    },
};

fn node(name: &str) -> NodeName {
    word(name)
}

/// Noon by the store's clock: that of the engine where it has one.
async fn now(store: &dyn Store) -> UnixMillis {
    store.beat(&node("clock"), NOON.into()).await.unwrap().now
}

fn later(now: UnixMillis, span: Duration) -> UnixMillis {
    UnixMillis(now.0 + i64::try_from(span.as_millis()).unwrap())
}

async fn facts(store: &dyn Store, issuer: &IssuerName, after: i64) -> Vec<Fact> {
    store.changes_since(issuer, after, 1000).await.unwrap().into_iter().map(|row| row.fact).collect()
}

fn at(issuer: &IssuerName, change: i64) -> Place {
    Place { issuer: issuer.clone(), change }
}

pub async fn changes_are_read_in_order_after_a_number(store: &dyn Store) {
    let (issuer, other) = (founded(store, "acme").await, founded(store, "other").await);
    store.mark(&other, &mark_of_app(NOON), NOON).await.unwrap();
    store.revoke_token(&issuer, &revocation(1), NOON + Seconds(5), 100).await.unwrap();
    let change = |number, fact, after| ChangeRow { number, fact, at: after_noon(after) };
    let revoked = Fact::Token { id: token(1), client: Some(app()), api: None, until: revocation(1).until };
    let expected = [change(2, Fact::Api(cards()), 0), change(3, Fact::Client(app()), 0), change(4, revoked, 5)];
    assert_eq!(store.changes_since(&issuer, 1, 100).await.unwrap(), expected);
    assert_eq!(store.changes_since(&issuer, 1, 2).await.unwrap(), expected[..2]);
    assert_eq!(store.changes_since(&issuer, 4, 2).await.unwrap(), []);
    assert_eq!(store.changes_since(&word("nobody"), 0, 2).await.unwrap(), []);
    let mark = change(4, Fact::Mark(mark_of_app(NOON)), 0);
    assert_eq!(store.changes_since(&other, 3, 100).await.unwrap(), [mark]);
}

pub async fn every_kind_of_change_tells_what_it_was(store: &dyn Store) {
    let name = founded(store, "acme").await;
    let marked = |whose, n| Mark { whose, at: after_noon(n) };
    let marks = [
        marked(Marked::Issuer, 1),
        marked(Marked::Client(app()), 2),
        marked(Marked::ClientAtApi(app(), cards()), 3),
        marked(Marked::User(word("u-1")), 4),
    ];
    let unknown = ficha_core::ports::Revocation { client: None, api: Some(cards()), ..revocation(1) };
    let mut edits = vec![
        Edit::PutIssuer(issuer("acme")),
        Edit::PutApi(api("cards")),
        Edit::PutUser(user("ana", "u-1")),
        Edit::PutUser(user("ana", "u-2")),
        Edit::PutKey(key("k1")),
        Edit::RemoveKey(word("k1")),
        Edit::PutSealing(sealing(1)),
        Edit::Revoke(unknown.clone()),
    ];
    edits.extend(marks.clone().map(Edit::PutMark));
    edits.extend([Edit::RemoveUser(word("ana")), Edit::RemoveApi(cards()), Edit::RemoveClient(app())]);
    store.commit(act(&name, edits)).await.unwrap();
    let [first, second] = ["u-1", "u-2"].map(|sub| Fact::User(word(sub)));
    let mut expected = vec![Fact::Issuer, Fact::Api(cards()), first.clone(), second.clone(), first];
    expected.extend([Fact::Key(word("k1")), Fact::KeyGone(word("k1")), Fact::SealingKey(SealingPurpose::LiveTokens)]);
    expected.push(Fact::Token { id: token(1), client: None, api: Some(cards()), until: unknown.until });
    expected.extend(marks.map(Fact::Mark));
    expected.extend([second, Fact::Api(cards()), Fact::Client(app())]);
    assert_eq!(facts(store, &name, 3).await, expected);
}

pub async fn a_family_that_ended_tells_its_api_and_when_its_last_token_is_over(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.revoke_family(&issuer, &used(1, 0), NOON).await.unwrap();
    store.trade_refresh(&issuer, &used(2, 0), NOON).await.unwrap();
    store.trade_refresh(&issuer, &used(2, 1), NOON).await.unwrap();
    store.trade_refresh(&issuer, &used(2, 0), NOON).await.unwrap();
    let ended = facts(store, &issuer, 3).await;
    let told: Vec<_> = ended
        .iter()
        .map(|fact| {
            let Fact::Family { id, api, until } = fact else { panic!("{fact:?}") };
            (id.clone(), api.clone(), *until >= used(1, 0).keep_until)
        })
        .collect();
    assert_eq!(told, [(family(1), Some(cards()), true), (family(2), Some(cards()), true)]);
}

pub async fn a_replaced_live_token_tells_which_one_it_was(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.keep_live(&issuer, &place(1), &offer(1, NOON)).await.unwrap();
    let late = NOON + Seconds::hours(1);
    store.keep_live(&issuer, &place(1), &offer(2, late)).await.unwrap();
    let replaced = Fact::LiveToken { id: token(1), client: app(), api: cards() };
    assert_eq!(facts(store, &issuer, 3).await, [replaced]);
}

pub async fn taking_something_away_answers_the_change_to_wait_for_sent_again_too(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    for _ in 0..2 {
        assert_eq!(store.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap().change, 4);
    }
    for _ in 0..2 {
        assert_eq!(store.revoke_family(&issuer, &used(1, 0), NOON).await.unwrap(), 5);
    }
    for _ in 0..2 {
        assert_eq!(store.mark(&issuer, &mark_of_app(NOON), NOON).await.unwrap().change, 6);
    }
    // What the mark covers is no change, and is known with the mark.
    let covered = ficha_core::ports::Revocation { issued_at: NOON, ..revocation(2) };
    assert_eq!(store.revoke_token(&issuer, &covered, NOON, 100).await.unwrap().change, 6);
}

pub async fn a_mark_reaches_as_far_beyond_the_clock_of_the_database(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let long_ago = UnixSeconds(1_000);
    let database = store.beat(&node("clock"), long_ago.into()).await.unwrap().now.seconds();
    let mark = Mark { whose: Marked::Client(app()), at: long_ago + Seconds(2) };
    let set = store.mark(&issuer, &mark, long_ago).await.unwrap();
    assert!(set.at >= database + Seconds(2), "{} is before {database}", set.at);
    let past = Mark { whose: Marked::User(word("u-1")), at: long_ago - Seconds(1) };
    assert_eq!(store.mark(&issuer, &past, long_ago).await.unwrap().at, past.at, "it does not end what is issued now");
}

pub async fn a_mark_that_was_folded_tells_its_moment(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    for n in 1..=3 {
        store.revoke_token(&issuer, &revocation(n), NOON, 2).await.unwrap();
    }
    assert_eq!(facts(store, &issuer, 6).await, [Fact::Mark(mark_of_app(revocation(1).issued_at))]);
}

pub async fn racing_changes_are_numbered_without_gaps(store: &dyn Store) {
    let (acme, other) = (founded(store, "acme").await, founded(store, "other").await);
    let of = |issuer: &IssuerName, n: u32| {
        let (issuer, revocation) = (issuer.clone(), revocation(n));
        async move { store.revoke_token(&issuer, &revocation, NOON, 1000).await.unwrap() }
    };
    join_all((1..=40).map(|n| of(if n % 4 == 0 { &other } else { &acme }, n))).await;
    for (issuer, last) in [(&acme, 33), (&other, 13)] {
        let numbers: Vec<_> =
            store.changes_since(issuer, 0, 1000).await.unwrap().iter().map(|row| row.number).collect();
        assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    }
}

pub async fn a_change_is_seen_with_all_before_it(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let writing = join_all((1..=60).map(|n| {
        let (issuer, revocation) = (issuer.clone(), revocation(n));
        async move { store.revoke_token(&issuer, &revocation, NOON, 1000).await.unwrap() }
    }));
    let following = async {
        let mut seen = 3;
        while seen < 63 {
            for row in store.changes_since(&issuer, seen, 7).await.unwrap() {
                assert_eq!(row.number, seen + 1, "a number that was left out would never be read");
                seen = row.number;
            }
        }
    };
    tokio::join!(writing, following);
}

pub async fn counters_are_the_last_numbers_of_those_that_were_asked_for(store: &dyn Store) {
    let (acme, other) = (founded(store, "acme").await, founded(store, "other").await);
    store.mark(&other, &mark_of_app(NOON), NOON).await.unwrap();
    let counters = |issuers: &'static [&str]| async move {
        let names: Vec<IssuerName> = issuers.iter().map(|name| word(name)).collect();
        let Counters { mut issuers, .. } = store.counters(&names).await.unwrap();
        issuers.sort();
        issuers
    };
    assert_eq!(counters(&["acme", "other", "nobody"]).await, [(acme.clone(), 3), (other, 4)]);
    assert_eq!(counters(&["acme"]).await, [(acme, 3)]);
    assert_eq!(counters(&[]).await, []);
}

pub async fn the_directory_counts_declarations_of_issuers_and_nothing_else(store: &dyn Store) {
    let directory = || async { store.counters(&[]).await.unwrap().directory };
    let before = directory().await;
    let name = founded(store, "acme").await;
    assert_eq!(directory().await, before + 1);
    store.commit(act(&name, vec![Edit::PutClient(client("app2")), Edit::PutApi(api("users"))])).await.unwrap();
    store.mark(&name, &mark_of_app(NOON), NOON).await.unwrap();
    assert_eq!(directory().await, before + 1);
    let moved = Issuer { allow_loopback_http: true, ..issuer("acme") };
    store.commit(act(&name, vec![Edit::PutIssuer(moved)])).await.unwrap();
    assert_eq!(directory().await, before + 2);
    let refused =
        ficha_core::ports::Commit { expect: Expect::At(1), ..act(&name, vec![Edit::PutIssuer(issuer("acme"))]) };
    store.commit(refused).await.unwrap_err();
    assert_eq!(directory().await, before + 2);
    assert_eq!(last_change(store, &name).await, 7);
}

pub async fn a_node_that_beats_is_live_until_it_has_been_silent_for_too_long(store: &dyn Store) {
    let first = store.beat(&node("a"), NOON.into()).await.unwrap();
    assert_eq!(first.live, [node("a")]);
    let second = store.beat(&node("b"), first.now).await.unwrap();
    assert_eq!(second.live, [node("a"), node("b")]);
    store.leave(&node("a")).await.unwrap();
    assert_eq!(store.beat(&node("b"), second.now).await.unwrap().live, [node("b")]);
}

pub async fn a_node_that_was_silent_for_a_day_is_forgotten_with_all_that_it_confirmed(store: &dyn Store) {
    let acme = founded(store, "acme").await;
    let seen = store.beat(&node("a"), NOON.into()).await.unwrap().now;
    store.confirm(&node("a"), &[at(&acme, 3)]).await.unwrap();
    let after = |span: Seconds| UnixSeconds(seen.0 / 1000) + span;
    let purged = async |now| {
        let report = store.purge(now, 100).await.unwrap();
        report.rows.iter().filter(|(table, _)| *table == "nodes").map(|(_, rows)| rows).sum::<u64>()
    };
    assert_eq!(purged(after(Seconds::hours(23))).await, 0);
    store.beat(&node("a"), NOON.into()).await.unwrap();
    assert_eq!(store.confirmations(&acme, seen).await.unwrap().len(), 1);
    assert_eq!(purged(after(Seconds::hours(25))).await, 2);
    assert_eq!(store.confirmations(&acme, seen).await.unwrap().len(), 0);
}

pub async fn how_far_live_nodes_have_come_is_told(store: &dyn Store) {
    let (acme, other) = (founded(store, "acme").await, founded(store, "other").await);
    let now = now(store).await;
    // They beat anew before each question: an engine with a clock of its own tells when they were silent for too long.
    let told = async |issuer: &IssuerName, live: &[&str]| {
        for name in live {
            store.beat(&node(name), NOON.into()).await.unwrap();
        }
        let all = store.confirmations(issuer, now).await.unwrap();
        all.into_iter().map(|c| (c.node.to_string(), c.change)).collect::<Vec<_>>()
    };
    let all = ["a", "b", "c"];
    let rows = |rows: &[(&str, i64)]| rows.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect::<Vec<_>>();
    assert_eq!(told(&acme, &all).await, [], "nobody remembers anything");
    store.confirm(&node("b"), &[at(&acme, 3), at(&other, 3)]).await.unwrap();
    store.confirm(&node("a"), &[at(&acme, 4)]).await.unwrap();
    store.confirm(&node("never-seen"), &[at(&acme, 1)]).await.unwrap();
    assert_eq!(told(&acme, &all).await, rows(&[("a", 4), ("b", 3)]));
    assert_eq!(told(&other, &all).await, rows(&[("b", 3)]));
    store.confirm(&node("b"), &[at(&acme, 5)]).await.unwrap();
    store.confirm(&node("b"), &[at(&acme, 2)]).await.unwrap();
    assert_eq!(told(&acme, &all).await, rows(&[("a", 4), ("b", 5)]), "none moves back");
    store.leave(&node("a")).await.unwrap();
    assert_eq!(told(&acme, &["b", "c"]).await, rows(&[("b", 5)]));
    store.confirm(&node("b"), &[]).await.unwrap();
}

pub async fn a_duty_is_one_nodes_until_it_is_over(store: &dyn Store) {
    let now = now(store).await;
    let lease = |name, node: &str, span| Lease { name, node: word(node), span };
    let takers = ["a", "b", "c", "d"].map(|name| lease("purge", name, Duration::from_mins(1)));
    let taken = join_all(takers.iter().map(|lease| store.take_lease(lease, now))).await;
    let holders: Vec<_> = takers.iter().zip(taken).filter(|(_, taken)| matches!(taken, Ok(true))).collect();
    let [(held, _)] = holders[..] else { panic!("{holders:?}") };
    let next = takers.iter().find(|lease| lease.node != held.node).unwrap();
    assert!(!store.take_lease(next, now).await.unwrap());
    assert!(store.take_lease(&lease("rotate", "e", Duration::from_mins(1)), now).await.unwrap(), "another duty");
    // Its holder keeps it, and may give it up by taking it for no time.
    assert!(store.take_lease(held, now).await.unwrap());
    let given_up = Lease { span: Duration::ZERO, ..(*held).clone() };
    assert!(store.take_lease(&given_up, now).await.unwrap());
    assert!(store.take_lease(next, later(now, Duration::from_millis(1))).await.unwrap());
}

pub async fn what_was_changed_before_a_day_is_known_to_be_missing(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let next_day = NOON + Seconds::days(1);
    store.purge(next_day, 100).await.unwrap();
    store.mark(&issuer, &mark_of_app(UnixSeconds(1)), next_day).await.unwrap();
    let rows = store.changes_since(&issuer, 2, 100).await.unwrap();
    assert_eq!(rows.first().map(|row| row.number), Some(4), "3 is gone: whoever had applied 2 begins anew");
}
