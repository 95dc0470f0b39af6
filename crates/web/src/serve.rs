//! A listener: accepts connections, bounds them, and ends in good order.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use ficha_telemetry::metrics::{FailedHandshake, Label, RefusedConnection, metrics};
use ficha_types::network;
use hyper_util::{rt::TokioTimer, server::conn::auto};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

use crate::{
    Answering, CertStore, Limits, Phase, Shutdown, TrustedProxies,
    connection::{self, Ends, Executor},
    peer::canonical,
};

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 1_024;
/// How long nothing more is said of connections that are turned away.
const SILENCE: Duration = Duration::from_secs(10);
/// How long accepting pauses when it fails for want of something (files, memory): at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// A bound socket with what it is to be served with.
pub struct Listener {
    socket: std::net::TcpListener,
    shutdown: Shutdown,
    tls: Option<Arc<CertStore>>,
    limits: Limits,
    proxies: TrustedProxies,
}

impl Listener {
    /// Binds `address`; port 0 lets the system choose.
    ///
    /// # Errors
    /// What the system says, with the address.
    pub fn bind(address: SocketAddr, shutdown: &Shutdown) -> io::Result<Self> {
        let bound = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            // A restart must not wait for the last connections of the process before.
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Ok(socket)
        };
        let socket =
            bound().map_err(|e: io::Error| io::Error::new(e.kind(), format!("cannot listen at {address}: {e}")))?;
        Ok(Self::from_std(socket.into(), shutdown))
    }

    /// Takes a socket that listens already.
    #[must_use]
    pub fn from_std(socket: std::net::TcpListener, shutdown: &Shutdown) -> Self {
        let (limits, proxies) = (Limits::default(), TrustedProxies::default());
        Self { socket, shutdown: shutdown.clone(), tls: None, limits, proxies }
    }

    /// Speaks TLS with these certificates; plain HTTP otherwise.
    #[must_use]
    pub fn with_tls(self, certificates: Arc<CertStore>) -> Self {
        Self { tls: Some(certificates), ..self }
    }

    /// Keeps these limits instead of the default ones.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Does not count connections of these proxies per address.
    #[must_use]
    pub fn with_proxies(self, proxies: TrustedProxies) -> Self {
        Self { proxies, ..self }
    }

    /// The address that is bound.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Begins to serve, on tasks of the running runtime, until the shutdown has come to [`Phase::Stopping`].
    ///
    /// # Errors
    /// What the system says about the socket, or rustls about the provider.
    pub fn serve(self, answers: impl Answering) -> io::Result<Serving> {
        self.socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(self.socket)?;
        let address = socket.local_addr()?;
        let tasks = TaskTracker::new();
        let tls =
            self.tls.map(|store| store.server_config()).transpose().map_err(io::Error::other)?.map(TlsAcceptor::from);
        let site = Arc::new(Site {
            http: Protocols::of(&self.limits, &tasks),
            seats: Arc::new(Seats { taken: AtomicUsize::new(0), by_address: Mutex::default() }),
            shutdown: self.shutdown,
            limits: self.limits,
            proxies: self.proxies,
            tls,
        });
        tasks.spawn(accept(socket, answers, site, tasks.clone()));
        tasks.close();
        Ok(Serving { address, tasks })
    }
}

/// A listener at work.
pub struct Serving {
    address: SocketAddr,
    tasks: TaskTracker,
}

impl Serving {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has stopped and its last connection has ended.
    pub async fn finished(&self) {
        self.tasks.wait().await;
    }
}

/// Ends `servings` in good order: `drain` long they still serve, then what was begun may take `finish`, then the rest is
/// dropped. Answers whether nothing had to be dropped.
pub async fn wind_down(shutdown: &Shutdown, servings: &[Serving], drain: Duration, finish: Duration) -> bool {
    shutdown.advance(Phase::Draining);
    tokio::time::sleep(drain).await;
    shutdown.advance(Phase::Stopping);
    let all = async {
        for serving in servings {
            serving.finished().await;
        }
    };
    let finished = tokio::time::timeout(finish, all).await.is_ok();
    shutdown.advance(Phase::Aborting);
    finished
}

/// What the connections of a listener share.
pub(crate) struct Site {
    pub(crate) http: Protocols,
    pub(crate) shutdown: Shutdown,
    pub(crate) limits: Limits,
    seats: Arc<Seats>,
    proxies: TrustedProxies,
    tls: Option<TlsAcceptor>,
}

/// How a connection is served, by what was agreed on in the handshake.
pub(crate) struct Protocols {
    either: auto::Builder<Executor>,
    http2: auto::Builder<Executor>,
}

impl Protocols {
    fn of(limits: &Limits, tasks: &TaskTracker) -> Self {
        let http = || http_of(limits, tasks);
        Self { either: http(), http2: http().http2_only() }
    }

    /// Whoever agreed on HTTP/2 must begin as it does (RFC 9113 §3.4).
    pub(crate) fn agreed(&self, alpn: Option<&[u8]>) -> &auto::Builder<Executor> {
        match alpn {
            Some(b"h2") => &self.http2,
            Some(_) | None => &self.either,
        }
    }
}

fn http_of(limits: &Limits, tasks: &TaskTracker) -> auto::Builder<Executor> {
    let mut http = auto::Builder::new(Executor(tasks.clone()));
    let head = limits.header_bytes.max(8_192);
    // The time for a head is kept in `connection.rs`: hyper's own runs while a connection is idle, and costs a timer
    // for each request.
    // An answer is small: its head and body as one piece cost less than as two.
    // `half_close`: who closes while a request is under way has gone, and what waits for them (a hash, say) is left out, but it is
    // `connection.rs` that looks.
    http.http1().header_read_timeout(None).half_close(true).max_buf_size(head).writev(false);
    http.http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.http2.concurrent_streams)
        .initial_stream_window_size(limits.http2.stream_window)
        .initial_connection_window_size(limits.http2.connection_window)
        .max_send_buf_size(limits.http2.send_buffer)
        .max_pending_accept_reset_streams(limits.http2.pending_resets)
        .max_local_error_reset_streams(limits.http2.error_resets);
    http
}

async fn accept(socket: TcpListener, answers: impl Answering, site: Arc<Site>, tasks: TaskTracker) {
    let mut pause = PAUSE.0;
    let mut warned: Option<Instant> = None;
    let stopping = site.shutdown.reached(Phase::Stopping);
    tokio::pin!(stopping);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopping => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = PAUSE.0;
                match site.seats.take(canonical(peer).ip(), &site) {
                    Ok(seat) => {
                        tasks.spawn(connect(stream, peer, answers.clone(), (Arc::clone(&site), seat)));
                    }
                    Err(reason) => {
                        metrics().connections_refused.count(reason);
                        if warned.is_none_or(|at| at.elapsed() > SILENCE) {
                            warned = Some(Instant::now());
                            warn!(peer = %peer.ip(), reason = reason.word(), "a connection was turned away: too many are open");
                        }
                    }
                }
            }
            // The one that was to be accepted has gone again; the next may be had.
            Err(e) if is_about_the_peer(&e) => debug!(error = %e, "a connection was gone before it was accepted"),
            Err(e) => {
                metrics().connections_refused.count(RefusedConnection::AcceptFailed);
                error!(error = %e, "no connection can be accepted now; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE.1);
            }
        }
    }
}

fn is_about_the_peer(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    [ConnectionAborted, ConnectionReset, Interrupted].contains(&e.kind())
}

async fn connect(stream: TcpStream, peer: SocketAddr, answers: impl Answering, (site, _seat): (Arc<Site>, Seat)) {
    // Without these the connection is slower or lives longer, but right.
    let _ = stream.set_nodelay(true);
    // A peer that acknowledges nothing any more is gone, however little is sent to it: a stream that lives for days would
    // otherwise be kept for a quarter of an hour.
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(site.limits.request + site.limits.answer_taken));
    let Ok(local) = stream.local_addr() else { return };
    let (peer, local) = (canonical(peer), canonical(local));
    let Some(tls) = &site.tls else {
        return connection::serve(stream, Ends { peer, local, tls: false, sni: None }, (answers, None), &site).await;
    };
    let handshake = tokio::select! {
        () = site.shutdown.reached(Phase::Stopping) => return,
        handshake = tokio::time::timeout(site.limits.handshake, tls.accept(stream)) => handshake,
    };
    match handshake {
        Ok(Ok(stream)) => {
            let sni = stream.get_ref().1.server_name().map(Arc::from);
            let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            connection::serve(stream, Ends { peer, local, tls: true, sni }, (answers, alpn.as_deref()), &site).await;
        }
        Ok(Err(e)) => {
            metrics().handshakes_failed.count(FailedHandshake::Refused);
            debug!(peer = %peer.ip(), error = %e, "a TLS handshake failed");
        }
        Err(_) => metrics().handshakes_failed.count(FailedHandshake::TimedOut),
    }
}

/// The connections that are open.
struct Seats {
    taken: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, u32>>,
}

/// Counts one connection while it is open.
struct Seat {
    seats: Arc<Seats>,
    /// The address it is counted under, if it is.
    address: Option<IpAddr>,
}

impl Seats {
    fn take(self: &Arc<Self>, peer: IpAddr, site: &Site) -> Result<Seat, RefusedConnection> {
        let counted = (!site.proxies.contains(peer)).then(|| network(peer));
        if self.taken.load(Ordering::Relaxed) >= site.limits.connections {
            return Err(RefusedConnection::Full);
        }
        if let Some(address) = counted {
            let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            let open = by_address.entry(address).or_insert(0);
            if *open >= site.limits.connections_per_address {
                return Err(RefusedConnection::PerAddress);
            }
            *open += 1;
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        metrics().connections_open.up(());
        Ok(Seat { seats: Arc::clone(self), address: counted })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.fetch_sub(1, Ordering::Relaxed);
        metrics().connections_open.down(());
        let Some(address) = self.address else { return };
        let mut by_address = self.seats.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = by_address.get_mut(&address) {
            *open -= 1;
            if *open == 0 {
                by_address.remove(&address);
            }
        }
    }
}
