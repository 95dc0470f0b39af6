//! The stream of a connection: looks whether the client has gone, and reads away what nobody wants.

use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use crate::connection::Traffic;

/// How long a client that has got its last answer may go on sending.
const LINGER: Duration = Duration::from_secs(2);

/// A stream that tells when something was read outside of any request, and looks while one is under way whether the client has
/// gone.
pub(crate) struct Watched<T> {
    stream: T,
    traffic: Arc<Traffic>,
    /// What was read while looking.
    ahead: Option<u8>,
    /// Runs while what was not read is read away.
    lingers: Option<Pin<Box<Sleep>>>,
}

impl<T> Watched<T> {
    pub(crate) fn new(stream: T, traffic: &Arc<Traffic>) -> Self {
        Self { stream, traffic: Arc::clone(traffic), ahead: None, lingers: None }
    }
}

impl<T: AsyncRead + Unpin> Watched<T> {
    /// Reads away a little of what still comes.
    fn read_away(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut away = [0; 4 << 10];
        let mut place = ReadBuf::new(&mut away);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut place));
        Poll::Ready(read.is_ok() && !place.filled().is_empty())
    }

    /// Fails once the client has closed its side while it was to wait for an answer. hyper would look itself, but with a new buffer
    /// of 8 KiB for each request. What comes instead of an end is the next request; hyper gets it when it reads again.
    fn look_for_the_end(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let waits = self.traffic.open.load(Relaxed) > 0 && !self.traffic.http2.load(Relaxed);
        if !waits || self.ahead.is_some() {
            return Ok(());
        }
        let mut byte = [0];
        let mut place = ReadBuf::new(&mut byte);
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, &mut place) else { return Ok(()) };
        read?;
        self.ahead = place.filled().first().copied();
        if self.ahead.is_none() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // hyper may wait for just this, a part of the body.
        cx.waker().wake_by_ref();
        Ok(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = if buf.remaining() > 0
            && let Some(byte) = self.ahead.take()
        {
            buf.put_slice(&[byte]);
            Poll::Ready(Ok(()))
        } else {
            Pin::new(&mut self.stream).poll_read(cx, buf)
        };
        if buf.filled().len() > before && self.traffic.open.load(Relaxed) == 0 {
            self.traffic.head.store(true, Relaxed);
        }
        read
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    /// hyper calls it whenever it has nothing to write, so also while it waits for an answer.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.look_for_the_end(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    /// Where a request was refused before it was read whole, what still comes of it is read away until the client closes its side
    /// too, or for [`LINGER`]: who closes a connection with something unread in it resets it, and the client, or a proxy on its
    /// behalf, may never read the answer (RFC 9112 §9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingers.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            let refused_halfway = self.traffic.head.load(Relaxed);
            if !refused_halfway && self.read_away(cx) != Poll::Ready(true) {
                return Poll::Ready(Ok(()));
            }
        }
        let mut alarm = self.lingers.take().unwrap_or_else(|| Box::pin(sleep(LINGER)));
        while alarm.as_mut().poll(cx).is_pending() {
            let Poll::Ready(more) = self.read_away(cx) else {
                self.lingers = Some(alarm);
                return Poll::Pending;
            };
            if !more {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::AtomicBool,
        task::{Wake, Waker},
    };

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Relaxed);
        }
    }

    #[tokio::test]
    async fn what_comes_while_looking_for_the_end_is_told_and_read_in_order() {
        let (mut client, stream) = duplex(100);
        let traffic = Arc::new(Traffic::new());
        traffic.open.store(1, Relaxed);
        let mut watched = Watched::new(stream, &traffic);
        client.write_all(b"twenty bytes of body").await.unwrap();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let flushed = Pin::new(&mut watched).poll_flush(&mut Context::from_waker(&waker));
        assert!(matches!(flushed, Poll::Ready(Ok(()))));
        assert!(woken.0.load(Relaxed), "who waits for the body has to read again");
        let mut body = [0; 20];
        watched.read_exact(&mut body).await.unwrap();
        assert_eq!(&body, b"twenty bytes of body");
        drop(client);
        assert_eq!(watched.flush().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
