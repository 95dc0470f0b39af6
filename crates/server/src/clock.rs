//! The clock and the chance of a real node.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ficha_core::ports::{BoxFuture, Clock, Entropy};
use ficha_types::{UnixMillis, UnixSeconds};

/// The machine's clock.
#[derive(Debug)]
pub(crate) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now() }
    }
}

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the one place where the time is read")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

fn since_epoch() -> Duration {
    wall().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Clock for SystemClock {
    fn now(&self) -> UnixSeconds {
        UnixSeconds(i64::try_from(since_epoch().as_secs()).unwrap_or(i64::MAX))
    }

    fn now_ms(&self) -> UnixMillis {
        UnixMillis(i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn monotonic_at(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.started)
    }

    fn wait_until(&self, moment: UnixSeconds) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let moment = Duration::from_secs(u64::try_from(moment.0).unwrap_or(0));
            loop {
                match moment.checked_sub(since_epoch()) {
                    Some(left) if !left.is_zero() => tokio::time::sleep(left).await,
                    Some(_) | None => return,
                }
            }
        })
    }

    fn wait_monotonic(&self, moment: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep_until((self.started + moment).into()))
    }
}

/// The system's random source.
#[derive(Debug)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, into: &mut [u8]) {
        ficha_jose::random::fill(into);
    }
}
