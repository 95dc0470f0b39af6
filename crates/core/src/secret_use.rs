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
    /// [`StoreError`]; what could not be kept is given at the next flush.
    pub async fn flush(&self, store: &dyn UpkeepStore) -> Result<(), StoreError> {
        let taken = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if taken.is_empty() {
            return Ok(());
        }
        let as_use = |((issuer, owner, secret), at): (&(IssuerName, String, String), &UnixSeconds)| SecretUse {
            issuer: issuer.clone(),
            owner: owner.clone(),
            secret: secret.clone(),
            at: *at,
        };
        let uses: Vec<_> = taken.iter().map(as_use).collect();
        let outcome = store.note_secret_uses(&uses).await;
        if outcome.is_err() {
            let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (whose, at) in taken {
                if since.len() < BOUND {
                    since.entry(whose).or_insert(at);
                }
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{BoxFuture, PurgeReport};

    /// Takes nothing the first time.
    #[derive(Default)]
    struct DownAtFirst(Mutex<Vec<usize>>);

    impl UpkeepStore for DownAtFirst {
        fn purge(&self, _: UnixSeconds, _: u32) -> BoxFuture<'_, Result<PurgeReport, StoreError>> {
            unreachable!("nothing is purged here")
        }
        fn note_secret_uses<'a>(&'a self, uses: &'a [SecretUse]) -> BoxFuture<'a, Result<(), StoreError>> {
            let mut calls = self.0.lock().unwrap();
            calls.push(uses.len());
            let down = calls.len() == 1;
            Box::pin(async move { if down { Err(StoreError::Unreachable("down".into())) } else { Ok(()) } })
        }
        fn secret_uses<'a>(
            &'a self,
            _: &'a IssuerName,
            _: &'a str,
        ) -> BoxFuture<'a, Result<Vec<SecretUse>, StoreError>> {
            unreachable!("nothing is read here")
        }
    }

    #[tokio::test]
    async fn uses_that_the_store_could_not_take_are_given_again() {
        let (uses, store) = (SecretUses::default(), DownAtFirst::default());
        uses.note(&"acme".parse().unwrap(), ("app", "s1"), UnixSeconds(7200));
        assert!(uses.flush(&store).await.is_err());
        uses.note(&"acme".parse().unwrap(), ("app", "s2"), UnixSeconds(7200));
        uses.flush(&store).await.unwrap();
        uses.flush(&store).await.unwrap();
        assert_eq!(*store.0.lock().unwrap(), [1, 2]);
    }
}
