//! One server for several tests: it starts with the first and goes down, searched for secrets, when no test holds it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A place for a server that tests share.
pub struct Shared<T>(Mutex<Weak<T>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Shared<T> {
    /// Nobody holds it yet.
    pub const fn new() -> Self {
        Self(Mutex::new(Weak::new()))
    }

    /// The one that runs, or a new one.
    pub fn get(&self, start: impl FnOnce() -> T) -> Arc<T> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = place.upgrade() {
            return running;
        }
        let new = Arc::new(start());
        *place = Arc::downgrade(&new);
        new
    }
}
