//! Waiting for what another process does.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longer than anything may take: who waits so long has failed.
pub const LONG: Duration = Duration::from_mins(1);
pub(super) const BETWEEN: Duration = Duration::from_millis(10);

/// Since 1970, by the clock that every server and database of the tests has too.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Asks again and again until there is an answer; panics with `what` after [`LONG`].
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + LONG;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "waited in vain: {what}");
        std::thread::sleep(BETWEEN);
    }
}

/// Waits until it is so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(what, || is_so().then_some(()));
}
