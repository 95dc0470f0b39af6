//! Going on without the store, for a while: what needs no write may be answered until the grace is over.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

/// No outage.
const NONE: i64 = -1;

/// Since when the store takes no writes, if it takes none. The upkeep asks it every second.
#[derive(Debug)]
pub struct Outage(AtomicI64);

impl Default for Outage {
    fn default() -> Self {
        Self(AtomicI64::new(NONE))
    }
}

impl Outage {
    /// The store took a write, or did not. `now` is monotonic.
    pub fn note(&self, works: bool, now: Duration) {
        if works {
            self.0.store(NONE, Ordering::Relaxed);
        } else {
            let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
            // The first failure counts.
            let _ = self.0.compare_exchange(NONE, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// How long the store has taken no writes; `None` when it does.
    #[must_use]
    pub fn lasts(&self, now: impl FnOnce() -> Duration) -> Option<Duration> {
        let since = u64::try_from(self.0.load(Ordering::Relaxed)).ok()?;
        Some(now().saturating_sub(Duration::from_millis(since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_outage_lasts_from_the_first_failure_to_the_next_success() {
        let outage = Outage::default();
        assert_eq!(outage.lasts(|| s(1)), None);
        outage.note(false, s(10));
        outage.note(false, s(20));
        assert_eq!(outage.lasts(|| s(25)), Some(s(15)));
        outage.note(true, s(26));
        assert_eq!(outage.lasts(|| s(27)), None);
    }
}
