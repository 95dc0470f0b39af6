//! Last uses of secrets, to the hour, on their way to the store: at most once a minute, in one batch, and lost in a crash.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use ficha_types::{IssuerName, UnixSeconds};

use crate::ports::{SecretUse, StoreError, UpkeepStore};

/// The most that is remembered between two flushes.
const BOUND: usize = 100_000;

/// Uses that the store doesn't know yet.
#[derive(Debug, Default)]
pub struct SecretUses(Mutex<HashMap<(IssuerName, String, String), UnixSeconds>>);

impl SecretUses {
    /// Notes a use of the secret `secret` of `owner`. Beyond a bound new ones are left out until the next flush.
    pub fn note(&self, issuer: &IssuerName, (owner, secret): (&str, &str), now: UnixSeconds) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < BOUND {
            let hour = UnixSeconds(now.0 - now.0.rem_euclid(3600));
            uses.insert((issuer.clone(), owner.to_owned(), secret.to_owned()), hour);
        }
    }

    /// Gives the store what came together since the last time.
    ///
    /// # Errors
    /// [`StoreError`]; what could not be kept is noted again at the next use.
    pub async fn flush(&self, store: &dyn UpkeepStore) -> Result<(), StoreError> {
        let uses = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if uses.is_empty() {
            return Ok(());
        }
        let uses: Vec<_> =
            uses.into_iter().map(|((issuer, owner, secret), at)| SecretUse { issuer, owner, secret, at }).collect();
        store.note_secret_uses(&uses).await
    }
}
