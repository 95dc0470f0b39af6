//! A listener with a few routes, and clients that see every byte.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Extension, Request, State},
    http::StatusCode,
    routing::{get, post},
};
use bytes::Bytes;
use ficha_web::{
    Arrival, BodyError, BodyLimits, CertStore, Limits, Listener, Serving, Shutdown, TrustedProxies, read_bounded,
};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::{Semaphore, mpsc},
};

/// Longer than anything here may take: a test that waits so long has failed.
pub(crate) const LONG: Duration = Duration::from_mins(1);
/// A limit that is meant to pass.
pub(crate) const SOON: Duration = Duration::from_millis(50);

/// Limits none of which passes in a test.
pub(crate) fn patient() -> Limits {
    Limits { handshake: LONG, header_read: LONG, idle: LONG, request: LONG, answer_taken: LONG, ..Limits::default() }
}

/// What the routes tell the test, and the test them.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) begun: mpsc::UnboundedSender<()>,
    pub(crate) go_on: Arc<Semaphore>,
    pub(crate) bodies: mpsc::UnboundedSender<Result<Bytes, BodyError>>,
}

pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Shutdown,
    pub(crate) serving: Serving,
    pub(crate) begun: mpsc::UnboundedReceiver<()>,
    pub(crate) go_on: Arc<Semaphore>,
    pub(crate) bodies: mpsc::UnboundedReceiver<Result<Bytes, BodyError>>,
}

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) limits: Option<Limits>,
    pub(crate) tls: Option<Arc<CertStore>>,
    pub(crate) proxies: TrustedProxies,
}

pub(crate) fn limited(limits: Limits) -> Site {
    start(Options { limits: Some(limits), ..Options::default() })
}

pub(crate) fn start(options: Options) -> Site {
    let shutdown = Shutdown::new();
    let (begun_in, begun) = mpsc::unbounded_channel();
    let (bodies_in, bodies) = mpsc::unbounded_channel();
    let go_on = Arc::new(Semaphore::new(0));
    let desk = Desk { begun: begun_in, go_on: Arc::clone(&go_on), bodies: bodies_in };
    let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &shutdown).unwrap();
    listener = listener.with_limits(options.limits.unwrap_or_else(patient)).with_proxies(options.proxies);
    if let Some(tls) = options.tls {
        listener = listener.with_tls(tls);
    }
    let serving = listener.serve(routes(desk)).unwrap();
    Site { address: serving.address(), shutdown, serving, begun, go_on, bodies }
}

fn routes(desk: Desk) -> Router {
    Router::new()
        .route("/hello", get(async || "hello"))
        .route("/arrival", get(arrival))
        .route("/wait", get(wait))
        .route("/body", post(body))
        .route("/echo", post(async |body: String| body))
        .route("/flood", get(flood))
        .with_state(desk)
}

async fn arrival(Extension(arrival): Extension<Arrival>) -> String {
    let Arrival { peer, local, tls, sni, .. } = arrival;
    format!("{peer} {local} {tls} {}", sni.as_deref().unwrap_or("-"))
}

async fn wait(State(desk): State<Desk>) -> &'static str {
    desk.begun.send(()).unwrap();
    desk.go_on.acquire().await.unwrap().forget();
    "waited"
}

/// An answer without an end.
async fn flood() -> Body {
    Body::from_stream(futures_util::stream::repeat_with(|| {
        Ok::<_, std::convert::Infallible>(Bytes::from_static(&[0; 1_000]))
    }))
}

async fn body(State(desk): State<Desk>, request: Request) -> StatusCode {
    desk.begun.send(()).unwrap();
    let limits = BodyLimits { bytes: 1_000, within: SOON, ..BodyLimits::default() };
    let read = read_bounded(request.into_body(), &limits).await;
    let status = match &read {
        Ok(_) => StatusCode::OK,
        Err(BodyError::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
        Err(BodyError::TimedOut) => StatusCode::REQUEST_TIMEOUT,
        Err(BodyError::Broken) => StatusCode::BAD_REQUEST,
    };
    desk.bodies.send(read).unwrap();
    status
}

/// A client of HTTP/1.1 that writes and reads text.
pub(crate) struct Wire<T = TcpStream>(pub(crate) T);

impl Wire {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire<T> {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Asks for `path` and answers the whole response.
    pub(crate) async fn get(&mut self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")).await;
        self.response().await
    }

    /// The next response, its body by its `content-length`.
    pub(crate) async fn response(&mut self) -> String {
        let mut read = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&read);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    return text.into_owned();
                }
            }
            let mut buffer = [0; 4_096];
            let count = tokio::time::timeout(LONG, self.0.read(&mut buffer)).await.unwrap().unwrap();
            assert!(count > 0, "the connection ended within {text:?}");
            read.extend_from_slice(&buffer[..count]);
        }
    }

    /// Waits for the end of the connection; answers what came before it.
    pub(crate) async fn end(&mut self) -> String {
        String::from_utf8(self.end_bytes().await).unwrap()
    }

    pub(crate) async fn end_bytes(&mut self) -> Vec<u8> {
        let mut read = Vec::new();
        // A reset is an end as well.
        let _ = tokio::time::timeout(LONG, self.0.read_to_end(&mut read)).await.expect("the connection ends");
        read
    }
}

pub(crate) type Http2 = http2::SendRequest<Full<Bytes>>;

/// A client of HTTP/2; the task ends with the connection.
pub(crate) async fn http2<T>(stream: T) -> (Http2, tokio::task::JoinHandle<hyper::Result<()>>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (send, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    (send, tokio::spawn(connection))
}

/// Status and body of an answer over HTTP/2.
pub(crate) async fn ask(send: &mut Http2, method: &str, path: &str, body: &'static [u8]) -> (StatusCode, String) {
    send.ready().await.unwrap();
    let uri = format!("http://test{path}");
    let request = Request::builder().method(method).uri(uri).body(Full::from(body)).unwrap();
    let response = send.send_request(request).await.unwrap();
    let status = response.status();
    let body = Body::new(response.into_body()).collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}
