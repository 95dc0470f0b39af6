//! Time, passed in.

use std::time::{Duration, Instant};

use ficha_types::{UnixMillis, UnixSeconds};

use super::BoxFuture;

/// The clock of the node.
pub trait Clock: Send + Sync {
    /// Now, in whole seconds, rounded down.
    fn now(&self) -> UnixSeconds;
    /// Now, in milliseconds, rounded down.
    fn now_ms(&self) -> UnixMillis;
    /// Time since some fixed moment, never going back: for measuring spans.
    fn monotonic(&self) -> Duration;
    /// What [`Clock::monotonic`] was at `moment`, which has passed.
    fn monotonic_at(&self, moment: Instant) -> Duration;
    /// Resolves when `now()` is at least `moment`.
    fn wait_until(&self, moment: UnixSeconds) -> BoxFuture<'_, ()>;
    /// Resolves when `monotonic()` is at least `moment`.
    fn wait_monotonic(&self, moment: Duration) -> BoxFuture<'_, ()>;
}
