//! Signing. One signature at a time is made where it is asked for, unless the processor is busy; those that would wait go to
//! threads of their own, so that no request waits behind signatures that it doesn't need.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ficha_jose::{KeyError, SigningKey, jws};
use ficha_telemetry::metrics::metrics;
use ficha_types::Algorithm;

use crate::{
    pool::{Pool, Size},
    refusal::Refusal,
};

/// How long the threads may finish no signature before others that have their share of the processor sign as well: some fifty of them.
const PATIENCE: Duration = Duration::from_millis(50);

/// Signs compact JWS (RFC 7515 §7.1).
pub struct Signer {
    pool: Pool<()>,
    inline: AtomicBool,
    made: AtomicU64,
}

impl Signer {
    /// A signer with `threads` threads for RSA and a queue of `bound` before them.
    #[must_use]
    pub fn new(threads: usize, bound: usize) -> Self {
        let pool = Pool::new("sign", Size { threads, bound, patience: PATIENCE });
        Self { pool, inline: AtomicBool::new(false), made: AtomicU64::new(0) }
    }

    /// Signatures that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pool.waiting()
    }

    /// Signatures made since the start.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Signs `claims`, JSON, under an encoded `header`. While the processor is `busy` with other dear work, nothing dear is done
    /// where it is asked for: whoever else is to be answered there would wait.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when the queue is full or the library fails.
    pub async fn sign(
        &self,
        key: &Arc<SigningKey>,
        header: Arc<str>,
        claims: String,
        busy: bool,
    ) -> Result<String, Refusal> {
        self.made.fetch_add(1, Ordering::Relaxed);
        metrics().signatures.count(());
        let cheap = match key.algorithm() {
            Algorithm::Es256 | Algorithm::EdDsa | Algorithm::Hs256 => true,
            Algorithm::Rs256 | Algorithm::Ps256 => false,
        };
        if cheap {
            return signed(jws::compact_with(&header, claims.as_bytes(), key));
        }
        if !busy
            && self.waiting() == 0
            && let Some(_place) = Inline::take(&self.inline)
        {
            let token = jws::compact_with(&header, claims.as_bytes(), key);
            // Others that came meanwhile must get their turn before this worker takes the next one.
            tokio::task::yield_now().await;
            return signed(token);
        }
        let (key, queued) = (key.clone(), Instant::now());
        let work = move |(): &mut ()| {
            metrics().signing_wait.took((), queued.elapsed());
            jws::compact_with(&header, claims.as_bytes(), &key)
        };
        signed(self.pool.run(work).await.map_err(|_| {
            metrics().signing_rejected.count(());
            Refusal::Busy("signing")
        })?)
    }
}

/// The place of the one signature that is made where it is asked for; given back also by who leaves.
struct Inline<'a>(&'a AtomicBool);

impl<'a> Inline<'a> {
    fn take(taken: &'a AtomicBool) -> Option<Self> {
        (!taken.swap(true, Ordering::AcqRel)).then(|| Self(taken))
    }
}

impl Drop for Inline<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn signed(token: Result<String, KeyError>) -> Result<String, Refusal> {
    token.map_err(|error| {
        tracing::error!(%error, "a token could not be signed");
        Refusal::Unavailable
    })
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn who_leaves_while_a_signature_is_made_takes_no_place_with_them() {
        let key = Arc::new(SigningKey::generate(Algorithm::Rs256, 2048).unwrap().0);
        let signer = Signer::new(1, 16);
        let mut leaves = Box::pin(signer.sign(&key, "e30".into(), "{}".to_owned(), false));
        assert!(poll!(&mut leaves).is_pending(), "others get their turn first");
        assert!(Inline::take(&signer.inline).is_none());
        drop(leaves);
        assert!(Inline::take(&signer.inline).is_some());
    }
}
