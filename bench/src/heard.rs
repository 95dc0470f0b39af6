//! What followers of the revocation feed have heard, and how long it was on its way.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// The longest wait that is told apart, in milliseconds.
const LONGEST_MS: usize = 10_000;

/// What the followers have heard.
pub(crate) struct Heard {
    /// When each revocation was asked for, in microseconds from the beginning; by its number.
    asked: Vec<AtomicU64>,
    /// The number of each token, by `jti`.
    numbers: HashMap<String, usize>,
    began: Instant,
    /// How many were heard after so many milliseconds.
    waits: Vec<AtomicU32>,
    /// Followers that have heard something.
    pub(crate) following: AtomicUsize,
    /// Followers that were lost.
    pub(crate) lost: AtomicUsize,
    /// What stands in an event, for all followers; by a hash of its line.
    read: Mutex<HashMap<u64, Arc<[usize]>>>,
    hasher: RandomState,
}

impl Heard {
    /// Nothing yet, of these tokens with their `jti`.
    ///
    /// # Errors
    /// Two of them have one `jti`.
    pub(crate) fn of(tokens: &[(String, String)]) -> Result<Self> {
        let numbers: HashMap<_, _> = tokens.iter().enumerate().map(|(n, (_, jti))| (jti.clone(), n)).collect();
        if numbers.len() != tokens.len() {
            bail!("two tokens have one jti");
        }
        Ok(Self {
            asked: tokens.iter().map(|_| AtomicU64::new(0)).collect(),
            numbers,
            began: Instant::now(),
            waits: (0..=LONGEST_MS).map(|_| AtomicU32::new(0)).collect(),
            following: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            read: Mutex::default(),
            hasher: RandomState::new(),
        })
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The revocation of that token is asked for now.
    pub(crate) fn asks(&self, number: usize) {
        if let Some(asked) = self.asked.get(number) {
            asked.store(self.micros(), Relaxed);
        }
    }

    /// A follower was sent `event`.
    ///
    /// # Errors
    /// It is no event.
    pub(crate) fn hears(&self, event: &[u8]) -> Result<()> {
        let now = self.micros();
        for number in self.revoked(event)?.iter() {
            let asked = self.asked.get(*number).map_or(0, |at| at.load(Relaxed));
            let ms = usize::try_from(now.saturating_sub(asked) / 1000)?.min(LONGEST_MS);
            if let Some(count) = self.waits.get(ms) {
                count.fetch_add(1, Relaxed);
            }
        }
        Ok(())
    }

    /// The numbers of the tokens that an event tells of: read once for all who are sent the same.
    fn revoked(&self, event: &[u8]) -> Result<Arc<[usize]>> {
        let hash = self.hasher.hash_one(event);
        if let Some(read) = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&hash) {
            return Ok(read.clone());
        }
        let payload = event.split(|byte| *byte == b'.').nth(1).context("an event is no JWS")?;
        let payload: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?;
        let events = payload.get("events").and_then(|e| e.as_array()).context("events")?;
        let tokens = events.iter().filter_map(|e| self.numbers.get(e.get("token")?.as_str()?).copied());
        let read: Arc<[usize]> = tokens.collect();
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(hash, read.clone());
        Ok(read)
    }

    /// Revocations that were heard, by all followers together.
    pub(crate) fn total(&self) -> u64 {
        self.waits.iter().map(|count| u64::from(count.load(Relaxed))).sum()
    }

    /// The wait, in milliseconds, that this share did not exceed.
    pub(crate) fn wait(&self, share: f64) -> usize {
        let wanted = self.total() as f64 * share;
        let mut so_far = 0.0;
        let reached = self.waits.iter().position(|count| {
            so_far += f64::from(count.load(Relaxed));
            so_far >= wanted
        });
        reached.unwrap_or(LONGEST_MS)
    }
}
