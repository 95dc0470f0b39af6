//! What stands against tokens, for an API that begins to follow.

use ficha_core::{
    ports::{Against, Edit, Revocation, StandingPlace, Standings},
    records::{Mark, Marked},
};
use ficha_types::{IssuerName, Seconds, UnixSeconds};

use super::{
    Store,
    samples::{NOON, act, after_noon, app, cards, family, founded, key, mark_of_app, revocation, token, used, word},
};

fn wanted(api: &str) -> Standings {
    Standings { api: word(api), now: NOON, marks_after: NOON - Seconds::hours(2) }
}

/// Everything, by pages of `limit`.
async fn told(store: &dyn Store, issuer: &IssuerName, (wanted, limit): (&Standings, u32)) -> Vec<Against> {
    let (mut all, mut next) = (Vec::new(), Some(StandingPlace::Start));
    while let Some(place) = next {
        let page = store.standing_page(issuer, wanted, &place, limit).await.unwrap();
        assert!(page.facts.len() <= usize::try_from(limit).unwrap());
        all.extend(page.facts);
        next = page.next;
    }
    all
}

async fn against_everybody(store: &dyn Store, issuer: &IssuerName) {
    let marks = [
        (Marked::Issuer, 1),
        (Marked::Client(app()), 2),
        (Marked::ClientAtApi(app(), cards()), 3),
        (Marked::ClientAtApi(app(), word("users")), 4),
        (Marked::User(word("u-1")), 5),
    ];
    for (whose, at) in marks {
        store.mark(issuer, &Mark { whose, at: after_noon(at) }, NOON).await.unwrap();
    }
    for n in 10..15 {
        store.revoke_token(issuer, &revocation(n), NOON, 100).await.unwrap();
    }
    let at_cards = Revocation { api: Some(cards()), ..revocation(10) };
    store.revoke_token(issuer, &at_cards, NOON, 100).await.unwrap();
    let elsewhere = Revocation { api: Some(word("users")), ..revocation(20) };
    store.revoke_token(issuer, &elsewhere, NOON, 100).await.unwrap();
    store.trade_refresh(issuer, &used(1, 0), NOON).await.unwrap();
    store.revoke_family(issuer, &used(2, 0), NOON).await.unwrap();
    store.commit(act(issuer, vec![Edit::PutKey(key("k1")), Edit::RemoveKey(word("k1"))])).await.unwrap();
}

pub async fn everything_that_stands_is_told_once_whatever_the_size_of_pages(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    founded(store, "other").await;
    against_everybody(store, &issuer).await;
    let wanted = wanted("cards");
    let whole = told(store, &issuer, (&wanted, 1000)).await;
    assert_eq!(whole.len(), 4 + 6 + 1 + 1, "{whole:?}");
    assert_eq!(store.standing_count(&issuer, &wanted).await.unwrap(), 12);
    for limit in [1, 2, 3, 5] {
        assert_eq!(told(store, &issuer, (&wanted, limit)).await, whole, "pages of {limit}");
    }
    for against in [
        Against::Issuer(after_noon(1)),
        Against::Client(app(), after_noon(2)),
        Against::Client(app(), after_noon(3)),
        Against::User(word("u-1"), after_noon(5)),
        Against::Token(token(14), after_noon(14) + Seconds::hours(1)),
        Against::Key(word("k1")),
    ] {
        assert!(whole.contains(&against), "{against:?} in {whole:?}");
    }
    assert!(
        whole.iter().any(|against| matches!(against, Against::Family(id, until) if *id == family(2) && *until > NOON))
    );
    assert!(told(store, &word("other"), (&wanted, 1000)).await.is_empty(), "issuers are kept apart");
}

pub async fn an_api_is_told_nothing_that_is_bound_to_another(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    against_everybody(store, &issuer).await;
    let whole = told(store, &issuer, (&wanted("users"), 1000)).await;
    assert!(whole.contains(&Against::Client(app(), after_noon(4))), "{whole:?}");
    assert!(!whole.contains(&Against::Client(app(), after_noon(3))), "{whole:?}");
    assert!(whole.contains(&Against::Token(token(20), after_noon(20) + Seconds::hours(1))), "{whole:?}");
    assert_eq!(whole.iter().filter(|against| matches!(against, Against::Token(..))).count(), 6, "{whole:?}");
    assert!(!whole.iter().any(|against| matches!(against, Against::Family(..))), "{whole:?}");
}

pub async fn what_is_over_is_not_told(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.mark(&issuer, &mark_of_app(after_noon(9)), NOON).await.unwrap();
    store.revoke_token(&issuer, &revocation(10), NOON, 100).await.unwrap();
    store.revoke_family(&issuer, &used(2, 0), NOON).await.unwrap();
    let at = |now: UnixSeconds, marks_after| Standings { api: cards(), now, marks_after };
    for (wanted, count) in [
        (at(NOON, NOON), 3),
        (at(NOON, after_noon(9)), 2),
        (at(after_noon(10) + Seconds::hours(1), NOON), 2),
        (at(NOON + Seconds::days(30), after_noon(9)), 0),
    ] {
        assert_eq!(told(store, &issuer, (&wanted, 1000)).await.len(), count, "{wanted:?}");
        assert_eq!(store.standing_count(&issuer, &wanted).await.unwrap(), u64::try_from(count).unwrap());
    }
}
