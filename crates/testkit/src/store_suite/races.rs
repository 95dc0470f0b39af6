//! Steps that meet: what one writer at a time gives for nothing, many must be made to keep.

use ficha_core::{
    ports::{Commit, Edit, Expect, LiveKey, SecretUse, Standing, StoreError, Trade},
    records::{Issuer, Mark, Marked, PasswordHash, Place},
};
use ficha_types::{IssuerName, Seconds};
use futures_util::future::join_all;

use super::{
    Store,
    samples::{
        NOON, act, advanced, after_noon, api, app, cards, client, family, first_page, founded, issuer, last_change,
        offer, place, revocation, token, used, user, word,
    },
};

/// An issuer that answers there.
fn found(name: &str, urls: &[&str]) -> Commit {
    Commit { expect: Expect::New, ..act(&word(name), vec![move_to(name, urls)]) }
}

fn move_to(name: &str, urls: &[&str]) -> Edit {
    let places = urls.iter().map(|url| Place { url: word(url), dialect: None }).collect();
    Edit::PutIssuer(Issuer { places, ..issuer(name) })
}

/// How many are done; every other one contradicts what is there.
fn done<T: std::fmt::Debug>(answers: &[Result<T, StoreError>]) -> usize {
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(StoreError::Conflict(_)))), "{answers:?}");
    answers.iter().filter(|answer| answer.is_ok()).count()
}

pub async fn a_base_url_that_several_issuers_claim_at_once_becomes_ones(store: &dyn Store) {
    let names: Vec<_> = (0..12).map(|n| format!("claimer-{n}")).collect();
    let claims = names.iter().map(|name| store.commit(found(name, &["https://shared.example"])));
    assert_eq!(done(&join_all(claims).await), 1);
    assert_eq!(store.issuers(first_page()).await.unwrap().len(), 1);
}

pub async fn issuers_that_swap_their_base_urls_at_once_wait_for_each_other_not_for_ever(store: &dyn Store) {
    let (a, b) = ("https://a.example", "https://b.example");
    store.commit(found("first", &[a])).await.unwrap();
    store.commit(found("second", &[b])).await.unwrap();
    for _ in 0..4 {
        let acts =
            [("first", [a, b]), ("second", [b, a])].map(|(name, urls)| act(&word(name), vec![move_to(name, &urls)]));
        let [one, two] = acts.map(|act| store.commit(act));
        let (one, two) = tokio::join!(one, two);
        // Each has a place that the other one wants too.
        assert_eq!(done(&[one, two]), 0);
    }
    let places: Vec<_> =
        store.issuers(first_page()).await.unwrap().into_iter().map(|issuer| issuer.places.len()).collect();
    assert_eq!(places, [1, 1]);
}

pub async fn a_name_that_a_client_an_api_and_a_user_claim_at_once_becomes_ones(store: &dyn Store) {
    let name = founded(store, "acme").await;
    for round in 0..6 {
        let wanted = format!("wanted-{round}");
        let claims = [
            Edit::PutClient(client(&wanted)),
            Edit::PutApi(api(&wanted)),
            Edit::PutUser(user(&format!("ana-{round}"), &wanted)),
        ];
        let acts = claims.map(|claim| store.commit(act(&name, vec![claim])));
        assert_eq!(done(&join_all(acts).await), 1);
    }
}

pub async fn of_racing_upgrades_of_a_password_one_is_kept(store: &dyn Store) {
    let name = founded(store, "acme").await;
    store.commit(act(&name, vec![Edit::PutUser(user("ana", "u-1"))])).await.unwrap();
    let before = last_change(store, &name).await;
    let upgrade = |n: i32| Edit::UpgradePassword {
        name: word("ana"),
        from: PasswordHash::new("hash of ana".to_owned()),
        to: PasswordHash::new(format!("better {n}")),
    };
    let acts = join_all((0..12).map(|n| store.commit(act(&name, vec![upgrade(n)])))).await;
    assert_eq!(done(&acts), 12);
    assert_eq!(last_change(store, &name).await, before + 1);
}

pub async fn racing_revocations_of_one_token_are_one_change(store: &dyn Store) {
    let name = founded(store, "acme").await;
    let before = last_change(store, &name).await;
    let revocation = revocation(1);
    let revoked = join_all((0..16).map(|_| store.revoke_token(&name, &revocation, NOON, 100))).await;
    assert!(revoked.iter().all(|folded| matches!(folded, Ok(done) if done.folded == 0)), "{revoked:?}");
    assert_eq!(last_change(store, &name).await, before + 1);
    // And it was counted once: the bound is where it was.
    assert_eq!(store.revoke_token(&name, &super::samples::revocation(2), NOON, 2).await.unwrap().folded, 0);
}

pub async fn racing_replays_and_revocations_of_a_family_are_one_change(store: &dyn Store) {
    let name = founded(store, "acme").await;
    advanced(store, &name, 1, 2).await;
    let before = last_change(store, &name).await;
    let (replayed, last) = (used(1, 0), used(1, 3));
    let replays = join_all((0..8).map(|_| store.trade_refresh(&name, &replayed, NOON)));
    let revocations = join_all((0..8).map(|_| store.revoke_family(&name, &last, NOON)));
    let (replays, revocations) = tokio::join!(replays, revocations);
    assert!(replays.iter().all(|trade| matches!(trade, Ok(Trade::Replayed | Trade::Revoked))), "{replays:?}");
    assert!(revocations.iter().all(Result::is_ok), "{revocations:?}");
    assert_eq!(last_change(store, &name).await, before + 1);
    assert_eq!(store.family_standing(&name, &family(1)).await.unwrap(), Standing::Revoked);
}

pub async fn a_use_that_races_with_the_end_of_its_family_comes_before_or_not_at_all(store: &dyn Store) {
    let name = founded(store, "acme").await;
    for n in 0..12 {
        advanced(store, &name, n, 1).await;
        let (next, ended) = (used(n, 2), used(n, 2));
        let (traded, revoked) =
            tokio::join!(store.trade_refresh(&name, &next, NOON), store.revoke_family(&name, &ended, NOON));
        revoked.unwrap();
        assert!(matches!(traded, Ok(Trade::Done | Trade::Revoked)), "{traded:?}");
        let after = store.trade_refresh(&name, &used(n, 3), NOON).await.unwrap();
        assert!(matches!(after, Trade::Revoked | Trade::Unknown), "{after:?}");
    }
}

pub async fn marks_offers_and_removals_that_meet_are_all_done(store: &dyn Store) {
    let name = founded(store, "acme").await;
    let offers: Vec<_> = (0..24_u32)
        .map(|n| {
            (LiveKey { fingerprint: [u8::try_from(n % 12).unwrap(); 32], ..place(0) }, offer(n, after_noon(n.into())))
        })
        .collect();
    let marks = [
        Mark { whose: Marked::Client(app()), at: after_noon(3) },
        Mark { whose: Marked::ClientAtApi(app(), cards()), at: after_noon(5) },
        Mark { whose: Marked::Issuer, at: after_noon(4) },
    ];
    let seventh = revocation(7);
    for _ in 0..4 {
        let (kept, marked, revoked, changed) = tokio::join!(
            join_all(offers.iter().map(|(key, offer)| store.keep_live(&name, key, offer))),
            join_all(marks.iter().map(|mark| store.mark(&name, mark, NOON))),
            store.revoke_token(&name, &seventh, NOON, 100),
            store.commit(act(&name, vec![Edit::RemoveApi(cards()), Edit::PutApi(api("cards"))])),
        );
        assert!(kept.iter().all(Result::is_ok), "{kept:?}");
        assert!(marked.iter().all(Result::is_ok), "{marked:?}");
        assert!(revoked.is_ok() && changed.is_ok(), "{revoked:?} {changed:?}");
    }
}

pub async fn purging_while_revocations_come_and_fold_loses_none(store: &dyn Store) {
    let name = founded(store, "acme").await;
    for round in 0..3_u32 {
        let old: Vec<_> = (0..20).map(|n| revocation(1000 * round + n)).collect();
        for one in &old {
            let ends = ficha_core::ports::Revocation { until: NOON, ..one.clone() };
            store.revoke_token(&name, &ends, NOON - Seconds(1), 1000).await.unwrap();
        }
        let new: Vec<_> = (0..20).map(|n| revocation(1000 * round + 100 + n)).collect();
        let (purged, revoked) = tokio::join!(
            join_all((0..6).map(|_| store.purge(NOON, 5))),
            join_all(new.iter().map(|one| store.revoke_token(&name, one, NOON, 8))),
        );
        assert!(purged.iter().all(Result::is_ok), "{purged:?}");
        assert!(revoked.iter().all(Result::is_ok), "{revoked:?}");
        let mark = store.client(&name, &app()).await.unwrap().unwrap().mark;
        for one in &new {
            let stands = store.standing(&name, &one.id, None, &cards()).await.unwrap() == Standing::Revoked;
            assert!(stands || mark >= Some(one.issued_at), "{} is neither revoked nor covered", one.id);
        }
    }
}

pub async fn last_uses_kept_by_several_at_once_in_any_order_are_all_kept(store: &dyn Store) {
    let name = founded(store, "acme").await;
    let uses = |backwards: bool, at| {
        let mut uses: Vec<_> = (0..40)
            .map(|n| SecretUse { issuer: name.clone(), owner: format!("app-{n}"), secret: "first".to_owned(), at })
            .collect();
        if backwards {
            uses.reverse();
        }
        uses
    };
    let batches: Vec<_> = (0..8).map(|n| uses(n % 2 == 0, after_noon(n))).collect();
    let kept = join_all(batches.iter().map(|batch| store.note_secret_uses(batch))).await;
    assert!(kept.iter().all(Result::is_ok), "{kept:?}");
    for owner in ["app-0", "app-39"] {
        assert_eq!(store.secret_uses(&name, owner).await.unwrap().first().unwrap().at, after_noon(7));
    }
}

pub async fn changes_of_many_kinds_at_once_are_numbered_without_gaps_in_every_issuer(store: &dyn Store) {
    let names = [founded(store, "acme").await, founded(store, "other").await];
    let one = async |name: &IssuerName, n: u32| match n % 4 {
        0 => store.revoke_token(name, &revocation(n), NOON, 1000).await.map(drop),
        1 => store.mark(name, &Mark { whose: Marked::Client(word(&format!("c{n}"))), at: NOON }, NOON).await.map(drop),
        2 => store.revoke_family(name, &used(n, 0), NOON).await.map(drop),
        _ => store.commit(act(name, vec![Edit::PutClient(client(&format!("new-{n}")))])).await.map(drop),
    };
    let all = names.iter().flat_map(|name| (0..32).map(move |n| (name, n))).map(|(name, n)| one(name, n));
    let all = join_all(all).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    for name in &names {
        let numbers: Vec<_> =
            store.changes_since(name, 0, 1000).await.unwrap().into_iter().map(|row| row.number).collect();
        assert_eq!(numbers, (1..=35).collect::<Vec<_>>());
        assert_eq!(last_change(store, name).await, 35);
        assert_eq!(store.standing(name, &token(0), None, &cards()).await.unwrap(), Standing::Revoked);
    }
}
