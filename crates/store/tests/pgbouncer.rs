//! The suite on PostgreSQL through PgBouncer in transaction mode: no statement may count on the connection of the one before.
#![expect(clippy::unwrap_used, reason = "all of it is tests, their helpers too")]

mod suite;

use std::{sync::OnceLock, time::Duration};

use ficha_core::ports::{FeedStore, TokenStore};
use ficha_store::{PostgresOptions, PostgresStore};
use ficha_testkit::{
    postgres::{self, Bouncer, Database},
    store_suite::samples::{NOON, founded, revocation},
};

/// Long enough for a machine that does much else.
const LONG: Duration = Duration::from_mins(1);

fn bouncer() -> &'static Bouncer {
    static SHARED: OnceLock<Bouncer> = OnceLock::new();
    SHARED.get_or_init(|| Bouncer::start(postgres::shared()))
}

fn through(database: &Database<'_>) -> PostgresOptions {
    let url = bouncer().url(database.name());
    PostgresOptions {
        pool: 16,
        prepared: false,
        wait: LONG,
        statement: LONG,
        lock: LONG,
        direct_url: Some(database.url()),
        ..PostgresOptions::new(&url)
    }
}

async fn empty_behind_pgbouncer() -> (PostgresStore, Database<'static>) {
    let database = postgres::shared().database();
    (PostgresStore::open(&through(&database)).await.unwrap(), database)
}

whole_suite!(empty_behind_pgbouncer);

#[tokio::test]
async fn a_change_is_heard_on_the_direct_way() {
    let (store, _database) = empty_behind_pgbouncer().await;
    let issuer = founded(&store, "acme").await;
    while tokio::time::timeout(Duration::from_secs(1), store.notified()).await.is_ok() {}
    store.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap();
    tokio::time::timeout(LONG, store.notified()).await.unwrap();
}

#[tokio::test]
async fn without_a_direct_way_it_only_hears_nothing() {
    let database = postgres::shared().database();
    let store = PostgresStore::open(&PostgresOptions { direct_url: None, ..through(&database) }).await.unwrap();
    let issuer = founded(&store, "acme").await;
    assert!(tokio::time::timeout(Duration::from_millis(200), store.notified()).await.is_err());
    store.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap();
}
