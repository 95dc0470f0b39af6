//! What runs by itself.

use ficha_core::ports::{Edit, LiveKey, PurgeReport, SecretUse, Standing, Trade};
use ficha_types::{IssuerName, Seconds, UnixSeconds};

use super::{
    Store,
    samples::{
        NOON, act, after_noon, app, cards, client, family, founded, last_change, offer, place, revocation, token, used,
    },
};

fn gone(report: &PurgeReport, table: &str) -> u64 {
    report.rows.iter().filter(|(name, _)| *name == table).map(|(_, n)| n).sum()
}

pub async fn purge_takes_what_is_over_and_leaves_what_is_needed(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let (early, late) = (NOON + Seconds::hours(1), NOON + Seconds::hours(2));
    for (n, end) in [(1, early), (2, late)] {
        let mut offer = offer(n, NOON);
        offer.row.expires_at = end;
        store.keep_live(&issuer, &place(u8::try_from(n).unwrap()), &offer).await.unwrap();
        let mut used = used(n, 0);
        used.keep_until = end;
        store.trade_refresh(&issuer, &used, NOON).await.unwrap();
        let mut revocation = revocation(10 + n);
        revocation.until = end;
        store.revoke_token(&issuer, &revocation, NOON, 100).await.unwrap();
    }
    let before = store.purge(early - Seconds(1), 100).await.unwrap();
    assert_eq!(before.total(), 0, "{before:?}");
    let report = store.purge(early, 100).await.unwrap();
    assert_eq!(["live_tokens", "families", "revocations", "changes"].map(|table| gone(&report, table)), [1, 1, 1, 0]);
    assert_eq!(store.live_token(&issuer, &place(1)).await.unwrap(), None);
    assert!(store.live_token(&issuer, &place(2)).await.unwrap().is_some());
    assert_eq!(store.trade_refresh(&issuer, &used(1, 1), NOON).await.unwrap(), Trade::Unknown);
    assert_eq!(store.trade_refresh(&issuer, &used(2, 1), NOON).await.unwrap(), Trade::Done);
    let standing = async |n| store.standing(&issuer, &token(n), None, &cards()).await.unwrap();
    assert_eq!((standing(11).await, standing(12).await), (Standing::Good, Standing::Revoked));
}

pub async fn changes_are_kept_for_a_day(store: &dyn Store) {
    founded(store, "acme").await;
    let day = NOON + Seconds::days(1);
    assert_eq!(store.purge(day - Seconds(1), 100).await.unwrap().total(), 0);
    assert_eq!(gone(&store.purge(day, 100).await.unwrap(), "changes"), 3);
}

pub async fn a_purged_change_leaves_the_numbers_alone(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let before = last_change(store, &issuer).await;
    store.purge(NOON + Seconds::days(2), 100).await.unwrap();
    assert_eq!(last_change(store, &issuer).await, before);
    store.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap();
    assert_eq!(last_change(store, &issuer).await, before + 1);
}

pub async fn purge_goes_in_small_steps_over_all_issuers(store: &dyn Store) {
    for name in ["acme", "other"] {
        let issuer = founded(store, name).await;
        for n in 1..=5_u8 {
            let place = LiveKey { client: app(), ..place(n) };
            store.keep_live(&issuer, &place, &offer(n.into(), NOON)).await.unwrap();
            store.trade_refresh(&issuer, &used(n.into(), 0), NOON).await.unwrap();
            store.revoke_token(&issuer, &revocation(u32::from(n) + 20), NOON, 100).await.unwrap();
        }
    }
    let later = NOON + Seconds::days(30);
    for (step, each) in [3, 3, 3, 1, 0].into_iter().enumerate() {
        let report = store.purge(later, 3).await.unwrap();
        for table in ["live_tokens", "families", "revocations"] {
            assert_eq!(gone(&report, table), each, "{table} in step {step}");
        }
    }
}

pub async fn purge_is_no_change_and_leaves_marks_and_records(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.mark(&issuer, &super::samples::mark_of_app(NOON), NOON).await.unwrap();
    let before = last_change(store, &issuer).await;
    store.purge(UnixSeconds(i64::MAX), 1000).await.unwrap();
    assert_eq!(last_change(store, &issuer).await, before);
    let found = store.client(&issuer, &app()).await.unwrap().unwrap();
    assert_eq!((found.client, found.mark), (client("app"), Some(NOON)));
}

pub async fn purged_revocations_do_not_count_against_the_bound(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    for n in [1, 2] {
        store.revoke_token(&issuer, &revocation(n), NOON, 2).await.unwrap();
    }
    assert_eq!(gone(&store.purge(revocation(2).until, 100).await.unwrap(), "revocations"), 2);
    // Asked as of a moment before they ended: only what is there counts.
    for n in [3, 4] {
        assert_eq!(store.revoke_token(&issuer, &revocation(n), NOON, 2).await.unwrap().folded, 0);
    }
    assert_eq!(store.revoke_token(&issuer, &revocation(5), NOON, 2).await.unwrap().folded, 1);
}

pub async fn a_family_is_kept_until_its_last_token_is_over(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    store.revoke_family(&issuer, &used(1, 0), NOON).await.unwrap();
    store.purge(used(1, 0).keep_until - Seconds(1), 100).await.unwrap();
    assert_eq!(store.family_standing(&issuer, &family(1)).await.unwrap(), Standing::Revoked);
}

fn secret_use(issuer: &IssuerName, owner: &str, at: UnixSeconds) -> SecretUse {
    SecretUse { issuer: issuer.clone(), owner: owner.to_owned(), secret: "first".to_owned(), at }
}

pub async fn last_uses_of_secrets_are_kept_and_never_move_back(store: &dyn Store) {
    let (acme, other) = (founded(store, "acme").await, founded(store, "other").await);
    let uses = [secret_use(&acme, "app", after_noon(5)), secret_use(&acme, "app2", after_noon(1))];
    store.note_secret_uses(&uses).await.unwrap();
    store.note_secret_uses(&[secret_use(&acme, "app", NOON), secret_use(&other, "app", NOON)]).await.unwrap();
    assert_eq!(store.secret_uses(&acme, "app").await.unwrap(), [secret_use(&acme, "app", after_noon(5))]);
    assert_eq!(store.secret_uses(&other, "app").await.unwrap(), [secret_use(&other, "app", NOON)]);
    assert_eq!(store.secret_uses(&acme, "nobody").await.unwrap(), []);
}

pub async fn last_uses_are_no_change_and_go_with_their_owner(store: &dyn Store) {
    let issuer = founded(store, "acme").await;
    let before = last_change(store, &issuer).await;
    store.note_secret_uses(&[secret_use(&issuer, "app", NOON), secret_use(&issuer, "cards", NOON)]).await.unwrap();
    assert_eq!(last_change(store, &issuer).await, before);
    let removal = vec![Edit::RemoveClient(app()), Edit::RemoveApi(cards())];
    store.commit(act(&issuer, removal)).await.unwrap();
    assert_eq!(store.secret_uses(&issuer, "app").await.unwrap(), []);
    assert_eq!(store.secret_uses(&issuer, "cards").await.unwrap(), []);
}
