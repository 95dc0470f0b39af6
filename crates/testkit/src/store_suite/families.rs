//! Families of refresh tokens.

use ficha_core::ports::{Edit, FamilyUse, Standing, Trade};
use ficha_types::Seconds;
use futures_util::future::join_all;

use super::{
    Store,
    samples::{NOON, act, advanced, after_noon, cards, family, founded, last_change, token, used},
};

const RACERS: i64 = 64;

pub async fn of_many_racing_first_uses_one_is_done_and_the_others_repeat_it(store: &dyn Store) {
    race(store, 0).await;
}

pub async fn of_many_racing_later_uses_one_is_done_and_the_others_repeat_it(store: &dyn Store) {
    race(store, 3).await;
}

/// Uses one token many times at once, each use at a moment of its own.
async fn race(store: &dyn Store, step: i64) {
    let issuer = founded(store, "acme").await;
    advanced(store, &issuer, 1, step - 1).await;
    let used = used(1, step);
    let racers = (0..RACERS).map(|n| store.trade_refresh(&issuer, &used, after_noon(n)));
    let trades: Vec<_> = join_all(racers).await.into_iter().map(Result::unwrap).collect();
    let won: Vec<_> = (0..).zip(&trades).filter(|(_, trade)| **trade == Trade::Done).collect();
    let [(winner, _)] = won[..] else { panic!("one is done: {trades:?}") };
    let repeated = Trade::Repeated { used_at: after_noon(winner) };
    assert_eq!(trades.iter().filter(|trade| **trade == repeated).count(), trades.len() - 1, "{trades:?}");
}

pub async fn of_racing_uses_of_a_predecessor_and_its_successor_no_honest_one_is_lost(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    advanced(store, &issuer, 1, 0).await;
    let (first, second) = (used(1, 0), used(1, 1));
    let (retry, next) =
        tokio::join!(store.trade_refresh(&issuer, &first, NOON), store.trade_refresh(&issuer, &second, NOON));
    match (retry.unwrap(), next.unwrap()) {
        (Trade::Repeated { used_at }, Trade::Done) => assert_eq!(used_at, NOON),
        (Trade::Replayed, Trade::Done | Trade::Revoked) => {}
        other => panic!("{other:?}"),
    }
}

pub async fn parameters_are_bound_by_their_numbers(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    advanced(store, &issuer, 1, 0).await;
    // The statement names the later parameters first: bound by appearance it would find no row, or another time.
    assert_eq!(store.trade_refresh(&issuer, &used(1, 1), after_noon(7)).await.unwrap(), Trade::Done);
    let again = store.trade_refresh(&issuer, &used(1, 1), after_noon(9)).await.unwrap();
    assert_eq!(again, Trade::Repeated { used_at: after_noon(7) });
}

pub async fn only_step_0_begins_a_family(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    assert_eq!(store.trade_refresh(&issuer, &used(1, 1), NOON).await.unwrap(), Trade::Unknown);
    assert_eq!(store.trade_refresh(&issuer, &used(1, 0), NOON).await.unwrap(), Trade::Done);
}

pub async fn a_step_that_was_not_reached_is_unknown_and_does_no_harm(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    advanced(store, &issuer, 1, 1).await;
    for step in [3, 4, i64::MAX] {
        assert_eq!(store.trade_refresh(&issuer, &used(1, step), NOON).await.unwrap(), Trade::Unknown);
    }
    assert_eq!(store.trade_refresh(&issuer, &used(1, 2), NOON).await.unwrap(), Trade::Done);
}

pub async fn a_retry_is_answered_with_the_time_of_the_first_use_while_the_window_is_open(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    advanced(store, &issuer, 1, 0).await;
    for now in [NOON, after_noon(1), after_noon(120)] {
        let again = store.trade_refresh(&issuer, &used(1, 0), now).await.unwrap();
        assert_eq!(again, Trade::Repeated { used_at: NOON });
    }
    // The last retry did not lengthen the window.
    assert_eq!(store.trade_refresh(&issuer, &used(1, 0), after_noon(121)).await.unwrap(), Trade::Replayed);
}

pub async fn a_retry_after_the_window_is_a_replay_and_ends_the_family(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    advanced(store, &issuer, 1, 0).await;
    assert_eq!(store.trade_refresh(&issuer, &used(1, 0), after_noon(121)).await.unwrap(), Trade::Replayed);
    assert_eq!(store.trade_refresh(&issuer, &used(1, 1), after_noon(121)).await.unwrap(), Trade::Revoked);
    assert_eq!(store.trade_refresh(&issuer, &used(1, 0), NOON).await.unwrap(), Trade::Replayed);
    assert_eq!(store.family_standing(&issuer, &family(1)).await.unwrap(), Standing::Revoked);
}

pub async fn a_predecessor_whose_successor_was_used_is_a_replay_within_the_window_too(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    advanced(store, &issuer, 1, 1).await;
    assert_eq!(store.trade_refresh(&issuer, &used(1, 0), NOON).await.unwrap(), Trade::Replayed);
    assert_eq!(store.trade_refresh(&issuer, &used(1, 2), NOON).await.unwrap(), Trade::Revoked);
}

pub async fn an_administrator_ends_a_family_used_or_not(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    advanced(store, &issuer, 1, 0).await;
    for n in [1, 2] {
        let edit = Edit::EndFamily { family: family(n), api: Some(cards()), keep_until: used(1, 0).keep_until };
        store.commit(act(&issuer, vec![edit])).await.unwrap();
        assert_eq!(store.family_standing(&issuer, &family(n)).await.unwrap(), Standing::Revoked);
    }
    for used in [used(1, 0), used(1, 1), used(2, 0)] {
        assert_eq!(store.trade_refresh(&issuer, &used, after_noon(1)).await.unwrap(), Trade::Revoked);
    }
}

pub async fn a_replay_is_one_change_and_sent_again_none(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    advanced(store, &issuer, 1, 1).await;
    let before = last_change(store, &issuer).await;
    for _ in 0..2 {
        assert_eq!(store.trade_refresh(&issuer, &used(1, 0), NOON).await.unwrap(), Trade::Replayed);
        assert_eq!(last_change(store, &issuer).await, before + 1);
    }
}

pub async fn rotation_is_no_change(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let before = last_change(store, &issuer).await;
    advanced(store, &issuer, 1, 3).await;
    store.trade_refresh(&issuer, &used(1, 3), NOON).await.unwrap();
    assert_eq!(last_change(store, &issuer).await, before);
}

pub async fn revoking_an_unused_family_keeps_its_first_token_from_being_used(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    assert_eq!(store.family_standing(&issuer, &family(1)).await.unwrap(), Standing::Good);
    store.revoke_family(&issuer, &used(1, 0), NOON).await.unwrap();
    assert_eq!(store.family_standing(&issuer, &family(1)).await.unwrap(), Standing::Revoked);
    assert_eq!(store.trade_refresh(&issuer, &used(1, 0), NOON).await.unwrap(), Trade::Revoked);
    assert_eq!(store.trade_refresh(&issuer, &used(2, 0), NOON).await.unwrap(), Trade::Done);
}

pub async fn revoking_a_family_in_use_ends_it(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    advanced(store, &issuer, 1, 1).await;
    assert_eq!(store.family_standing(&issuer, &family(1)).await.unwrap(), Standing::Good);
    store.revoke_family(&issuer, &used(1, 2), NOON).await.unwrap();
    for step in [1, 2] {
        assert_eq!(store.trade_refresh(&issuer, &used(1, step), NOON).await.unwrap(), Trade::Revoked);
    }
}

pub async fn revoking_a_family_is_one_change_and_sent_again_none(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let before = last_change(store, &issuer).await;
    for _ in 0..2 {
        store.revoke_family(&issuer, &used(1, 0), NOON).await.unwrap();
        assert_eq!(last_change(store, &issuer).await, before + 1);
    }
}

pub async fn a_family_that_was_revoked_ends_every_token_beside_it(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let beside = async |n| store.standing(&issuer, &token(1), Some(&family(n)), &cards()).await.unwrap();
    assert_eq!(beside(1).await, Standing::Good);
    store.revoke_family(&issuer, &used(1, 0), NOON).await.unwrap();
    assert_eq!((beside(1).await, beside(2).await), (Standing::Revoked, Standing::Good));
    assert_eq!(store.standing(&issuer, &token(1), None, &cards()).await.unwrap(), Standing::Good);
}

pub async fn a_shorter_use_does_not_shorten_how_long_a_family_is_kept(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    advanced(store, &issuer, 1, 0).await;
    let mut shorter = used(1, 1);
    shorter.keep_until = NOON + Seconds::hours(1);
    assert_eq!(store.trade_refresh(&issuer, &shorter, NOON).await.unwrap(), Trade::Done);
    store.revoke_family(&issuer, &shorter, NOON).await.unwrap();
    store.purge(NOON + Seconds::days(7) - Seconds(1), 100).await.unwrap();
    assert_eq!(store.family_standing(&issuer, &family(1)).await.unwrap(), Standing::Revoked);
}

pub async fn a_longer_use_keeps_a_family_longer(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    advanced(store, &issuer, 1, 0).await;
    let mut longer = used(1, 1);
    longer.keep_until = NOON + Seconds::days(9);
    assert_eq!(store.trade_refresh(&issuer, &longer, NOON).await.unwrap(), Trade::Done);
    store.purge(NOON + Seconds::days(9) - Seconds(1), 100).await.unwrap();
    assert_eq!(store.trade_refresh(&issuer, &used(1, 2), NOON).await.unwrap(), Trade::Done);
}

pub async fn families_of_two_issuers_are_apart(store: &dyn Store) {
    let (acme, other) = (founded(store, "acme").await, founded(store, "other").await);
    advanced(store, &acme, 1, 1).await;
    assert_eq!(store.trade_refresh(&other, &used(1, 2), NOON).await.unwrap(), Trade::Unknown);
    assert_eq!(store.trade_refresh(&other, &used(1, 0), NOON).await.unwrap(), Trade::Done);
    store.revoke_family(&other, &used(1, 1), NOON).await.unwrap();
    assert_eq!(store.family_standing(&acme, &family(1)).await.unwrap(), Standing::Good);
    assert_eq!(store.trade_refresh(&acme, &used(1, 2), NOON).await.unwrap(), Trade::Done);
}

pub async fn a_token_that_expired_meanwhile_gets_its_successor_again_and_is_not_used_any_more(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let late = |step| FamilyUse { only_repeat: true, ..used(1, step) };
    assert_eq!(store.trade_refresh(&issuer, &late(0), NOON).await.unwrap(), Trade::Unknown);
    advanced(store, &issuer, 1, 1).await;
    assert_eq!(store.trade_refresh(&issuer, &late(2), NOON).await.unwrap(), Trade::Unknown);
    assert_eq!(store.trade_refresh(&issuer, &late(1), NOON).await.unwrap(), Trade::Repeated { used_at: NOON });
    assert_eq!(store.trade_refresh(&issuer, &used(1, 2), NOON).await.unwrap(), Trade::Done);
}
