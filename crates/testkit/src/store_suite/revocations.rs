//! Revocations of single tokens.

use ficha_core::ports::{Edit, LiveKey, Revocation, Standing, StoreError};
use ficha_types::{IssuerName, Seconds, UnixSeconds};
use futures_util::future::join_all;

use super::{
    Store,
    samples::{
        NOON, act, after_noon, app, cards, client, founded, last_change, mark_of_app, offer, place, revocation, token,
        used, word,
    },
};

/// A bound that no case reaches.
const MANY: u32 = 10_000;

async fn standing(store: &dyn Store, issuer: &IssuerName, n: u32) -> Standing {
    store.standing(issuer, &token(n), None, &cards()).await.unwrap()
}

async fn mark(store: &dyn Store, issuer: &IssuerName) -> Option<UnixSeconds> {
    store.client(issuer, &app()).await.unwrap().unwrap().mark
}

pub async fn a_revoked_token_stands_revoked_and_no_other(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    assert_eq!(standing(store, &issuer, 1).await, Standing::Good);
    assert_eq!(store.revoke_token(&issuer, &revocation(1), NOON, MANY).await.unwrap().folded, 0);
    assert_eq!(standing(store, &issuer, 1).await, Standing::Revoked);
    assert_eq!(standing(store, &issuer, 2).await, Standing::Good);
}

pub async fn what_was_revoked_is_told_by_name_as_far_as_asked(store: &dyn Store) {
    let (acme, other) = (founded(store, "acme").await, founded(store, "other").await);
    for n in [1, 2] {
        store.revoke_token(&acme, &revocation(n), NOON, MANY).await.unwrap();
    }
    store.revoke_token(&other, &revocation(3), NOON, MANY).await.unwrap();
    let used = used(1, 1);
    store.revoke_family(&acme, &used, NOON).await.unwrap();
    let mut names = store.revoked(&acme, 10).await.unwrap();
    names.sort();
    let mut expected = vec![token(1).to_string(), token(2).to_string(), used.family.to_string()];
    expected.sort();
    assert_eq!(names, expected);
    assert_eq!(store.revoked(&acme, 2).await.unwrap().len(), 2);
}

pub async fn a_revocation_at_one_api_leaves_the_others_alone(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let there = Revocation { api: Some(cards()), ..revocation(1) };
    store.revoke_token(&issuer, &there, NOON, MANY).await.unwrap();
    assert_eq!(standing(store, &issuer, 1).await, Standing::Revoked);
    assert_eq!(store.standing(&issuer, &token(1), None, &word("users")).await.unwrap(), Standing::Good);
    store.revoke_token(&issuer, &revocation(1), NOON, MANY).await.unwrap();
    assert_eq!(store.standing(&issuer, &token(1), None, &word("users")).await.unwrap(), Standing::Revoked);
}

pub async fn revoking_a_live_token_ends_its_being_live_and_no_other(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.keep_live(&issuer, &place(1), &offer(1, NOON)).await.unwrap();
    store.keep_live(&issuer, &place(2), &offer(2, NOON)).await.unwrap();
    store.revoke_token(&issuer, &revocation(1), NOON, MANY).await.unwrap();
    assert_eq!(store.live_token(&issuer, &place(1)).await.unwrap(), None);
    assert!(store.live_token(&issuer, &place(2)).await.unwrap().is_some());
}

pub async fn revoking_at_another_api_leaves_the_live_token_alone(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let at_users = LiveKey { api: word("users"), ..place(1) };
    store.keep_live(&issuer, &at_users, &offer(1, NOON)).await.unwrap();
    let elsewhere = Revocation { api: Some(cards()), ..revocation(1) };
    store.revoke_token(&issuer, &elsewhere, NOON, MANY).await.unwrap();
    assert!(store.live_token(&issuer, &at_users).await.unwrap().is_some());
    let there = Revocation { api: Some(word("users")), ..revocation(1) };
    store.revoke_token(&issuer, &there, NOON, MANY).await.unwrap();
    assert_eq!(store.live_token(&issuer, &at_users).await.unwrap(), None);
}

pub async fn revoking_a_token_is_one_change_and_sent_again_none(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let before = last_change(store, &issuer).await;
    for _ in 0..2 {
        store.revoke_token(&issuer, &revocation(1), NOON, MANY).await.unwrap();
        assert_eq!(last_change(store, &issuer).await, before + 1);
    }
}

pub async fn a_revocation_sent_again_with_a_later_end_stands_longer(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let first = revocation(1);
    let longer = Revocation { until: first.until + Seconds(10), ..first.clone() };
    for revocation in [&first, &longer, &first] {
        store.revoke_token(&issuer, revocation, NOON, MANY).await.unwrap();
    }
    store.purge(first.until, 100).await.unwrap();
    assert_eq!(standing(store, &issuer, 1).await, Standing::Revoked);
    store.purge(longer.until, 100).await.unwrap();
    assert_eq!(standing(store, &issuer, 1).await, Standing::Good);
}

pub async fn above_the_bound_the_oldest_fold_into_the_mark_just_far_enough(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    // The oldest is revoked last but one: age counts, not the order of the acts.
    for n in [4, 2, 1] {
        assert_eq!(store.revoke_token(&issuer, &revocation(n), NOON, 3).await.unwrap().folded, 0);
    }
    assert_eq!(mark(store, &issuer).await, None);
    let before = last_change(store, &issuer).await;
    assert_eq!(store.revoke_token(&issuer, &revocation(3), NOON, 3).await.unwrap().folded, 1);
    assert_eq!(mark(store, &issuer).await, Some(after_noon(1)));
    // The revocation and the mark.
    assert_eq!(last_change(store, &issuer).await, before + 2);
    for n in 2..=4 {
        assert_eq!(standing(store, &issuer, n).await, Standing::Revoked);
    }
    assert_eq!(store.revoke_token(&issuer, &revocation(5), NOON, 3).await.unwrap().folded, 1);
    assert_eq!(mark(store, &issuer).await, Some(after_noon(2)));
}

pub async fn a_lowered_bound_folds_several_at_once(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    for n in 1..=5 {
        store.revoke_token(&issuer, &revocation(n), NOON, MANY).await.unwrap();
    }
    assert_eq!(store.revoke_token(&issuer, &revocation(6), NOON, 2).await.unwrap().folded, 4);
    assert_eq!(mark(store, &issuer).await, Some(after_noon(4)));
}

pub async fn folding_ends_the_live_tokens_that_the_mark_covers(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.keep_live(&issuer, &place(1), &offer(50, after_noon(1))).await.unwrap();
    store.keep_live(&issuer, &place(2), &offer(51, after_noon(2))).await.unwrap();
    for n in [1, 2] {
        store.revoke_token(&issuer, &revocation(n), after_noon(2), 1).await.unwrap();
    }
    assert_eq!(store.live_token(&issuer, &place(1)).await.unwrap(), None);
    assert!(store.live_token(&issuer, &place(2)).await.unwrap().is_some());
}

pub async fn a_revocation_that_was_folded_and_is_sent_again_is_no_change(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    for n in 1..=3 {
        store.revoke_token(&issuer, &revocation(n), NOON, 2).await.unwrap();
    }
    assert_eq!(mark(store, &issuer).await, Some(after_noon(1)));
    let before = last_change(store, &issuer).await;
    assert_eq!(store.revoke_token(&issuer, &revocation(1), NOON, 2).await.unwrap().folded, 0);
    assert_eq!(last_change(store, &issuer).await, before);
    assert_eq!(mark(store, &issuer).await, Some(after_noon(1)));
}

pub async fn what_a_mark_covers_already_still_loses_its_being_live(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.mark(&issuer, &mark_of_app(after_noon(5)), NOON).await.unwrap();
    // Kept by a node that had not heard of the mark.
    store.keep_live(&issuer, &place(1), &offer(1, after_noon(1))).await.unwrap();
    store.revoke_token(&issuer, &revocation(1), NOON, MANY).await.unwrap();
    assert_eq!(store.live_token(&issuer, &place(1)).await.unwrap(), None);
}

pub async fn expired_revocations_do_not_count_against_the_bound(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    for n in [1, 2] {
        store.revoke_token(&issuer, &revocation(n), NOON, 2).await.unwrap();
    }
    let now = revocation(1).until;
    assert_eq!(store.revoke_token(&issuer, &revocation(3), now, 2).await.unwrap().folded, 0);
    assert_eq!(mark(store, &issuer).await, None);
    assert_eq!(store.revoke_token(&issuer, &revocation(4), now, 2).await.unwrap().folded, 1);
    assert_eq!(mark(store, &issuer).await, Some(after_noon(2)));
}

pub async fn each_client_has_a_bound_of_its_own(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    for n in 1..=6 {
        let client = Some(word(if n % 2 == 0 { "app" } else { "app2" }));
        let revocation = Revocation { client, ..revocation(n) };
        assert_eq!(store.revoke_token(&issuer, &revocation, NOON, 3).await.unwrap().folded, 0);
    }
    for n in 7..=20 {
        let unknown = Revocation { client: None, ..revocation(n) };
        assert_eq!(store.revoke_token(&issuer, &unknown, NOON, 3).await.unwrap().folded, 0);
    }
    assert_eq!(mark(store, &issuer).await, None);
    assert_eq!(standing(store, &issuer, 7).await, Standing::Revoked);
}

pub async fn racing_revocations_all_end_their_tokens_and_keep_the_bound(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let revocations: Vec<_> = (1..=40).map(revocation).collect();
    let folded = join_all(revocations.iter().map(|r| store.revoke_token(&issuer, r, NOON, 5))).await;
    let folded: u64 = folded.into_iter().map(|done| done.unwrap().folded).sum();
    let mark = mark(store, &issuer).await;
    let mut stand = 0;
    for revocation in &revocations {
        let n = u32::try_from((revocation.issued_at - NOON).0).unwrap();
        if standing(store, &issuer, n).await == Standing::Revoked {
            stand += 1;
        } else {
            assert!(mark >= Some(revocation.issued_at), "{n} is neither revoked nor covered");
        }
    }
    assert_eq!(stand, 5);
    // Some were covered before their turn came, and never written.
    assert!((1..=35).contains(&folded), "{folded}");
}

pub async fn revocations_of_two_issuers_are_apart(store: &dyn Store) {
    let (acme, other) = (founded(store, "acme").await, founded(store, "other").await);
    store.keep_live(&other, &place(1), &offer(1, NOON)).await.unwrap();
    for n in [1, 2] {
        assert_eq!(store.revoke_token(&acme, &revocation(n), NOON, 2).await.unwrap().folded, 0);
    }
    assert_eq!(standing(store, &other, 1).await, Standing::Good);
    assert!(store.live_token(&other, &place(1)).await.unwrap().is_some());
    assert_eq!(store.revoke_token(&other, &revocation(3), NOON, 2).await.unwrap().folded, 0);
    assert_eq!(mark(store, &acme).await, None);
}

pub async fn an_administrator_revokes_within_the_act(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let before = last_change(store, &issuer).await;
    let refused = vec![Edit::Revoke(revocation(1)), Edit::PutClient(client("cards"))];
    assert!(matches!(store.commit(act(&issuer, refused)).await, Err(StoreError::Conflict(_))));
    assert_eq!(standing(store, &issuer, 1).await, Standing::Good);
    store.commit(act(&issuer, vec![Edit::Revoke(revocation(1))])).await.unwrap();
    assert_eq!(standing(store, &issuer, 1).await, Standing::Revoked);
    assert_eq!(last_change(store, &issuer).await, before + 1);
}
