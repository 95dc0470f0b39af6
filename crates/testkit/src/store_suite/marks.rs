//! Not-before marks.

use ficha_core::{
    ports::{Edit, LiveKey},
    records::{Mark, Marked},
};
use ficha_types::{IssuerName, Seconds};
use futures_util::future::join_all;

use super::{
    Store,
    samples::{NOON, act, after_noon, app, cards, founded, last_change, mark_of_app, offer, place, user, word},
};

pub async fn a_mark_never_moves_back(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    assert_eq!(store.mark(&issuer, &mark_of_app(after_noon(5)), NOON).await.unwrap().at, after_noon(5));
    assert_eq!(store.mark(&issuer, &mark_of_app(after_noon(3)), NOON).await.unwrap().at, after_noon(5));
    assert_eq!(store.mark(&issuer, &mark_of_app(after_noon(9)), NOON).await.unwrap().at, after_noon(9));
    store.commit(act(&issuer, vec![Edit::PutMark(mark_of_app(NOON))])).await.unwrap();
    assert_eq!(store.client(&issuer, &app()).await.unwrap().unwrap().mark, Some(after_noon(9)));
}

pub async fn of_racing_marks_the_latest_stands(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let marks: Vec<_> = [3, 9, 1, 7].map(|n| mark_of_app(after_noon(n))).to_vec();
    let stood = join_all(marks.iter().map(|mark| store.mark(&issuer, mark, NOON))).await;
    for (mark, stood) in marks.iter().zip(stood) {
        assert!(stood.unwrap().at >= mark.at);
    }
    assert_eq!(store.client(&issuer, &app()).await.unwrap().unwrap().mark, Some(after_noon(9)));
}

pub async fn a_mark_is_one_change_and_sent_again_none(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let before = last_change(store, &issuer).await;
    for _ in 0..2 {
        store.mark(&issuer, &mark_of_app(NOON), NOON).await.unwrap();
        assert_eq!(last_change(store, &issuer).await, before + 1);
    }
}

pub async fn marks_are_read_with_what_they_cover(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.commit(act(&issuer, vec![Edit::PutUser(user("ana", "u-1"))])).await.unwrap();
    let read = || async {
        let client = store.client(&issuer, &app()).await.unwrap().unwrap();
        let by_name = store.user(&issuer, &word("ana")).await.unwrap().unwrap();
        let by_sub = store.user_by_subject(&issuer, &word("u-1")).await.unwrap().unwrap();
        assert_eq!(by_name, by_sub);
        let whole = store.issuer(&issuer).await.unwrap().unwrap().mark;
        (whole, client.mark, client.api_marks, by_name.mark)
    };
    assert_eq!(read().await, (None, None, vec![], None));
    for (whose, at) in [
        (Marked::Issuer, 1),
        (Marked::Client(app()), 2),
        (Marked::ClientAtApi(app(), cards()), 3),
        (Marked::ClientAtApi(app(), word("users")), 4),
        (Marked::User(word("u-1")), 5),
    ] {
        let mark = Mark { whose, at: after_noon(at) };
        assert_eq!(store.mark(&issuer, &mark, NOON).await.unwrap().at, mark.at);
    }
    let at_apis = vec![(cards(), after_noon(3)), (word("users"), after_noon(4))];
    let (whole, of_client, mut of_apis, of_user) = read().await;
    of_apis.sort();
    assert_eq!((whole, of_client, of_apis), (Some(after_noon(1)), Some(after_noon(2)), at_apis));
    assert_eq!(of_user, Some(after_noon(5)));
}

pub async fn a_user_and_a_client_of_one_name_have_marks_of_their_own(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.mark(&issuer, &Mark { whose: Marked::User(word("app")), at: NOON }, NOON).await.unwrap();
    assert_eq!(store.client(&issuer, &app()).await.unwrap().unwrap().mark, None);
}

/// Live tokens of two clients at two APIs, issued at noon and 10 s later.
async fn live_tokens(store: &dyn Store, issuer: &IssuerName) -> Vec<(LiveKey, bool)> {
    let mut n = 0;
    let mut there = Vec::new();
    for client in ["app", "app2"] {
        for api in ["cards", "users"] {
            for late in [false, true] {
                n += 1;
                let place = LiveKey { client: word(client), api: word(api), ..place(u8::from(late)) };
                let now = if late { after_noon(10) } else { NOON };
                store.keep_live(issuer, &place, &offer(n, now)).await.unwrap();
                there.push((place, late));
            }
        }
    }
    there
}

/// Sets a mark at noon: of the early live tokens those that `covers` says end, no others.
async fn ends(store: &dyn Store, whose: Marked, covers: fn(&LiveKey) -> bool) {
    let (issuer, other) = (founded(store, "acme").await, founded(store, "other").await);
    let (mine, others) = (live_tokens(store, &issuer).await, live_tokens(store, &other).await);
    store.mark(&issuer, &Mark { whose, at: NOON }, NOON + Seconds(10)).await.unwrap();
    for (place, late) in &mine {
        let there = store.live_token(&issuer, place).await.unwrap().is_some();
        assert_eq!(there, *late || !covers(place), "{place:?} late: {late}");
    }
    for (place, _) in &others {
        assert!(store.live_token(&other, place).await.unwrap().is_some(), "{place:?}");
    }
}

pub async fn a_clients_mark_ends_its_live_tokens(store: &dyn Store) {
    ends(store, Marked::Client(app()), |place| place.client.as_str() == "app").await;
}

pub async fn a_clients_mark_at_an_api_ends_its_live_tokens_there(store: &dyn Store) {
    let covers = |place: &LiveKey| place.client.as_str() == "app" && place.api.as_str() == "cards";
    ends(store, Marked::ClientAtApi(app(), cards()), covers).await;
}

pub async fn an_issuers_mark_ends_all_its_live_tokens(store: &dyn Store) {
    ends(store, Marked::Issuer, |_| true).await;
}

pub async fn a_users_mark_ends_no_live_token(store: &dyn Store) {
    ends(store, Marked::User(word("app")), |_| false).await;
}

pub async fn a_mark_that_comes_with_an_act_ends_live_tokens_too(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.keep_live(&issuer, &place(1), &offer(1, NOON)).await.unwrap();
    store.commit(act(&issuer, vec![Edit::PutMark(mark_of_app(NOON))])).await.unwrap();
    assert_eq!(store.live_token(&issuer, &place(1)).await.unwrap(), None);
}

pub async fn marks_of_two_issuers_are_apart(store: &dyn Store) {
    let (acme, other) = (founded(store, "acme").await, founded(store, "other").await);
    for whose in [Marked::Issuer, Marked::Client(app()), Marked::ClientAtApi(app(), cards())] {
        store.mark(&acme, &Mark { whose, at: NOON }, NOON).await.unwrap();
    }
    let client = store.client(&other, &app()).await.unwrap().unwrap();
    assert_eq!((client.mark, client.api_marks), (None, vec![]));
    assert_eq!(store.issuer(&other).await.unwrap().unwrap().mark, None);
}
