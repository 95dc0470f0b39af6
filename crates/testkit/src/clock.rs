//! A clock that a test turns.

use std::time::{Duration, Instant};

use ficha_core::ports::{BoxFuture, Clock};
use ficha_types::{UnixMillis, UnixSeconds};
use tokio::sync::watch;

/// Stands still until it is turned; whoever waits for a moment goes on when it is reached.
#[derive(Debug)]
pub struct TestClock(watch::Sender<Time>);

#[derive(Debug, Clone, Copy)]
struct Time {
    /// Since 1970-01-01T00:00:00Z.
    wall: Duration,
    monotonic: Duration,
}

impl TestClock {
    /// Shows `now`; the monotonic clock begins at zero.
    #[must_use]
    pub fn at(now: UnixSeconds) -> Self {
        Self(watch::Sender::new(Time { wall: since_1970(now), monotonic: Duration::ZERO }))
    }

    /// Lets `span` pass on both clocks.
    pub fn advance(&self, span: Duration) {
        self.0.send_modify(|time| {
            time.wall += span;
            time.monotonic += span;
        });
    }

    /// Sets the wall clock as an administrator may, back too; the monotonic clock goes on.
    pub fn set(&self, now: UnixSeconds) {
        self.0.send_modify(|time| time.wall = since_1970(now));
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixSeconds {
        seconds(*self.0.borrow())
    }

    fn now_ms(&self) -> UnixMillis {
        UnixMillis(i64::try_from(self.0.borrow().wall.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.0.borrow().monotonic
    }

    fn monotonic_at(&self, moment: Instant) -> Duration {
        self.monotonic().saturating_sub(moment.elapsed())
    }

    fn wait_until(&self, moment: UnixSeconds) -> BoxFuture<'_, ()> {
        Box::pin(self.reaches(move |time| seconds(*time) >= moment))
    }

    fn wait_monotonic(&self, moment: Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.reaches(move |time| time.monotonic >= moment))
    }
}

impl TestClock {
    async fn reaches(&self, there: impl FnMut(&Time) -> bool) {
        // It fails when the clock is gone, and `self` is that clock.
        let _ = self.0.subscribe().wait_for(there).await;
    }
}

fn since_1970(now: UnixSeconds) -> Duration {
    Duration::from_secs(u64::try_from(now.0).unwrap_or_default())
}

fn seconds(time: Time) -> UnixSeconds {
    UnixSeconds(i64::try_from(time.wall.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn whoever_waits_goes_on_when_the_moment_is_reached() {
        let clock = TestClock::at(UnixSeconds(1_000));
        let mut waits = clock.wait_until(UnixSeconds(1_002));
        assert!(waits.as_mut().now_or_never().is_none());
        clock.advance(Duration::from_millis(1_999));
        assert_eq!(clock.now(), UnixSeconds(1_001));
        assert!(waits.as_mut().now_or_never().is_none());
        clock.advance(Duration::from_millis(1));
        assert!(waits.now_or_never().is_some());
        assert!(clock.wait_until(UnixSeconds(1_002)).now_or_never().is_some());
    }

    #[test]
    fn setting_the_wall_clock_leaves_the_monotonic_one_alone() {
        let clock = TestClock::at(UnixSeconds(1_000));
        clock.advance(Duration::from_secs(5));
        clock.set(UnixSeconds(10));
        assert_eq!((clock.now(), clock.monotonic()), (UnixSeconds(10), Duration::from_secs(5)));
        assert!(clock.wait_monotonic(Duration::from_secs(6)).now_or_never().is_none());
    }
}
