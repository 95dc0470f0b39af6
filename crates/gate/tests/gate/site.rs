//! A gate, an issuer that it trusts, and a proxy that asks.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use ficha_gate::{Check, Checkable, Gate, VerifyingOptions, rules, verifying};
use ficha_jose::{JwkSet, SigningKey, jws};
use ficha_types::{Algorithm, Seconds, UnixSeconds};
use ficha_web::{Arrival, TrustedProxies};
use http::Request;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const AUDIENCE: &str = "https://cards.example";
const NOON: i64 = 1_800_000_000;

/// A key of the issuer.
pub(crate) struct Key {
    kid: &'static str,
    signing: SigningKey,
}

impl Key {
    pub(crate) fn new(kid: &'static str) -> Self {
        Self { kid, signing: SigningKey::generate(Algorithm::Es256, 2048).unwrap().0 }
    }

    /// A token for these scopes that is good for an hour from noon.
    pub(crate) fn token(&self, issuer: &str, scope: &str) -> String {
        let claims = json!({"iss": issuer, "aud": AUDIENCE, "sub": "ana", "client_id": "my app", "scope": scope,
            "iat": NOON, "exp": NOON + 3600, "jti": "one"});
        let header = json!({"alg": "ES256", "kid": self.kid, "typ": "at+jwt"});
        jws::compact(header.to_string().as_bytes(), claims.to_string().as_bytes(), &self.signing).unwrap()
    }
}

/// What the issuer publishes and says.
pub(crate) struct Issuer {
    pub(crate) url: String,
    set: Mutex<JwkSet>,
    introspected: Mutex<Value>,
    away: AtomicBool,
}

impl Issuer {
    pub(crate) fn publish(&self, keys: &[&Key]) {
        let keys = keys.iter().map(|key| key.signing.public_jwk(key.kid).unwrap()).collect();
        *self.set.lock().unwrap() = JwkSet::new(keys);
    }

    pub(crate) fn says(&self, introspected: Value) {
        *self.introspected.lock().unwrap() = introspected;
    }

    pub(crate) fn goes_away(&self, away: bool) {
        self.away.store(away, SeqCst);
    }

    async fn start(key: &Key) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            set: Mutex::new(JwkSet::new(Vec::new())),
            introspected: Mutex::new(json!({"active": false})),
            away: AtomicBool::new(false),
        });
        issuer.publish(&[key]);
        let app = Router::new()
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/jwks", get(jwks))
            .route("/introspect", post(introspect))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        issuer
    }

    fn answer(&self, body: String) -> Response {
        if self.away.load(SeqCst) { StatusCode::BAD_GATEWAY.into_response() } else { body.into_response() }
    }
}

async fn metadata(State(issuer): State<Arc<Issuer>>) -> Response {
    issuer.answer(json!({"issuer": issuer.url, "jwks_uri": format!("{}/jwks", issuer.url)}).to_string())
}

async fn jwks(State(issuer): State<Arc<Issuer>>) -> Response {
    issuer.answer(serde_json::to_string(&*issuer.set.lock().unwrap()).unwrap())
}

async fn introspect(State(issuer): State<Arc<Issuer>>) -> Response {
    issuer.answer(issuer.introspected.lock().unwrap().to_string())
}

/// A gate and what it depends on.
pub(crate) struct Site {
    pub(crate) gate: Gate,
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) key: Key,
    clock: Arc<AtomicI64>,
    ready: Arc<ficha_gate::Verifying>,
}

impl Site {
    /// Tokens are checked by keys.
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// Tokens are checked as these lines say; `{ISSUER}` is the issuer's URL, `{DIR}` the folder of the rules.
    pub(crate) async fn with(means: &str) -> Self {
        let key = Key::new("one");
        let issuer = Issuer::start(&key).await;
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "issuer = \"{{ISSUER}}\"\naudience = \"{AUDIENCE}\"\n[[api]]\nhosts = [\"api.example.com\"]\n{means}\nrules = [
  {{ on = \"GET /health\", public = true }},
  {{ on = \"GET /cards/{{id}}\", scope = \"cards:read\" }},
  {{ on = \"POST /cards\", scope = \"cards:write\" }},
  {{ on = \"GET /me\", scope = \"\" }},
]
"
        );
        let book = folder.path().join("rules.toml");
        std::fs::write(&book, text.replace("{ISSUER}", &issuer.url)).unwrap();
        write_secret(&folder.path().join("api.secret"), "a secret of the API's own");
        let book = rules::load(&book).unwrap();
        let clock = Arc::new(AtomicI64::new(NOON));
        let reading = clock.clone();
        let options = VerifyingOptions {
            clock: Arc::new(move || UnixSeconds(reading.load(SeqCst))),
            leeway: Seconds(30),
            keys_kept_for: Seconds(600),
            timeout: Duration::from_secs(20),
            feed_stale_for: Seconds(300),
            introspection_cache: Duration::ZERO,
            root_ca: None,
        };
        let checks = verifying(&book, &options).unwrap();
        let ready = checks[0].clone().unwrap();
        let checks = checks.into_iter().map(|check| check.map(|check| check as Arc<dyn Check>)).collect();
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        Self { gate: Gate::new(book, checks, proxies), issuer, key, clock, ready }
    }

    pub(crate) fn token(&self, scope: &str) -> String {
        self.key.token(&self.issuer.url, scope)
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.fetch_add(seconds, SeqCst);
    }

    pub(crate) async fn is_ready(&self) -> bool {
        self.ready.look().await == Checkable::Yes
    }

    /// What the proxy is answered to `GET /cards/7` with `token`.
    pub(crate) async fn card(&self, token: &str) -> Answer {
        self.ask(&Question::of("GET", "/cards/7").token(token)).await
    }

    pub(crate) async fn ask(&self, question: &Question) -> Answer {
        let mut request = Request::builder().method("GET").uri("/verify").body(Body::empty()).unwrap();
        for (name, value) in &question.headers {
            let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request.headers_mut().append(http::HeaderName::try_from(name.as_str()).unwrap(), value);
        }
        let local = "10.0.0.9:9091".parse().unwrap();
        let peer = question.peer.parse().unwrap();
        let arrival = Arrival { peer, local, tls: false, sni: None, at: Instant::now() };
        Answer(self.gate.clone().answer(request, arrival).await)
    }
}

fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// What a proxy asks.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) peer: &'static str,
}

impl Question {
    pub(crate) fn of(method: &str, uri: &str) -> Self {
        Self { headers: Vec::new(), peer: "10.0.0.1:40000" }
            .with("x-original-method", method)
            .with("x-original-uri", uri)
            .with("x-forwarded-host", "api.example.com")
            .with("x-forwarded-proto", "https")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(own, _)| own != name);
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }
}

/// What it is told.
pub(crate) struct Answer(Response);

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.0.headers().get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and code: `403 odd_path`; `200` alone.
    pub(crate) fn verdict(&self) -> String {
        let refusal = self.header("x-refusal").map(|json| serde_json::from_str::<Value>(json).unwrap());
        match refusal {
            Some(json) => format!("{} {}", self.status(), json["code"].as_str().unwrap()),
            None => self.status().to_string(),
        }
    }

    /// Client, scope and subject.
    pub(crate) fn caller(&self) -> [&str; 3] {
        ["x-client-id", "x-scope", "x-subject"].map(|name| self.header(name).unwrap())
    }
}
