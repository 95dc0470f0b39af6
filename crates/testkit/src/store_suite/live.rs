//! Live tokens.

use ficha_core::ports::{Kept, MAX_LIVE};
use ficha_core::{ports::Edit, records::Client};
use ficha_types::Seconds;
use futures_util::future::join_all;

use super::{
    Store,
    samples::{NOON, act, after_noon, api, app, client, founded, key, last_change, offer, place, word},
};

pub async fn the_first_offer_is_kept_and_read_back_whole(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    assert_eq!(store.live_token(&issuer, &place(1)).await.unwrap(), None);
    assert_eq!(store.keep_live(&issuer, &place(1), &offer(1, NOON)).await.unwrap(), Kept::Mine);
    assert_eq!(store.live_token(&issuer, &place(1)).await.unwrap(), Some(offer(1, NOON).row));
}

pub async fn a_live_token_is_found_by_its_whole_key(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.keep_live(&issuer, &place(1), &offer(1, NOON)).await.unwrap();
    let (mut other_client, mut other_api) = (place(1), place(1));
    other_client.client = word("app2");
    other_api.api = word("cards2");
    for elsewhere in [place(2), other_client, other_api] {
        assert_eq!(store.live_token(&issuer, &elsewhere).await.unwrap(), None);
    }
}

pub async fn of_many_racing_offers_one_is_kept_and_all_answer_it(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    race(store, &issuer, 1..65).await;
}

pub async fn of_many_racing_renewals_one_is_kept_and_all_answer_it(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let mut old = offer(0, NOON);
    old.row.expires_at = after_noon(30);
    store.keep_live(&issuer, &place(1), &old).await.unwrap();
    race(store, &issuer, 1..65).await;
}

async fn race(store: &dyn Store, issuer: &ficha_types::IssuerName, numbers: std::ops::Range<u32>) {
    let (place, offers) = (place(1), numbers.map(|n| offer(n, NOON)).collect::<Vec<_>>());
    let kept = join_all(offers.iter().map(|offer| store.keep_live(issuer, &place, offer))).await;
    let kept: Vec<_> = kept.into_iter().map(Result::unwrap).collect();
    let mine: Vec<_> = offers.iter().zip(&kept).filter(|(_, kept)| **kept == Kept::Mine).collect();
    let [(winner, _)] = mine[..] else { panic!("one is kept: {kept:?}") };
    let other = Kept::Other(winner.row.clone());
    assert_eq!(kept.iter().filter(|kept| **kept == other).count(), kept.len() - 1, "{kept:?}");
    assert_eq!(store.live_token(issuer, &place).await.unwrap().as_ref(), Some(&winner.row));
}

pub async fn one_that_lasts_long_enough_is_answered_instead(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.keep_live(&issuer, &place(1), &offer(1, NOON)).await.unwrap();
    let mut second = offer(2, after_noon(10));
    second.fresh_after = offer(1, NOON).row.expires_at - Seconds(1);
    second.not_before = NOON - Seconds(1);
    let kept = store.keep_live(&issuer, &place(1), &second).await.unwrap();
    assert_eq!(kept, Kept::Other(offer(1, NOON).row));
}

pub async fn one_that_ends_too_soon_is_replaced(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.keep_live(&issuer, &place(1), &offer(1, NOON)).await.unwrap();
    let mut second = offer(2, after_noon(10));
    second.fresh_after = offer(1, NOON).row.expires_at;
    assert_eq!(store.keep_live(&issuer, &place(1), &second).await.unwrap(), Kept::Mine);
    assert_eq!(store.live_token(&issuer, &place(1)).await.unwrap(), Some(second.row));
}

pub async fn one_that_a_mark_covers_is_replaced(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.keep_live(&issuer, &place(1), &offer(1, NOON)).await.unwrap();
    let mut second = offer(2, after_noon(10));
    second.not_before = NOON;
    assert_eq!(store.keep_live(&issuer, &place(1), &second).await.unwrap(), Kept::Mine);
    assert_eq!(store.live_token(&issuer, &place(1)).await.unwrap(), Some(second.row));
}

pub async fn the_same_offer_sent_again_is_mine_again(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let mut old = offer(1, NOON);
    old.row.expires_at = after_noon(30);
    store.keep_live(&issuer, &place(1), &old).await.unwrap();
    let renewal = offer(2, NOON);
    assert_eq!(store.keep_live(&issuer, &place(1), &renewal).await.unwrap(), Kept::Mine);
    let before = last_change(store, &issuer).await;
    assert_eq!(store.keep_live(&issuer, &place(1), &renewal).await.unwrap(), Kept::Mine);
    assert_eq!(last_change(store, &issuer).await, before);
}

pub async fn a_replaced_live_token_is_a_change_and_a_first_one_is_none(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let before = last_change(store, &issuer).await;
    store.keep_live(&issuer, &place(1), &offer(1, NOON)).await.unwrap();
    assert_eq!(last_change(store, &issuer).await, before);
    store.keep_live(&issuer, &place(1), &offer(2, NOON + Seconds::hours(1))).await.unwrap();
    assert_eq!(last_change(store, &issuer).await, before + 1);
}

pub async fn above_the_most_of_a_client_and_api_an_offer_is_not_kept(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let most = u8::try_from(MAX_LIVE).unwrap();
    for n in 0..most {
        assert_eq!(store.keep_live(&issuer, &place(n), &offer(n.into(), NOON)).await.unwrap(), Kept::Mine);
    }
    assert_eq!(store.keep_live(&issuer, &place(most), &offer(99, NOON)).await.unwrap(), Kept::Full);
    assert_eq!(store.live_token(&issuer, &place(most)).await.unwrap(), None);
    // Those that are there may be renewed, and other APIs and clients have places of their own.
    let mut covered = offer(98, NOON);
    covered.not_before = NOON;
    assert_eq!(store.keep_live(&issuer, &place(3), &covered).await.unwrap(), Kept::Mine);
    let (mut other_api, mut other_client) = (place(most), place(most));
    other_api.api = word("cards2");
    other_client.client = word("app2");
    for elsewhere in [other_api, other_client] {
        assert_eq!(store.keep_live(&issuer, &elsewhere, &offer(97, NOON)).await.unwrap(), Kept::Mine);
    }
}

pub async fn expired_ones_take_no_place(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let most = u8::try_from(MAX_LIVE).unwrap();
    for n in 0..most {
        store.keep_live(&issuer, &place(n), &offer(n.into(), NOON)).await.unwrap();
    }
    let later = NOON + Seconds::hours(1);
    assert_eq!(store.keep_live(&issuer, &place(most), &offer(99, later)).await.unwrap(), Kept::Mine);
}

pub async fn of_racing_offers_for_the_last_place_one_is_kept(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let most = u8::try_from(MAX_LIVE).unwrap();
    for n in 1..most {
        store.keep_live(&issuer, &place(n), &offer(n.into(), NOON)).await.unwrap();
    }
    let offers: Vec<_> = (100..116_u8).map(|n| (place(n), offer(n.into(), NOON))).collect();
    let kept = join_all(offers.iter().map(|(place, offer)| store.keep_live(&issuer, place, offer))).await;
    let kept: Vec<_> = kept.into_iter().map(Result::unwrap).collect();
    assert_eq!(kept.iter().filter(|kept| **kept == Kept::Mine).count(), 1, "{kept:?}");
    assert_eq!(kept.iter().filter(|kept| **kept == Kept::Full).count(), 15, "{kept:?}");
}

pub async fn another_policy_ends_the_clients_live_tokens_and_the_same_does_not(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.commit(act(&issuer, vec![Edit::PutClient(client("app2"))])).await.unwrap();
    let mut other = place(1);
    other.client = word("app2");
    for place in [&place(1), &other] {
        store.keep_live(&issuer, place, &offer(1, NOON)).await.unwrap();
    }
    let same = Client { max_concurrent: 5, ..client("app") };
    store.commit(act(&issuer, vec![Edit::PutClient(same)])).await.unwrap();
    assert!(store.live_token(&issuer, &place(1)).await.unwrap().is_some());
    let changed = Client { policy: 2, ..client("app") };
    store.commit(act(&issuer, vec![Edit::PutClient(changed)])).await.unwrap();
    assert_eq!(store.live_token(&issuer, &place(1)).await.unwrap(), None);
    assert!(store.live_token(&issuer, &other).await.unwrap().is_some());
}

pub async fn what_is_taken_away_takes_its_live_tokens_along(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.commit(act(&issuer, vec![Edit::PutApi(api("cards2")), Edit::PutKey(key("k2"))])).await.unwrap();
    let mut at_api = place(1);
    at_api.api = word("cards2");
    let mut of_key = offer(3, NOON);
    "k2".clone_into(&mut of_key.row.kid);
    store.keep_live(&issuer, &place(1), &offer(1, NOON)).await.unwrap();
    store.keep_live(&issuer, &at_api, &offer(2, NOON)).await.unwrap();
    store.keep_live(&issuer, &place(3), &of_key).await.unwrap();
    let there = || async {
        let mut there = [true; 3];
        for (is_there, place) in there.iter_mut().zip([&place(1), &at_api, &place(3)]) {
            *is_there = store.live_token(&issuer, place).await.unwrap().is_some();
        }
        there
    };
    store.commit(act(&issuer, vec![Edit::RemoveKey(word("k2"))])).await.unwrap();
    assert_eq!(there().await, [true, true, false]);
    store.commit(act(&issuer, vec![Edit::RemoveApi(word("cards2"))])).await.unwrap();
    assert_eq!(there().await, [true, false, false]);
    store.commit(act(&issuer, vec![Edit::RemoveClient(app())])).await.unwrap();
    assert_eq!(there().await, [false, false, false]);
}

pub async fn live_tokens_of_two_issuers_are_apart(store: &dyn Store) {
    let (acme, other) = (founded(store, "acme").await, founded(store, "other").await);
    store.keep_live(&acme, &place(1), &offer(1, NOON)).await.unwrap();
    assert_eq!(store.live_token(&other, &place(1)).await.unwrap(), None);
    assert_eq!(store.keep_live(&other, &place(1), &offer(2, NOON)).await.unwrap(), Kept::Mine);
    let removal = vec![Edit::RemoveClient(app()), Edit::RemoveApi(word("cards")), Edit::RemoveKey(word("k1"))];
    store.commit(act(&other, removal)).await.unwrap();
    assert_eq!(store.live_token(&acme, &place(1)).await.unwrap(), Some(offer(1, NOON).row));
}
