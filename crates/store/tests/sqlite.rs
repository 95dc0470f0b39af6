//! The suite on SQLite, and what is SQLite's own.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "all of it is tests, their helpers too")]

mod suite;

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
};

use ficha_core::ports::{
    ClientStore, Edit, FeedStore, OperatorStore, Place, Standing, StoreError, TokenStore, Trade, UpkeepStore,
};
use ficha_store::{OpenError, OpenFailure, OpenOptions, SqliteStore};
use ficha_testkit::store_suite::samples::{
    NOON, act, advanced, app, cards, client, first_page, founded, last_change, revocation, token, used, user,
};
use ficha_types::{NodeName, Seconds};
use futures_util::future::join_all;
use rusqlite::Connection;
use tempfile::TempDir;

#[expect(clippy::unused_async, reason = "other engines wait here, and the suite is theirs too")]
async fn empty_sqlite() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (open(&folder).unwrap(), folder)
}

fn open(folder: &TempDir) -> Result<SqliteStore, OpenError> {
    open_with(folder, &OpenOptions::default())
}

fn open_with(folder: &TempDir, options: &OpenOptions) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(&file(folder), options)
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("ficha.db")
}

/// A connection past the store's back.
fn past_its_back(folder: &TempDir) -> Connection {
    Connection::open(file(folder)).unwrap()
}

whole_suite!(empty_sqlite);

/// Why opening is refused.
fn refusal(folder: &TempDir) -> OpenFailure {
    open(folder).map(drop).unwrap_err().why
}

fn is_unreachable<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Unreachable(_)))
}

#[tokio::test]
async fn reopening_keeps_everything_that_was_answered() {
    let (store, folder) = empty_sqlite().await;
    let issuer = founded(&store, "acme").await;
    advanced(&store, &issuer, 1, 0).await;
    store.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap();
    drop(store);
    let store = open(&folder).unwrap();
    assert_eq!(store.client(&issuer, &app()).await.unwrap().unwrap().client, client("app"));
    assert_eq!(store.standing(&issuer, &token(1), None, &cards()).await.unwrap(), Standing::Revoked);
    let again = store.trade_refresh(&issuer, &used(1, 0), NOON).await.unwrap();
    assert_eq!(again, Trade::Repeated { used_at: NOON });
}

#[tokio::test]
async fn what_was_answered_is_in_the_files_at_that_moment() {
    let (store, folder) = empty_sqlite().await;
    let issuer = founded(&store, "acme").await;
    store.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap();
    // As a killed process leaves them: nothing was closed.
    let left = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("ficha.db{suffix}");
        fs::copy(folder.path().join(&name), left.path().join(&name)).unwrap();
    }
    let after = open(&left).unwrap();
    assert_eq!(after.standing(&issuer, &token(1), None, &cards()).await.unwrap(), Standing::Revoked);
}

#[tokio::test]
async fn a_second_holder_is_refused_until_the_first_is_gone() {
    let (store, folder) = empty_sqlite().await;
    let second = refusal(&folder);
    assert!(matches!(&second, OpenFailure::Held(lock) if lock.ends_with("ficha.db.lock")), "{second}");
    drop(store);
    open(&folder).unwrap();
}

#[tokio::test]
async fn only_the_owner_may_look_into_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("data/here");
    let store = SqliteStore::open(&inner.join("ficha.db"), &OpenOptions::default()).unwrap();
    store.set_note("probe", "1").await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&inner), mode(&folder.path().join("data"))), (0o700, 0o700));
    for name in ["ficha.db", "ficha.db-wal", "ficha.db.lock"] {
        assert_eq!(mode(&inner.join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_read_only_file_is_refused_and_opens_once_it_is_writable() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder).unwrap());
    fs::set_permissions(file(&folder), Permissions::from_mode(0o400)).unwrap();
    let refused = refusal(&folder);
    assert!(matches!(&refused, OpenFailure::ReadOnly(path) if path.ends_with("ficha.db")), "{refused}");
    fs::set_permissions(file(&folder), Permissions::from_mode(0o600)).unwrap();
    open(&folder).unwrap();
}

#[test]
fn a_folder_that_is_a_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    File::create(&path).unwrap();
    let refused = SqliteStore::open(&path.join("ficha.db"), &OpenOptions::default()).unwrap_err().why;
    assert!(matches!(&refused, OpenFailure::Place { place, .. } if place.ends_with("file")), "{refused}");
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = "This is a letter to my grandmother. ".repeat(400);
    fs::write(file(&folder), &text).unwrap();
    let refused = refusal(&folder);
    assert!(matches!(refused, OpenFailure::NotADatabase), "{refused}");
    let whole = open(&folder).map(drop).unwrap_err().to_string();
    assert!(whole.starts_with(&file(&folder).display().to_string()), "{whole}");
    assert_eq!(fs::read_to_string(file(&folder)).unwrap(), text);
}

#[test]
fn another_programs_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    past_its_back(&folder).execute_batch("CREATE TABLE photos (name TEXT)").unwrap();
    let refused = refusal(&folder);
    assert!(matches!(refused, OpenFailure::NotOurs), "{refused}");
}

#[test]
fn a_newer_database_is_refused_with_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder).unwrap());
    past_its_back(&folder).execute_batch("PRAGMA user_version = 4711").unwrap();
    let refused = refusal(&folder);
    assert!(matches!(refused, OpenFailure::Newer { found: 4711, known: 1.. }), "{refused}");
}

#[test]
fn tables_of_another_build_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder).unwrap());
    past_its_back(&folder).execute_batch("UPDATE migrations SET checksum = 'other' WHERE number = 1").unwrap();
    let refused = refusal(&folder);
    assert!(matches!(refused, OpenFailure::OtherTables { number: 1 }), "{refused}");
}

#[test]
fn a_truncated_database_is_refused_as_damaged() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder).unwrap());
    let database = File::options().write(true).open(file(&folder)).unwrap();
    database.set_len(database.metadata().unwrap().len() - 4096).unwrap();
    let refused = refusal(&folder);
    assert!(matches!(refused, OpenFailure::Damaged(_)), "{refused}");
}

#[test]
fn a_database_whose_tables_are_overwritten_is_refused_as_damaged() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder).unwrap());
    let database = File::options().write(true).open(file(&folder)).unwrap();
    // Behind the header, in the list of tables.
    database.write_all_at(&[0xa5; 3996], 100).unwrap();
    let refused = refusal(&folder);
    assert!(matches!(refused, OpenFailure::Damaged(_)), "{refused}");
}

#[tokio::test]
async fn damage_is_told_as_such_never_as_nobody_and_ends_with_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).unwrap();
    let issuer = founded(&store, "acme").await;
    drop(store);
    let store = open(&folder).unwrap();
    let whole = fs::read(file(&folder)).unwrap();
    let database = File::options().write(true).open(file(&folder)).unwrap();
    database.write_all_at(&vec![0xa5; whole.len() - 4096], 4096).unwrap();
    let found = store.client(&issuer, &app()).await;
    assert!(is_unreachable(&found), "{found:?}");
    let done = store.revoke_token(&issuer, &revocation(1), NOON, 100).await;
    assert!(is_unreachable(&done), "{done:?}");
    database.write_all_at(&whole, 0).unwrap();
    assert!(store.client(&issuer, &app()).await.unwrap().is_some());
    store.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap();
}

#[tokio::test]
async fn a_record_that_cant_be_read_back_is_named() {
    let (store, folder) = empty_sqlite().await;
    let issuer = founded(&store, "acme").await;
    let edits = vec![Edit::PutUser(user("ada", "sub-1")), Edit::PutClient(client("good"))];
    store.commit(act(&issuer, edits)).await.unwrap();
    let past = past_its_back(&folder);
    let spoil = |table: &str| past.execute_batch(&format!("UPDATE {table} SET record = '{{1:2}}'")).unwrap();
    past.execute_batch("UPDATE clients SET record = '{1:2}' WHERE id = 'app'").unwrap();
    for found in [store.clients(&issuer, first_page()).await.map(drop), store.client(&issuer, &app()).await.map(drop)] {
        assert_eq!(
            found.unwrap_err().to_string(),
            "the store failed: a row of clients can't be read back (acme, app): \
             key must be a string at line 1 column 2"
        );
    }
    spoil("users");
    spoil("apis");
    let ada = "ada".parse().unwrap();
    for (found, named) in [
        (store.user(&issuer, &ada).await.map(drop), "users can't be read back (acme, ada)"),
        (store.users(&issuer, first_page()).await.map(drop), "users can't be read back (acme, ada)"),
        (store.issuer(&issuer).await.map(drop), "apis can't be read back (acme, cards)"),
    ] {
        let why = found.unwrap_err().to_string();
        assert!(why.contains(named), "{why}");
    }
    spoil("issuers");
    let why = store.issuers(first_page()).await.unwrap_err().to_string();
    assert!(why.contains("issuers can't be read back (acme)"), "{why}");
}

#[tokio::test]
async fn a_full_store_refuses_writes_reads_on_and_recovers_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_with(&folder, &OpenOptions { max_pages: Some(80), ..OpenOptions::default() }).unwrap();
    let issuer = founded(&store, "acme").await;
    let mut kept = 0;
    let full = loop {
        let step = used(kept, 0);
        match store.trade_refresh(&issuer, &step, NOON).await {
            Ok(trade) => assert_eq!(trade, Trade::Done),
            Err(error) => break error,
        }
        kept += 1;
    };
    assert!(matches!(&full, StoreError::Unreachable(why) if why.contains("full")), "{full}");
    // Of many at once none is half done, and each is answered.
    let steps: Vec<_> = (kept..kept + 200).map(|n| used(n, 0)).collect();
    let answers = join_all(steps.iter().map(|step| store.trade_refresh(&issuer, step, NOON))).await;
    assert!(answers.iter().any(is_unreachable), "{answers:?}");
    assert!(answers.iter().all(|answer| is_unreachable(answer) || matches!(answer, Ok(Trade::Done))), "{answers:?}");
    // What needs no room is done, in whatever company it came.
    let (others, small) = (join_all(steps.iter().map(|step| store.trade_refresh(&issuer, step, NOON))), used(0, 1));
    let (_, small) = tokio::join!(others, store.trade_refresh(&issuer, &small, NOON));
    assert_eq!(small.unwrap(), Trade::Done);
    assert!(store.client(&issuer, &app()).await.unwrap().is_some());
    let over = used(0, 0).keep_until + Seconds::days(1);
    while store.purge(over, 50).await.unwrap().total() > 0 {}
    assert_eq!(store.trade_refresh(&issuer, &used(0, 0), NOON).await.unwrap(), Trade::Done);
}

#[test]
fn a_disk_that_is_full_at_the_start_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = open_with(&folder, &OpenOptions { max_pages: Some(4), ..OpenOptions::default() }).unwrap_err().why;
    assert!(matches!(refused, OpenFailure::Full), "{refused}");
    // The tables were not half made.
    open(&folder).unwrap();
}

#[tokio::test]
async fn a_locked_database_is_unreachable_until_it_is_free() {
    let (store, folder) = empty_sqlite().await;
    let issuer = founded(&store, "acme").await;
    let other = past_its_back(&folder);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = store.revoke_token(&issuer, &revocation(1), NOON, 100).await;
    assert!(is_unreachable(&answer), "{answer:?}");
    assert_eq!(store.standing(&issuer, &token(1), None, &cards()).await.unwrap(), Standing::Good);
    other.execute_batch("ROLLBACK").unwrap();
    store.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_does_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_with(&folder, &OpenOptions { queue: 2, ..OpenOptions::default() }).unwrap();
    let issuer = founded(&store, "acme").await;
    let other = past_its_back(&folder);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let revocations: Vec<_> = (0..20).map(revocation).collect();
    let steps = join_all(revocations.iter().map(|one| store.revoke_token(&issuer, one, NOON, 100)));
    // The writer takes what is queued while it waits for its turn, as often as it gets to it meanwhile.
    let (answers, ()) = tokio::join!(steps, async { other.execute_batch("ROLLBACK").unwrap() });
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!((2..20).contains(&done), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| is_unreachable(answer)).count(), 20 - done, "{answers:?}");
    assert_eq!(last_change(&store, &issuer).await, 3 + i64::try_from(done).unwrap());
}

/// The transactions in SQLite's log since it was begun anew: a frame that ends one says how long the file is then.
fn commits(log: &Path) -> usize {
    let log = fs::read(log).unwrap();
    log[32..].chunks_exact(24 + 4096).filter(|frame| frame[4..8] != [0; 4]).count()
}

#[tokio::test]
async fn steps_that_wait_together_are_committed_together() {
    let (store, folder) = empty_sqlite().await;
    // Who reads keeps the log from being begun anew, as it is in an idle moment.
    let reader = past_its_back(&folder);
    reader.execute_batch("BEGIN; SELECT * FROM notes").unwrap();
    let issuer = founded(&store, "acme").await;
    let log = folder.path().join("ficha.db-wal");
    let before = commits(&log);
    let steps: Vec<_> = (0..500).map(|n| used(n, 0)).collect();
    for answer in join_all(steps.iter().map(|step| store.trade_refresh(&issuer, step, NOON))).await {
        assert_eq!(answer.unwrap(), Trade::Done);
    }
    let commits = commits(&log) - before;
    assert!((1..250).contains(&commits), "{commits} transactions for 500 steps");
}

#[tokio::test]
async fn the_log_stays_bounded_and_shrinks_when_a_reader_lets_go() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_with(&folder, &OpenOptions { log_bound: 1 << 20, ..OpenOptions::default() }).unwrap();
    let log = folder.path().join("ficha.db-wal");
    let note = "n".repeat(64 << 10);
    let write = async |times: u32| {
        for n in 0..times {
            store.set_note(&format!("note-{n}"), &note).await.unwrap();
        }
        fs::metadata(&log).unwrap().len()
    };
    let reader = past_its_back(&folder);
    reader.execute_batch("BEGIN; SELECT * FROM notes").unwrap();
    let held = write(24).await;
    assert!(held > 3 << 19, "the reader held nothing back: {held}");
    reader.execute_batch("COMMIT").unwrap();
    write(20).await;
    let free = write(60).await;
    assert!(free <= (1 << 20) + (256 << 10), "{free}");
}

#[tokio::test]
async fn a_node_that_was_silent_for_too_long_is_not_live() {
    let (store, _folder) = empty_sqlite().await;
    let issuer = founded(&store, "acme").await;
    let (silent, other): (NodeName, NodeName) = ("silent".parse().unwrap(), "other".parse().unwrap());
    store.beat(&silent, NOON.into()).await.unwrap();
    store.confirm(&silent, &[Place { issuer: issuer.clone(), change: 3 }]).await.unwrap();
    let last = NOON + Seconds(9);
    assert_eq!(store.beat(&other, last.into()).await.unwrap().live, [other.clone(), silent.clone()]);
    assert_eq!(store.confirmations(&issuer, last.into()).await.unwrap().len(), 1);
    let late = NOON + Seconds(10);
    assert_eq!(store.beat(&other, late.into()).await.unwrap().live, [other]);
    assert_eq!(store.confirmations(&issuer, late.into()).await.unwrap(), []);
}

#[tokio::test]
async fn a_step_whose_caller_has_gone_leaves_the_others_alone() {
    let (store, _folder) = empty_sqlite().await;
    let issuer = founded(&store, "acme").await;
    let (gone, stays) = (used(1, 0), used(2, 0));
    let mut left = store.trade_refresh(&issuer, &gone, NOON);
    assert!(futures_util::poll!(left.as_mut()).is_pending());
    drop(left);
    assert_eq!(store.trade_refresh(&issuer, &stays, NOON).await.unwrap(), Trade::Done);
}
