//! One connection: its requests, its time limits, its end.

use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use ficha_telemetry::metrics::{EndedConnection, metrics};
use http::{HeaderValue, Method, Request, StatusCode, Version, header};
use hyper::{
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until},
};
use tokio_util::task::TaskTracker;

use crate::{Answering, Arrival, Phase, Shutdown, serve::Site, watched::Watched, within::within};

/// Both ends of a connection and what its handshake told.
pub(crate) struct Ends {
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) tls: bool,
    pub(crate) sni: Option<Arc<str>>,
}

/// Runs the requests of HTTP/2 connections among the listener's tasks, so that its end waits for them.
#[derive(Clone)]
pub(crate) struct Executor(pub(crate) TaskTracker);

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

/// Serves a connection until either side ends it.
pub(crate) async fn serve<T>(stream: T, ends: Ends, (answers, alpn): (impl Answering, Option<&[u8]>), site: &Arc<Site>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let traffic = Arc::new(Traffic::new());
    let io = TokioIo::new(Watched::new(stream, &traffic));
    let answered = service_fn({
        let (traffic, site) = (Arc::clone(&traffic), Arc::clone(site));
        move |request: Request<Incoming>| answer(request, &answers, &ends, (&traffic, &site))
    });
    let mut http = pin!(site.http.agreed(alpn).serve_connection(io, answered));
    let mut watch = Watch::new(&traffic, site);
    let mut alarm = pin!(sleep_until(watch.due()));
    let mut changed = pin!(site.shutdown.changed());
    // Polled once it wakes this task at the next change; polled at each of its many wake-ups it would cost a lock.
    let mut phase = None;
    let ended = poll_fn(|cx| {
        if phase != Some(site.shutdown.phase()) {
            phase = Some(follow(&site.shutdown, changed.as_mut(), cx));
        }
        if phase == Some(Phase::Aborting) {
            return Poll::Ready(None);
        }
        loop {
            if http.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            if watch.must_close(phase) {
                http.as_mut().graceful_shutdown();
                continue;
            }
            watch.look_for_a_head();
            let due = watch.due();
            if due < alarm.deadline() {
                alarm.as_mut().reset(due);
            }
            ready!(alarm.as_mut().poll(cx));
            match watch.overdue() {
                None => alarm.as_mut().reset(watch.due()),
                Some(EndedConnection::Idle) if watch.close() => {
                    metrics().connections_ended.count(EndedConnection::Idle);
                    http.as_mut().graceful_shutdown();
                }
                Some(why) => return Poll::Ready(Some(why)),
            }
        }
    })
    .await;
    if let Some(why) = ended {
        metrics().connections_ended.count(why);
    }
}

/// Asks to be woken at the next change of the phase, and answers the one after which that is.
fn follow<'a>(
    shutdown: &'a Shutdown,
    mut changed: Pin<&mut tokio::sync::futures::Notified<'a>>,
    cx: &mut Context<'_>,
) -> Phase {
    loop {
        changed.set(shutdown.changed());
        let phase = shutdown.phase();
        if changed.as_mut().poll(cx).is_pending() {
            return phase;
        }
    }
}

/// Answers one request, in bounded time.
fn answer<A: Answering>(
    request: Request<Incoming>,
    answers: &A,
    ends: &Ends,
    (traffic, site): (&Arc<Traffic>, &Arc<Site>),
) -> impl Future<Output = Result<Response<Tracked>, Infallible>> + Send + use<A> {
    let at = Instant::now();
    let (version, head) = (request.version(), request.method() == Method::HEAD);
    let number = traffic.begin(at, version);
    let open = Open(Arc::clone(traffic));
    let Ends { peer, local, tls, sni } = ends;
    let arrival = Arrival { peer: *peer, local: *local, tls: *tls, sni: sni.clone(), at: at.into_std() };
    let (answers, site) = (answers.clone(), Arc::clone(site));
    async move {
        let answer = within(|| at + site.limits.request, pin!(answers.answer(request, arrival))).await;
        let mut response = answer.unwrap_or_else(too_slow);
        let last = number >= site.limits.requests_per_connection || site.shutdown.phase() >= Phase::Draining;
        if last && version <= Version::HTTP_11 {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        // RFC 9110 §9.3.2. In HTTP/1 hyper sees to it.
        if head && version >= Version::HTTP_2 {
            response = without_body(response);
        }
        Ok(response.map(|body| Tracked { body, open }))
    }
}

/// The same headers, the length of the body among them, and no body.
fn without_body(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = HttpBody::size_hint(&body).exact() {
        parts.headers.entry(header::CONTENT_LENGTH).or_insert(length.into());
    }
    Response::from_parts(parts, Body::empty())
}

fn too_slow() -> Response {
    metrics().connections_ended.count(EndedConnection::RequestTimeout);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What has happened on a connection, told by its stream and its requests, asked by its [`Watch`].
pub(crate) struct Traffic {
    opened: Instant,
    /// Requests so far.
    begun: AtomicU64,
    /// Requests that are not answered in full.
    pub(crate) open: AtomicU32,
    /// Microseconds from `opened` to when a request last began or an answer last went on.
    progress: AtomicU64,
    /// Something was read since then while no request was open: a head that is not whole yet.
    pub(crate) head: AtomicBool,
    /// It speaks HTTP/2.
    pub(crate) http2: AtomicBool,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self {
            opened: Instant::now(),
            begun: AtomicU64::new(0),
            open: AtomicU32::new(0),
            progress: AtomicU64::new(0),
            head: AtomicBool::new(false),
            http2: AtomicBool::new(false),
        }
    }

    /// Notes a request; answers its number, from 1.
    fn begin(&self, at: Instant, version: Version) -> u64 {
        self.open.fetch_add(1, Relaxed);
        self.note_progress(at);
        self.head.store(false, Relaxed);
        self.http2.store(version == Version::HTTP_2, Relaxed);
        self.begun.fetch_add(1, Relaxed) + 1
    }

    fn note_progress(&self, at: Instant) {
        let since = at.saturating_duration_since(self.opened).as_micros();
        self.progress.store(u64::try_from(since).unwrap_or(u64::MAX), Relaxed);
    }
}

/// Counts a request until its answer has been handed over.
struct Open(Arc<Traffic>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

/// Keeps the time limits of a connection.
struct Watch<'a> {
    traffic: &'a Traffic,
    site: &'a Site,
    head_since: Option<Instant>,
    closing_since: Option<Instant>,
}

impl<'a> Watch<'a> {
    fn new(traffic: &'a Traffic, site: &'a Site) -> Self {
        Self { traffic, site, head_since: None, closing_since: None }
    }

    /// Notes when an unfinished head was first seen. HTTP/2 clients send frames of other kinds while they are idle.
    fn look_for_a_head(&mut self) {
        let unfinished = self.traffic.head.load(Relaxed) && !self.traffic.http2.load(Relaxed);
        self.head_since = if unfinished { self.head_since.or_else(|| Some(Instant::now())) } else { None };
    }

    /// Whether the end in good order begins now.
    fn must_close(&mut self, phase: Option<Phase>) -> bool {
        let begun = self.traffic.begun.load(Relaxed);
        let http2_ends = self.traffic.http2.load(Relaxed)
            && (phase >= Some(Phase::Draining) || begun >= self.site.limits.requests_per_connection);
        (phase >= Some(Phase::Stopping) || http2_ends) && self.close()
    }

    /// Notes that the end has begun; `false` when it had before.
    fn close(&mut self) -> bool {
        self.closing_since.is_none() && self.closing_since.replace(Instant::now()).is_none()
    }

    /// Which limit counts now, and when it will have passed.
    fn limit(&self) -> (Instant, EndedConnection) {
        let limits = &self.site.limits;
        let progress = self.traffic.opened + Duration::from_micros(self.traffic.progress.load(Relaxed));
        if self.traffic.open.load(Relaxed) > 0 {
            (progress + limits.request + limits.answer_taken, EndedConnection::Stalled)
        } else if let Some(since) = self.closing_since {
            (since + limits.answer_taken, EndedConnection::Stalled)
        } else if let Some(since) = self.head_since {
            (since + limits.header_read, EndedConnection::HeaderTimeout)
        } else if self.traffic.begun.load(Relaxed) == 0 {
            (self.traffic.opened + limits.header_read, EndedConnection::HeaderTimeout)
        } else {
            (progress + limits.idle, EndedConnection::Idle)
        }
    }

    fn due(&self) -> Instant {
        self.limit().0
    }

    fn overdue(&self) -> Option<EndedConnection> {
        let (due, why) = self.limit();
        (Instant::now() >= due).then_some(why)
    }
}

/// The body of an answer, which keeps its request open until it has been handed over.
struct Tracked {
    body: Body,
    open: Open,
}

impl hyper::body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_some() && !self.body.is_end_stream() {
            self.open.0.note_progress(Instant::now());
        }
        Poll::Ready(frame)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
