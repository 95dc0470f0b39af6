//! Carrying an embedded database over to PostgreSQL.
#![expect(clippy::unwrap_used, reason = "all of it is tests")]

use std::{sync::Arc, time::Duration};

use ficha_core::ports::{ClientStore, Edit, FeedStore, OperatorStore, Page, Standing, TokenStore, Trade};
use ficha_store::{Carried, CarryError, OpenOptions, PostgresOptions, PostgresStore, SqliteStore, carry};
use ficha_testkit::{
    postgres,
    store_suite::samples::{NOON, act, app, cards, client, founded, last_change, mark_of_app, revocation, token, used},
};
use tempfile::TempDir;

const LONG: Duration = Duration::from_mins(1);

fn options(url: &str) -> PostgresOptions {
    PostgresOptions { pool: 4, wait: LONG, statement: LONG, lock: LONG, ..PostgresOptions::new(url) }
}

fn embedded() -> (Arc<SqliteStore>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Arc::new(SqliteStore::open(&folder.path().join("ficha.db"), &OpenOptions::default()).unwrap()), folder)
}

fn rows(carried: &[Carried], table: &str) -> u64 {
    carried.iter().find(|c| c.table == table).unwrap().rows
}

#[tokio::test]
async fn everything_is_carried_over_and_goes_on_there() {
    let (from, _folder) = embedded();
    let issuer = founded(&*from, "acme").await;
    let many = (0..1500).map(|n| Edit::PutClient(client(&format!("client-{n}")))).collect();
    from.commit(act(&issuer, many)).await.unwrap();
    from.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap();
    from.mark(&issuer, &mark_of_app(NOON), NOON).await.unwrap();
    assert_eq!(from.trade_refresh(&issuer, &used(0, 0), NOON).await.unwrap(), Trade::Done);
    from.set_note("master", "0123").await.unwrap();
    let before = from.issuer(&issuer).await.unwrap().unwrap();

    let database = postgres::shared().database();
    let mut told = Vec::new();
    let carried = carry(from.clone(), &options(&database.url()), &mut |done, total| told.push((done, total))).await;
    let carried = carried.unwrap();
    assert_eq!((rows(&carried, "clients"), rows(&carried, "families")), (1501, 1));
    let total: u64 = carried.iter().map(|c| c.rows).sum();
    assert_eq!(told.last(), Some(&(total, total)));

    let to = PostgresStore::open(&options(&database.url())).await.unwrap();
    let after = to.issuer(&issuer).await.unwrap().unwrap();
    assert_eq!((after.issuer, after.apis, after.change), (before.issuer, before.apis, before.change));
    assert_eq!((after.keys, after.sealing), (before.keys, before.sealing));
    assert_eq!(to.client(&issuer, &app()).await.unwrap(), from.client(&issuer, &app()).await.unwrap());
    let page = || Page { after: String::new(), limit: 1000 };
    assert_eq!(to.clients(&issuer, page()).await.unwrap(), from.clients(&issuer, page()).await.unwrap());
    assert_eq!(to.standing(&issuer, &token(1), None, &cards()).await.unwrap(), Standing::Revoked);
    assert_eq!(to.note("master").await.unwrap().as_deref(), Some("0123"));
    assert_eq!(to.trade_refresh(&issuer, &used(0, 1), NOON).await.unwrap(), Trade::Done, "the next step of the family");
    assert_eq!(
        to.changes_since(&issuer, 0, 10_000).await.unwrap(),
        from.changes_since(&issuer, 0, 10_000).await.unwrap()
    );
    to.commit(act(&issuer, vec![Edit::PutClient(client("new"))])).await.unwrap();
    assert_eq!(last_change(&to, &issuer).await, before.change + 1);
}

#[tokio::test]
async fn a_target_that_holds_something_is_refused_and_stays_as_it_is() {
    let (from, _folder) = embedded();
    founded(&*from, "acme").await;
    let database = postgres::shared().database();
    let to = PostgresStore::open(&options(&database.url())).await.unwrap();
    let other = founded(&to, "other").await;
    let refused = carry(from.clone(), &options(&database.url()), &mut |_, _| {}).await;
    assert!(matches!(refused, Err(CarryError::NotEmpty { .. })), "{refused:?}");
    assert!(to.issuer(&other).await.unwrap().is_some());
    assert!(to.issuer(&"acme".parse().unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_target_on_which_a_node_runs_is_refused() {
    let (from, _folder) = embedded();
    founded(&*from, "acme").await;
    let database = postgres::shared().database();
    let to = PostgresStore::open(&options(&database.url())).await.unwrap();
    to.beat(&"node-1".parse().unwrap(), ficha_types::UnixMillis(0)).await.unwrap();
    let refused = carry(from.clone(), &options(&database.url()), &mut |_, _| {}).await;
    assert!(matches!(refused, Err(CarryError::InUse(_))), "{refused:?}");
}
