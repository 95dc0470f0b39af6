//! Protects the routes of an axum router.

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;
use http::{HeaderValue, StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use serde_json::json;
use tower::{Layer, Service};

use crate::{Claims, Rejection, ScopeTable, Verifier, bearer_token};

/// Bytes of a refused request's body that are read and thrown away.
const MAX_DISCARDED: usize = 1024 * 1024;
/// Time for which they are waited for.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

/// How a request came, as the listener knows it. The server puts it into the extensions of each request; without it a
/// request counts as [`Http`](Self::Http).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// By TLS here, or up to a proxy that is trusted to say so.
    Https,
    /// Plainly, from a peer on this machine's loopback that forwards for nobody.
    LoopbackHttp,
    /// Plainly.
    Http,
}

/// Lets requests through that bring a token with the scope that the table asks for, and puts its [`Claims`] into their
/// extensions. In this order it refuses:
///
/// - what did not come by HTTPS (400), before it looks at any credentials;
/// - a token in the URL (400); a form in the body is not looked at, a token in it is none;
/// - what has no bearer token in its `Authorization` header (401), or a malformed one (400);
/// - a token that [`Verifier::verify`] refuses (401, or 503 where the issuer is away);
/// - what has no row in the table (403), so that nobody without a token learns which paths there are;
/// - a token without the row's scope (403).
///
/// The path that counts is the one that the router sees where the layer stands: within `nest`, what follows the prefix.
/// Put it on with [`Router::layer`](axum::Router::layer), so that it covers unknown paths too.
#[derive(Clone)]
pub struct ProtectLayer {
    verifier: Verifier,
    table: ScopeTable,
    transport: TransportOf,
    loopback_http: bool,
}

type TransportOf = Arc<dyn Fn(&Parts) -> Transport + Send + Sync>;

impl ProtectLayer {
    /// Protects by `verifier` and `table`, HTTPS only, as the [`Transport`] in a request's extensions says.
    #[must_use]
    pub fn new(verifier: Verifier, table: ScopeTable) -> Self {
        let told = |parts: &Parts| parts.extensions.get().copied().unwrap_or(Transport::Http);
        Self { verifier, table, transport: Arc::new(told), loopback_http: false }
    }

    /// Lets [`Transport::LoopbackHttp`] pass as well: for development.
    #[must_use]
    pub fn allow_loopback_http(mut self) -> Self {
        self.loopback_http = true;
        self
    }

    /// Asks `how` instead of the extensions.
    #[must_use]
    pub fn transport_by(mut self, how: impl Fn(&Parts) -> Transport + Send + Sync + 'static) -> Self {
        self.transport = Arc::new(how);
        self
    }

    /// The claims of the token that gives access, or why there is none.
    async fn admit(&self, parts: &mut Parts) -> Result<Claims, Rejection> {
        match (self.transport)(parts) {
            Transport::Https => {}
            Transport::LoopbackHttp if self.loopback_http => {}
            Transport::LoopbackHttp | Transport::Http => return Err(Rejection::InsecureTransport),
        }
        let query = parts.uri.query().unwrap_or_default();
        if url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token") {
            return Err(Rejection::TokenInQuery);
        }
        let token = bearer_token(&parts.headers)?;
        let claims = self.verifier.verify(token).await?;
        claims.require(self.table.needed(&parts.method, parts.uri.path())?)?;
        // Whoever prints the headers further in prints no token.
        if let Some(value) = parts.headers.get_mut(header::AUTHORIZATION) {
            value.set_sensitive(true);
        }
        Ok(claims)
    }
}

impl fmt::Debug for ProtectLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectLayer")
            .field("verifier", &self.verifier)
            .field("table", &self.table)
            .field("loopback_http", &self.loopback_http)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for ProtectLayer {
    type Service = Protect<S>;

    fn layer(&self, inner: S) -> Protect<S> {
        Protect { inner, layer: self.clone() }
    }
}

/// A service behind a [`ProtectLayer`].
#[derive(Debug, Clone)]
pub struct Protect<S> {
    inner: S,
    layer: ProtectLayer,
}

impl<S> Service<Request> for Protect<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The one that said it is ready answers; the clone stays.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match layer.admit(&mut parts).await {
                Ok(claims) => {
                    parts.extensions.insert(claims);
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(rejection) => {
                    tracing::debug!(code = rejection.code(), "refused a request");
                    discard(body).await;
                    Ok(rejection.into_response())
                }
            }
        })
    }
}

/// Reads what is left of `body`, within bounds: some clients lose an answer that comes before they have sent everything.
async fn discard(mut body: Body) {
    let all = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > MAX_DISCARDED {
                break;
            }
        }
    };
    // Whichever way it ends, the answer follows.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, all).await;
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let mut members = serde_json::Map::new();
        if let Some(error) = self.error() {
            members.insert("error".into(), error.into());
        }
        members.insert("error_description".into(), self.description().into());
        members.insert("code".into(), self.code().into());
        let mut response = (self.status(), Json(members)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(Ok(challenge)) = self.www_authenticate().map(HeaderValue::try_from) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A handler wants [`Claims`], and no [`ProtectLayer`] stands before it: a fault of this server, answered by 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this route asks for the claims of a token, and no ProtectLayer stands before it")]
pub struct NotProtected;

impl IntoResponse for NotProtected {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"error": "server_error"}))).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Claims {
    type Rejection = NotProtected;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotProtected> {
        parts.extensions.get::<Self>().cloned().ok_or(NotProtected)
    }
}
