//! How far the end of the process has come.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use tokio::sync::{Notify, futures::Notified};

/// The steps of an end in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Phase {
    /// All is well.
    Serving,
    /// Unready, but still served: HTTP/1 answers say `Connection: close`, HTTP/2 connections get GOAWAY.
    Draining,
    /// Nothing new is taken; what was begun is finished.
    Stopping,
    /// What is still open is dropped.
    Aborting,
}

/// Tells every listener how far the end has come. Clones share it.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Default)]
struct Inner {
    phase: AtomicU8,
    changed: Notify,
}

impl Shutdown {
    /// One that is [`Phase::Serving`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            2 => Phase::Stopping,
            _ => Phase::Aborting,
        }
    }

    /// Goes on to `phase`; there is no way back.
    pub fn advance(&self, phase: Phase) {
        self.0.phase.fetch_max(phase as u8, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }

    /// Waits until it has come to `phase` or beyond.
    pub async fn reached(&self, phase: Phase) {
        loop {
            // Made before the look, so that a change right after it is not missed.
            let changed = self.changed();
            if self.phase() >= phase {
                return;
            }
            changed.await;
        }
    }

    /// Resolves at the next change after this call.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.0.changed.notified()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_only_goes_forward_and_wakes_who_waits() {
        let shutdown = Shutdown::new();
        let waits = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.reached(Phase::Stopping).await }
        });
        tokio::task::yield_now().await;
        shutdown.advance(Phase::Draining);
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        shutdown.advance(Phase::Stopping);
        waits.await.unwrap();
        shutdown.advance(Phase::Draining);
        assert_eq!(shutdown.phase(), Phase::Stopping);
    }
}
