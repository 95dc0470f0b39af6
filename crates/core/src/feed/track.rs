//! How far this node has come with the changes of one issuer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use crate::ports::{Confirmation, Place, StoreError};

/// Nothing is remembered of the issuer.
const NOTHING: i64 = i64::MIN;

/// How far this node has come with the changes of one issuer.
#[derive(Debug)]
pub(crate) struct Track {
    applied: AtomicI64,
    /// What was confirmed last; [`NOTHING`] when others must be told anew that something is remembered.
    told: AtomicI64,
    followed: AtomicBool,
    /// One look at the issuer's number at a time: when the last one began, and what came of it.
    pub(super) looking: tokio::sync::Mutex<Option<(Duration, Result<(), StoreError>)>>,
    /// One question about the other nodes at a time: when the last one began, and its answer.
    pub(super) asking: tokio::sync::Mutex<Option<(Duration, Arc<[Confirmation]>)>>,
}

impl Default for Track {
    fn default() -> Self {
        Self {
            applied: AtomicI64::new(NOTHING),
            told: AtomicI64::new(NOTHING),
            followed: AtomicBool::new(false),
            looking: tokio::sync::Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }
}

impl Track {
    /// Something that was read at change number `change` is about to be remembered, for the first time.
    pub(crate) fn begin(&self, change: i64) {
        let _ = self.applied.compare_exchange(NOTHING, change, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Whether anything may be remembered of the issuer.
    pub(crate) fn remembers(&self) -> bool {
        self.applied.load(Ordering::Acquire) != NOTHING
    }

    /// The number of the last change that is applied here; nothing when nothing is remembered.
    pub(crate) fn applied(&self) -> Option<i64> {
        Some(self.applied.load(Ordering::Acquire)).filter(|n| *n != NOTHING)
    }

    pub(super) fn advance(&self, to: i64) {
        self.applied.store(to, Ordering::Release);
    }

    /// Whether the others know that this node remembers something, so that they wait for it, and its changes are looked for.
    pub(super) fn is_followed(&self) -> bool {
        self.followed.load(Ordering::Acquire)
    }

    pub(super) fn follow(&self) {
        self.followed.store(true, Ordering::Release);
    }

    /// The others may not know any more that this node remembers something.
    pub(crate) fn follow_anew(&self) {
        self.followed.store(false, Ordering::Release);
        self.told.store(NOTHING, Ordering::Release);
    }

    /// What the others have not been told yet.
    pub(super) fn untold(&self, issuer: &ficha_types::IssuerName) -> Option<Place> {
        let change = self.applied()?;
        (self.told.load(Ordering::Acquire) != change).then(|| Place { issuer: issuer.clone(), change })
    }

    pub(super) fn told(&self, change: i64) {
        self.told.store(change, Ordering::Release);
    }
}
