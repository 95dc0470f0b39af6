//! A database in a folder of its own, and where its backups go.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use ficha_core::{
    ports::{BackupError, BackupStore, Edit, OperatorStore},
    records::{PasswordHash, User},
};
use ficha_store::{OpenOptions, SqliteStore};
use ficha_testkit::store_suite::samples::{NOON, act, founded, user};
use ficha_types::IssuerName;
use tempfile::TempDir;

pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) async fn founded() -> (Self, SqliteStore, IssuerName) {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        let store = place.open();
        let issuer = founded(&store, "acme").await;
        (place, store, issuer)
    }

    pub(crate) fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.database(), &OpenOptions::default()).unwrap()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("data/ficha.db")
    }

    pub(crate) fn backup(&self) -> PathBuf {
        self.folder.path().join("b.db")
    }

    pub(crate) async fn back_up(&self, store: &SqliteStore) -> Result<u64, BackupError> {
        store.backup(&self.backup(), NOON, Arc::new(|_, _| true)).await
    }
}

/// Makes a user, or replaces one, with a hash that can be looked for.
pub(crate) async fn put(store: &SqliteStore, issuer: &IssuerName, name: &str, hash: &str) {
    let user = User { password: PasswordHash::new(hash.to_owned()), ..user(name, &format!("sub-{name}")) };
    store.commit(act(issuer, vec![Edit::PutUser(user)])).await.unwrap();
}

pub(crate) fn holds(file: &Path, text: &str) -> bool {
    fs::read(file).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
}
