//! The two clocks of a verifier.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ficha_types::UnixSeconds;

/// Tells the time that tokens speak of, and the time that has passed here, which nobody can set.
#[derive(Clone)]
pub(crate) struct Clocks {
    pub(crate) wall: Arc<dyn Fn() -> UnixSeconds + Send + Sync>,
    pub(crate) passed: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Clocks {
    /// The system's.
    pub(crate) fn of_the_system() -> Self {
        Self { wall: Arc::new(system_clock), passed: Arc::new(system_passed) }
    }

    /// The time of day.
    pub(crate) fn now(&self) -> UnixSeconds {
        (self.wall)()
    }

    /// Milliseconds since some moment of this process.
    pub(crate) fn passed_ms(&self) -> i64 {
        i64::try_from((self.passed)().as_millis()).unwrap_or(i64::MAX)
    }
}

impl fmt::Debug for Clocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clocks").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// The system's time; 0 on a clock before 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the library takes the time when it is given no clock"
)]
fn system_clock() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixSeconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Time since the first call.
fn system_passed() -> Duration {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed()
}
