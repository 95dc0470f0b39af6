//! A time limit that costs nothing when there is nothing to wait for.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use tokio::time::{Instant, timeout_at};

/// What `work` comes to, or `None` when `deadline` passed first. A timer is only set once `work` has to wait. (It stays where it
/// is: a future that is handed over is copied.)
pub(crate) async fn within<F: Future>(deadline: impl FnOnce() -> Instant, mut work: Pin<&mut F>) -> Option<F::Output> {
    match poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
        Poll::Ready(done) => Some(done),
        Poll::Pending => timeout_at(deadline(), work).await.ok(),
    }
}
