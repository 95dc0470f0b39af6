//! An issuer of a feed behind TLS: the test says each event, and signs it.

use std::sync::{Arc, LazyLock, Mutex};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use ficha_jose::{SigningKey, jws};
use ficha_verify::{Algorithm, Builder, FeedOptions, JwkSet, Verifier};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    issuer::{AUDIENCE, NOON, PATIENCE, Passed, TestClock},
    tls,
    vouch::set,
};

/// The key of the feed.
pub(super) static KEY: LazyLock<SigningKey> = LazyLock::new(made);
/// Another one: its successor, or a forger's.
pub(super) static OTHER_KEY: LazyLock<SigningKey> = LazyLock::new(made);

fn made() -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa, 2048).unwrap().0
}

pub(super) struct Server {
    pub(super) url: String,
    ca: String,
    pub(super) state: Arc<Shared>,
    pub(super) clock: TestClock,
    pub(super) passed: Passed,
    connections: mpsc::UnboundedReceiver<Connection>,
}

pub(super) struct Shared {
    pub(super) feed_keys: Mutex<JwkSet>,
    /// What is answered instead of a stream.
    pub(super) refusal: Mutex<Option<StatusCode>>,
    url: Mutex<String>,
    began: mpsc::UnboundedSender<Connection>,
}

/// A verifier that reads the stream.
pub(super) struct Connection {
    pub(super) headers: HeaderMap,
    events: mpsc::UnboundedSender<String>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let (began, connections) = mpsc::unbounded_channel();
        let feed_keys = JwkSet::new(vec![KEY.public_jwk("feed-1").unwrap()]);
        let (feed_keys, refusal) = (Mutex::new(feed_keys), Mutex::new(None));
        let state = Arc::new(Shared { feed_keys, refusal, url: Mutex::default(), began });
        let routes = Router::new()
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/jwks", get(async || Json(set(&["k"]))))
            .route(
                "/feed/jwks",
                get(async |State(state): State<Arc<Shared>>| Json(state.feed_keys.lock().unwrap().clone())),
            )
            .route("/feed", get(feed))
            .with_state(Arc::clone(&state));
        let (url, ca) = tls::serve(routes).await;
        state.url.lock().unwrap().clone_from(&url);
        Self { url, ca, state, clock: TestClock::at_noon(), passed: Passed::default(), connections }
    }

    pub(super) fn options() -> FeedOptions {
        FeedOptions::with_secret("cards api", "s%cret+/".to_owned())
    }

    /// A verifier before it knows of a feed.
    pub(super) fn builder(&self) -> Builder {
        let builder = Verifier::builder(&self.url, AUDIENCE).root_ca_pem(self.ca.as_bytes());
        builder.clock(self.clock.reading()).passed(self.passed.reading()).timeout(PATIENCE)
    }

    pub(super) fn follows(&self, options: FeedOptions) -> Verifier {
        self.builder().keys(set(&["k"])).follow(options).build().unwrap()
    }

    /// The next connection, which comes some time.
    pub(super) async fn connection(&mut self) -> Connection {
        self.connections.recv().await.unwrap()
    }

    /// Time passes here and there alike.
    pub(super) fn pass(&self, milliseconds: i64) {
        self.passed.advance(milliseconds);
        let seconds = self.passed.milliseconds() / 1000 - (self.passed.milliseconds() - milliseconds) / 1000;
        self.clock.advance(seconds);
    }

    /// Milliseconds since 1970, now, by the issuer's clock, which goes with ours.
    pub(super) fn at(&self) -> i64 {
        NOON * 1000 + self.passed.milliseconds()
    }

    /// A payload of now.
    pub(super) fn event(&self, kind: &str, (from, to): (u64, u64), events: &Value) -> Value {
        json!({
            "iss": self.url, "aud": AUDIENCE, "kind": kind, "from": from, "to": to, "at": self.at(), "events": events,
        })
    }

    pub(super) fn snapshot(&self, to: u64, events: &Value) -> String {
        stated(&self.event("snapshot", (0, to), events))
    }

    pub(super) fn batch(&self, numbers: (u64, u64), events: &Value) -> String {
        stated(&self.event("batch", numbers, events))
    }

    pub(super) fn heartbeat(&self, number: u64) -> String {
        stated(&self.event("heartbeat", (number, number), &json!([])))
    }
}

impl Connection {
    pub(super) fn say(&self, event: String) {
        self.events.send(event).unwrap();
    }

    /// Until the verifier has gone away.
    pub(super) async fn ended(&self) {
        self.events.closed().await;
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// The event as it stands in the stream, signed by the feed's key.
pub(super) fn stated(payload: &Value) -> String {
    framed(payload, &sealed(payload))
}

/// The signed text of the event.
pub(super) fn sealed(payload: &Value) -> String {
    sealed_by(&json!({"alg": "EdDSA", "typ": "ficha-revocations+jwt", "kid": "feed-1"}), payload, &KEY)
}

pub(super) fn sealed_by(header: &Value, payload: &Value, key: &SigningKey) -> String {
    jws::compact(header.to_string().as_bytes(), payload.to_string().as_bytes(), key).unwrap()
}

/// `data` with what is said beside it.
pub(super) fn framed(payload: &Value, data: &str) -> String {
    let (kind, to) = (payload["kind"].as_str().unwrap(), &payload["to"]);
    format!("id: {to}\nevent: {kind}\ndata: {data}\n\n")
}

async fn metadata(State(state): State<Arc<Shared>>) -> Json<Value> {
    let url = state.url.lock().unwrap().clone();
    Json(json!({
        "issuer": url, "jwks_uri": format!("{url}/jwks"), "revocation_feed_endpoint": format!("{url}/feed"),
        "revocation_feed_jwks_uri": format!("{url}/feed/jwks"),
    }))
}

async fn feed(State(state): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if let Some(status) = *state.refusal.lock().unwrap() {
        return (status, [("retry-after", "0"), ("location", "/elsewhere")]).into_response();
    }
    let (events, said) = mpsc::unbounded_channel();
    state.began.send(Connection { headers, events }).unwrap();
    let pieces = stream::unfold(said, async |mut said: mpsc::UnboundedReceiver<String>| {
        said.recv().await.map(|event| (Ok::<_, std::convert::Infallible>(event), said))
    });
    ([("content-type", "text/event-stream")], Body::from_stream(pieces)).into_response()
}
