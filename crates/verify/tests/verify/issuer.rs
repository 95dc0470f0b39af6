//! An issuer that counts who asks, and goes away when it is told to.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use ficha_verify::{Builder, JwkSet, UnixSeconds, Verifier};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};

/// What the verifiers of these tests are.
pub(crate) const AUDIENCE: &str = "https://api.example.com";
/// When these tests begin.
pub(crate) const NOON: i64 = 1_800_000_000;
/// How long a verifier waits that is to be answered, however slow the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_hours(1);

/// A clock that stands until it is moved.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub(crate) fn at_noon() -> Self {
        Self(Arc::new(AtomicI64::new(NOON)))
    }
    pub(crate) fn now(&self) -> i64 {
        self.0.load(SeqCst)
    }
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, SeqCst);
    }
    pub(crate) fn reading(&self) -> impl Fn() -> UnixSeconds + Send + Sync + 'static {
        let clock = self.clone();
        move || UnixSeconds(clock.now())
    }
}

/// Time that passes when it is told to.
#[derive(Clone, Default)]
pub(crate) struct Passed(Arc<AtomicI64>);

impl Passed {
    pub(crate) fn advance(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, SeqCst);
    }
    pub(crate) fn milliseconds(&self) -> i64 {
        self.0.load(SeqCst)
    }
    pub(crate) fn reading(&self) -> impl Fn() -> Duration + Send + Sync + 'static {
        let passed = self.clone();
        move || Duration::from_millis(u64::try_from(passed.milliseconds()).unwrap())
    }
}

/// How the issuer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// 500.
    Broken,
    /// Elsewhere, says a redirect.
    Moved,
    /// The connection is taken, and nothing comes.
    Silent,
    /// More than anyone should read.
    Endless,
    /// Something that is no JSON.
    Garbled,
}

pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) state: Arc<Shared>,
    pub(crate) clock: TestClock,
}

pub(crate) struct Shared {
    pub(crate) set: Mutex<JwkSet>,
    pub(crate) mood: Mutex<Mood>,
    pub(crate) cache_control: Mutex<Option<String>>,
    pub(crate) metadata: Mutex<Option<(String, Value)>>,
    pub(crate) introspected: Mutex<Value>,
    pub(crate) last: Mutex<Option<(HeaderMap, String)>>,
    key_sets: AtomicUsize,
    documents: AtomicUsize,
    introspections: AtomicUsize,
    elsewhere: AtomicUsize,
}

impl Issuer {
    /// An issuer on a port of its own, which publishes `set` for five minutes.
    pub(crate) async fn start(set: JwkSet) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Shared::new(set);
        let app = app(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, state, clock: TestClock::at_noon() }
    }

    /// An address where nobody listens, nor can while the socket is kept, until that does.
    pub(crate) fn away() -> (SocketAddr, TcpSocket) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        (socket.local_addr().unwrap(), socket)
    }

    /// A verifier that waits for it as good as for ever.
    pub(crate) fn builder(&self) -> Builder {
        Verifier::builder(&self.url, AUDIENCE).clock(self.clock.reading()).timeout(PATIENCE)
    }

    pub(crate) fn mood(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }

    pub(crate) fn publish(&self, set: JwkSet) {
        *self.state.set.lock().unwrap() = set;
    }

    pub(crate) fn cache_control(&self, value: &str) {
        *self.state.cache_control.lock().unwrap() = Some(value.to_owned());
    }

    /// How often the key set was asked for.
    pub(crate) fn key_sets(&self) -> usize {
        self.state.key_sets.load(SeqCst)
    }

    /// How often metadata was asked for.
    pub(crate) fn documents(&self) -> usize {
        self.state.documents.load(SeqCst)
    }

    pub(crate) fn introspections(&self) -> usize {
        self.state.introspections.load(SeqCst)
    }

    /// How often somebody went where a redirect sent them.
    pub(crate) fn elsewhere(&self) -> usize {
        self.state.elsewhere.load(SeqCst)
    }
}

impl Shared {
    pub(crate) fn new(set: JwkSet) -> Arc<Self> {
        Arc::new(Self {
            set: Mutex::new(set),
            mood: Mutex::new(Mood::Well),
            cache_control: Mutex::new(Some("public, max-age=300".into())),
            metadata: Mutex::new(None),
            introspected: Mutex::new(json!({"active": false})),
            last: Mutex::new(None),
            key_sets: AtomicUsize::new(0),
            documents: AtomicUsize::new(0),
            introspections: AtomicUsize::new(0),
            elsewhere: AtomicUsize::new(0),
        })
    }
}

/// The issuer's routes, to be served by any listener.
pub(crate) fn app(state: Arc<Shared>) -> Router {
    Router::new()
        .route("/jwks", get(jwks))
        .route("/introspect", post(introspect))
        .route("/elsewhere", get(elsewhere).post(elsewhere))
        .fallback(document)
        .with_state(state)
}

async fn jwks(State(state): State<Arc<Shared>>) -> Response {
    state.key_sets.fetch_add(1, SeqCst);
    let set = serde_json::to_string(&*state.set.lock().unwrap()).unwrap();
    let mut response = by_mood(&state, set).await;
    if let Some(value) = &*state.cache_control.lock().unwrap() {
        response.headers_mut().insert("cache-control", value.parse().unwrap());
    }
    response
}

async fn introspect(State(state): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    state.introspections.fetch_add(1, SeqCst);
    *state.last.lock().unwrap() = Some((headers, String::from_utf8(body.to_vec()).unwrap()));
    let answer = state.introspected.lock().unwrap().to_string();
    by_mood(&state, answer).await
}

async fn elsewhere(State(state): State<Arc<Shared>>) -> Response {
    state.elsewhere.fetch_add(1, SeqCst);
    state.set.lock().map(|set| serde_json::to_string(&*set).unwrap().into_response()).unwrap()
}

async fn document(State(state): State<Arc<Shared>>, uri: Uri) -> Response {
    state.documents.fetch_add(1, SeqCst);
    let metadata = state.metadata.lock().unwrap().clone();
    match metadata {
        Some((path, document)) if path == uri.path() => document.to_string().into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn by_mood(state: &Shared, well: String) -> Response {
    let mood = *state.mood.lock().unwrap();
    match mood {
        Mood::Well => well.into_response(),
        Mood::Broken => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Mood::Moved => Redirect::temporary("/elsewhere").into_response(),
        Mood::Silent => std::future::pending().await,
        Mood::Endless => format!("{}{well}", " ".repeat(300 * 1024)).into_response(),
        Mood::Garbled => "<html>".into_response(),
    }
}
