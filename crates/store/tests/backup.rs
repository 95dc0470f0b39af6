//! Backups of SQLite.
#![expect(clippy::unwrap_used, reason = "all of it is tests, their helpers too")]

mod place;

use std::{fs, fs::File, os::unix::fs::FileExt, sync::Arc};

use ficha_core::ports::{BackupError, BackupStore, Edit, OperatorStore};
use ficha_testkit::store_suite::samples::{NOON, act};
use place::{Place, holds, put};
use rusqlite::Connection;

/// What lies beside the data folder.
fn beside(place: &Place) -> Vec<String> {
    let names = fs::read_dir(place.backup().parent().unwrap()).unwrap();
    names.map(|e| e.unwrap().file_name().into_string().unwrap()).filter(|name| name != "data").collect()
}

fn past_its_back(place: &Place) -> Connection {
    Connection::open(place.database()).unwrap()
}

#[tokio::test]
async fn a_damaged_database_gives_no_backup_and_says_so() {
    let (place, store, _) = Place::founded().await;
    drop(store);
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'audit'";
    let page: i64 = past_its_back(&place).query_row(root, [], |row| row.get(0)).unwrap();
    let database = File::options().write(true).open(place.database()).unwrap();
    database.write_all_at(&[0x5a; 4096], u64::try_from(page - 1).unwrap() * 4096).unwrap();
    let store = place.open();
    let made = place.back_up(&store).await;
    assert!(matches!(&made, Err(BackupError::Store(why)) if why.contains("damaged")), "{made:?}");
    assert_eq!(beside(&place), Vec::<String>::new());
}

#[tokio::test]
async fn whoever_hears_of_the_last_page_may_still_break_the_backup_off() {
    let (place, store, _) = Place::founded().await;
    let made = store.backup(&place.backup(), NOON, Arc::new(|done, total| done < total)).await;
    assert!(matches!(made, Err(BackupError::Stopped)), "{made:?}");
    assert_eq!(beside(&place), Vec::<String>::new());
}

#[tokio::test]
async fn what_was_replaced_or_removed_is_neither_in_the_file_nor_in_a_backup() {
    let (place, store, issuer) = Place::founded().await;
    let (replaced, removed) = ("$argon2id$replaced-".repeat(8), "$argon2id$removed-".repeat(8));
    put(&store, &issuer, "ada", &replaced).await;
    put(&store, &issuer, "bob", &removed).await;
    drop(store);
    assert!(holds(&place.database(), &replaced) && holds(&place.database(), &removed));
    let store = place.open();
    put(&store, &issuer, "ada", "$argon2id$new").await;
    let gone = Edit::RemoveUser("bob".parse().unwrap());
    store.commit(act(&issuer, vec![gone])).await.unwrap();
    place.back_up(&store).await.unwrap();
    drop(store);
    for file in [place.database(), place.backup()] {
        assert!(!holds(&file, &replaced) && !holds(&file, &removed), "{}", file.display());
        assert!(holds(&file, "$argon2id$new"));
    }
}

#[tokio::test]
async fn a_backup_holds_nothing_that_an_older_release_left_in_free_space() {
    let (place, store, _) = Place::founded().await;
    drop(store);
    let left = "left-in-free-space-".repeat(400);
    let past = past_its_back(&place);
    past.execute_batch(&format!(
        "PRAGMA secure_delete = OFF; INSERT INTO notes (name, value) VALUES ('left', '{left}'); DELETE FROM notes WHERE name = 'left'"
    ))
    .unwrap();
    drop(past);
    let store = place.open();
    place.back_up(&store).await.unwrap();
    let remains = &left[..300];
    assert!(holds(&place.database(), remains));
    assert!(!holds(&place.backup(), remains));
}
