//! What a node remembers of the secrets of a client or an API.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
};

use ficha_jose::constant_time_eq;
use ficha_types::UnixSeconds;
use zeroize::Zeroizing;

use crate::records::StoredSecret;

/// One entry for each secret, in the owner's order.
pub(crate) struct SecretMemory(Vec<Remembered>);

struct Remembered {
    /// Its id, as the log wants it.
    id: Arc<str>,
    /// Its SHA-256, once it was proved: the same secret is known again without the code over it. Whoever can read this in
    /// memory finds there the issuer's key and the digest too, which tell as much.
    proved: OnceLock<Zeroizing<[u8; 32]>>,
    used_hour: AtomicI64,
}

impl SecretMemory {
    /// The memory of `secrets`, none of which was used yet.
    pub(crate) fn of(secrets: &[StoredSecret]) -> Self {
        let remembered = |secret: &StoredSecret| Remembered {
            id: secret.id.as_str().into(),
            proved: OnceLock::new(),
            used_hour: AtomicI64::new(0),
        };
        Self(secrets.iter().map(remembered).collect())
    }

    /// The id of the `n`th.
    pub(crate) fn id(&self, n: usize) -> Option<&Arc<str>> {
        self.0.get(n).map(|secret| &secret.id)
    }

    /// Which of those that were proved before has that SHA-256; all are looked at, whichever it is.
    pub(crate) fn proved(&self, sha256: &[u8; 32]) -> Option<usize> {
        let mut found = None;
        for (n, secret) in self.0.iter().enumerate() {
            if secret.proved.get().is_some_and(|proved| constant_time_eq(&**proved, sha256)) {
                found = Some(n);
            }
        }
        found
    }

    /// The `n`th was proved, and this is its SHA-256.
    pub(crate) fn note_proof(&self, n: usize, sha256: &[u8; 32]) {
        if let Some(secret) = self.0.get(n) {
            secret.proved.get_or_init(|| Zeroizing::new(*sha256));
        }
    }

    /// Whether this is the first use of the `n`th in this hour, as far as is remembered.
    pub(crate) fn first_use_in_hour(&self, n: usize, now: UnixSeconds) -> bool {
        let hour = now.0 / 3600;
        self.0.get(n).is_some_and(|secret| {
            secret.used_hour.load(Ordering::Relaxed) != hour && secret.used_hour.swap(hour, Ordering::Relaxed) != hour
        })
    }
}

impl fmt::Debug for SecretMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|secret| &secret.id)).finish()
    }
}
