//! What takes the place of a SQLite database.
#![expect(clippy::unwrap_used, reason = "all of it is tests, their helpers too")]

mod place;

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use ficha_store::Restoring;
use ficha_testkit::store_suite::samples::NOON;
use place::{Place, holds, put};

/// Puts the backup in the database's place; answers where that one is kept.
fn restore(place: &Place) -> Option<PathBuf> {
    let restoring = Restoring::begin(&place.database(), true).unwrap();
    restoring.take(&place.backup(), NOON, &mut |_, _| ()).unwrap();
    restoring.move_on().unwrap();
    restoring.finish(NOON).unwrap()
}

#[tokio::test]
async fn databases_that_are_replaced_within_a_second_are_all_kept() {
    let (place, store, issuer) = Place::founded().await;
    place.back_up(&store).await.unwrap();
    put(&store, &issuer, "ada", "only-in-the-first").await;
    drop(store);
    let kept = [(); 3].map(|()| restore(&place).unwrap());
    assert!(holds(&kept[0], "only-in-the-first"));
    assert!(kept.iter().all(|kept| kept.exists()) && kept[0] != kept[1] && kept[1] != kept[2], "{kept:?}");
    // What is left of one that somebody took away is no other one's log.
    let log = |kept: &Path| PathBuf::from(format!("{}-wal", kept.display()));
    fs::rename(&kept[1], log(&kept[1])).unwrap();
    let next = restore(&place).unwrap();
    assert!(!kept.contains(&next) && !log(&next).exists(), "{next:?}");
}

#[tokio::test]
async fn what_stood_in_the_log_alone_is_kept_too() {
    let (place, store, issuer) = Place::founded().await;
    place.back_up(&store).await.unwrap();
    put(&store, &issuer, "ada", "only-in-the-log").await;
    // As a killed process leaves them.
    let files = ["ficha.db", "ficha.db-wal"].map(|name| place.database().with_file_name(name));
    let left = files.each_ref().map(|file| fs::read(file).unwrap());
    drop(store);
    for (file, bytes) in files.iter().zip(left) {
        fs::write(file, bytes).unwrap();
    }
    assert!(!holds(&files[0], "only-in-the-log"));
    let kept = restore(&place).unwrap();
    assert!(holds(&kept, "only-in-the-log"));
    assert!(!files[1].exists(), "a log stands beside another database than its own");
}

#[tokio::test]
async fn at_no_moment_is_there_no_database_while_it_is_replaced() {
    let (place, store, _) = Place::founded().await;
    place.back_up(&store).await.unwrap();
    drop(store);
    let (ended, missed, path) = (AtomicBool::new(false), AtomicU64::new(0), place.database());
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                missed.fetch_add(u64::from(!path.exists()), Ordering::SeqCst);
            }
        });
        for _ in 0..8 {
            restore(&place);
        }
        ended.store(true, Ordering::SeqCst);
    });
    assert_eq!(missed.into_inner(), 0);
}

#[tokio::test]
async fn what_is_restored_is_its_predecessors_owners_or_the_folders() {
    let (place, store, _) = Place::founded().await;
    place.back_up(&store).await.unwrap();
    drop(store);
    let (path, lock) = (place.database(), place.database().with_file_name("ficha.db.lock"));
    let facts = |path: &Path| {
        let facts = fs::metadata(path).unwrap();
        (facts.uid(), facts.gid(), facts.mode() & 0o777)
    };
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    restore(&place);
    assert_eq!(facts(&path).2, 0o640);
    if chown(&path, Some(4711), Some(4712)).is_err() {
        println!("SKIPPED: only root gives files to others");
        return;
    }
    restore(&place);
    assert_eq!(facts(&path), (4711, 4712, 0o640));
    chown(path.parent().unwrap(), Some(4713), Some(4714)).unwrap();
    fs::remove_file(&path).unwrap();
    fs::remove_file(&lock).unwrap();
    restore(&place);
    assert_eq!((facts(&path), facts(&lock)), ((4713, 4714, 0o600), (4713, 4714, 0o600)));
    // What the folder's owner has put in the lock's place is not given away.
    let foreign = path.with_file_name("foreign");
    fs::write(&foreign, "").unwrap();
    let before = facts(&foreign);
    fs::remove_file(&lock).unwrap();
    symlink(&foreign, &lock).unwrap();
    restore(&place);
    assert_eq!(facts(&foreign), before);
}
