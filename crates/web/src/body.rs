//! Reading a request's body, whole and bounded.

use std::{pin::pin, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::Instant;

use crate::within::within;

/// The bounds of a body.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Bytes that are taken.
    pub bytes: usize,
    /// Time in which they must have come.
    pub within: Duration,
    /// Bytes that are read in all, the ones beyond [`BodyLimits::bytes`] only to be thrown away, so that a client that
    /// is still sending gets to read its answer.
    pub discard_bytes: usize,
    /// Time for throwing away.
    pub discard_within: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            bytes: 64 << 10,
            within: Duration::from_secs(10),
            discard_bytes: 1 << 20,
            discard_within: Duration::from_secs(5),
        }
    }
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is longer than is taken (413). As much of it as is sensible has been read.
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    /// It did not come in time (408).
    #[error("the body did not come in time")]
    TimedOut,
    /// The connection broke, or its encoding is broken (400, if anybody still listens).
    #[error("the body ended before it was whole")]
    Broken,
}

/// Reads `body` whole. A body that came in one piece is not copied, and no timer is set for it.
///
/// # Errors
/// [`BodyError`].
pub async fn read_bounded<B>(body: B, limits: &BodyLimits) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut body = body;
    let read = within(|| Instant::now() + limits.within, pin!(take(&mut body, limits.bytes))).await;
    if let Some(bytes) = read.ok_or(BodyError::TimedOut)?? {
        return Ok(bytes);
    }
    // However this ends, the body was too large.
    let _ = within(|| Instant::now() + limits.discard_within, pin!(discard(&mut body, limits.discard_bytes))).await;
    Err(BodyError::TooLarge(limits.bytes))
}

/// The whole body, `None` once it is longer than `limit`.
async fn take<B>(body: &mut B, limit: usize) -> Result<Option<Bytes>, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Ok(None);
    }
    let Some(first) = next(body).await? else { return Ok(Some(Bytes::new())) };
    if first.len() > limit {
        return Ok(None);
    }
    if body.is_end_stream() {
        return Ok(Some(first));
    }
    let mut piece = next(body).await?;
    if piece.is_none() {
        return Ok(Some(first));
    }
    let mut whole = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0).max(first.len()));
    whole.extend_from_slice(&first);
    while let Some(bytes) = piece {
        if whole.len() + bytes.len() > limit {
            return Ok(None);
        }
        whole.extend_from_slice(&bytes);
        piece = next(body).await?;
    }
    Ok(Some(whole.freeze()))
}

/// The next bytes, `None` at the end. Trailers are passed over.
async fn next<B>(body: &mut B) -> Result<Option<Bytes>, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

async fn discard<B>(body: &mut B, limit: usize) -> Result<(), BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut read = 0;
    while read < limit {
        let Some(bytes) = next(body).await? else { break };
        read += bytes.len();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        pin::Pin,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Context, Poll},
    };

    use http_body_util::{Empty, Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    const LIMITS: BodyLimits = BodyLimits {
        bytes: 10,
        within: Duration::from_mins(1),
        discard_bytes: 100,
        discard_within: Duration::from_mins(1),
    };

    const HASTY: BodyLimits =
        BodyLimits { within: Duration::from_millis(10), discard_within: Duration::from_millis(10), ..LIMITS };

    /// Pieces as they come, told how many were taken.
    struct Pieces(Vec<&'static [u8]>, Arc<AtomicUsize>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.0.is_empty() {
                return Poll::Ready(None);
            }
            self.1.fetch_add(1, Ordering::Relaxed);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.0.remove(0))))))
        }
    }

    async fn read(pieces: &[&'static [u8]]) -> (Result<Bytes, BodyError>, usize) {
        let taken = Arc::new(AtomicUsize::new(0));
        let read = read_bounded(Pieces(pieces.to_vec(), Arc::clone(&taken)), &LIMITS).await;
        (read, taken.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn a_body_is_whole_however_it_was_cut() {
        for pieces in
            [&[b"0123456789" as &[u8]] as &[&[u8]], &[b"01", b"", b"23456789"], &[b"0", b"12", b"345", b"6789"]]
        {
            assert_eq!(read(pieces).await.0.unwrap(), "0123456789", "{pieces:?}");
        }
        assert_eq!(read_bounded(Empty::new(), &LIMITS).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_is_read_on_to_its_end() {
        for pieces in [&[b"0123456789" as &[u8], b"0", b"1", b"2"] as &[&[u8]], &[b"0123456789a", b"0", b"1", b"2"]] {
            assert_eq!(read(pieces).await, (Err(BodyError::TooLarge(10)), 4), "{pieces:?}");
        }
        let announced = read_bounded(Full::new(Bytes::from_static(b"0123456789a")), &LIMITS).await;
        assert_eq!(announced, Err(BodyError::TooLarge(10)));
    }

    #[tokio::test]
    async fn what_is_thrown_away_has_a_bound() {
        let (read, taken) = read(&[&[7_u8; 20] as &[u8]; 1_000]).await;
        assert_eq!(read, Err(BodyError::TooLarge(10)));
        assert!((6..=8).contains(&taken), "{taken} pieces of 20 bytes were taken");
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let never = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>());
        assert_eq!(read_bounded(never, &HASTY).await, Err(BodyError::TimedOut));
    }

    #[tokio::test]
    async fn what_is_thrown_away_is_not_waited_for_either() {
        use futures_util::StreamExt;
        let long = futures_util::stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[7; 20])))]);
        let body = StreamBody::new(long.chain(futures_util::stream::pending()));
        assert_eq!(read_bounded(body, &HASTY).await, Err(BodyError::TooLarge(10)));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_broken() {
        let frames = [Ok(Frame::data(Bytes::from_static(b"01"))), Err("gone")];
        let body = StreamBody::new(futures_util::stream::iter(frames));
        assert_eq!(read_bounded(body, &LIMITS).await, Err(BodyError::Broken));
    }
}
