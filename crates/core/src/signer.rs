//! Signing. One signature at a time is made where it is asked for; those that would wait go to threads of their own, so that
//! no request waits behind signatures that it doesn't need.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    time::Instant,
};

use ficha_jose::{KeyError, SigningKey, jws};
use ficha_telemetry::metrics::metrics;
use ficha_types::Algorithm;

use crate::refusal::Refusal;

type Job = Box<dyn FnOnce() + Send>;

/// Signs compact JWS (RFC 7515 §7.1).
pub struct Signer {
    queue: SyncSender<Job>,
    inline: AtomicUsize,
    waiting: Arc<AtomicUsize>,
    made: AtomicU64,
}

impl Signer {
    /// A signer with `threads` threads for RSA and a queue of `bound` before them.
    #[must_use]
    pub fn new(threads: usize, bound: usize) -> Self {
        let (queue, jobs) = sync_channel::<Job>(bound);
        let jobs = Arc::new(Mutex::new(jobs));
        for n in 0..threads.max(1) {
            let jobs = jobs.clone();
            let run = move || {
                loop {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    match job {
                        Ok(job) => job(),
                        Err(_) => break,
                    }
                }
            };
            let spawned = std::thread::Builder::new().name(format!("sign-{n}")).spawn(run);
            if let Err(error) = spawned {
                tracing::error!(%error, "a signing thread could not be started");
            }
        }
        Self { queue, inline: AtomicUsize::new(0), waiting: Arc::default(), made: AtomicU64::new(0) }
    }

    /// Signatures that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Signatures made since the start.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Signs `claims` under `header`, both JSON.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when the queue is full or the library fails.
    pub async fn sign(&self, key: &Arc<SigningKey>, header: String, claims: String) -> Result<String, Refusal> {
        self.made.fetch_add(1, Ordering::Relaxed);
        let cheap = match key.algorithm() {
            Algorithm::Es256 | Algorithm::EdDsa | Algorithm::Hs256 => true,
            Algorithm::Rs256 | Algorithm::Ps256 => false,
        };
        if cheap {
            return signed(jws::compact(header.as_bytes(), claims.as_bytes(), key));
        }
        if self.inline.fetch_add(1, Ordering::AcqRel) == 0 && self.waiting() == 0 {
            let token = jws::compact(header.as_bytes(), claims.as_bytes(), key);
            // Others that came meanwhile must get their turn before this worker takes the next one.
            tokio::task::yield_now().await;
            self.inline.fetch_sub(1, Ordering::AcqRel);
            return signed(token);
        }
        self.inline.fetch_sub(1, Ordering::AcqRel);
        let (done, answer) = tokio::sync::oneshot::channel();
        let (key, waiting) = (key.clone(), self.waiting.clone());
        waiting.fetch_add(1, Ordering::AcqRel);
        let queued = Instant::now();
        let job: Job = Box::new(move || {
            // Nobody waits any more: the caller went away.
            if !done.is_closed() {
                metrics().signing_wait.took((), queued.elapsed());
                let _ = done.send(jws::compact(header.as_bytes(), claims.as_bytes(), &key));
            }
            waiting.fetch_sub(1, Ordering::AcqRel);
        });
        match self.queue.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.waiting.fetch_sub(1, Ordering::AcqRel);
                metrics().signing_rejected.count(());
                return Err(Refusal::Busy("signing"));
            }
        }
        signed(answer.await.map_err(|_| Refusal::Busy("signing"))?)
    }
}

fn signed(token: Result<String, KeyError>) -> Result<String, Refusal> {
    token.map_err(|error| {
        tracing::error!(%error, "a token could not be signed");
        Refusal::Unavailable
    })
}
