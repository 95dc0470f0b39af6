//! The face for clients: takes a request's bytes, finds the issuer, the dialect and the endpoint, and answers.

use std::{future::Future, sync::Arc};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use ficha_core::{
    Malformed, Refusal, Rules,
    revocation_feed::{FeedLimits, Feeds},
    token::Caller,
    views::{IssuerSlot, Place},
};
use ficha_telemetry::metrics::{Endpoint as EndpointLabel, metrics};
use ficha_types::DialectName;
use ficha_web::{
    AccessLine, Answering, Arrival, BadForwarding, BodyError, BodyLimits, Origin, TrustedProxies, read_bounded,
};
use http::{
    HeaderValue, Method, Request, StatusCode, Version,
    header::{CACHE_CONTROL, CONTENT_TYPE, HOST},
    request::Parts,
};
use hyper::body::{Body as HttpBody, Incoming};

use crate::{
    dialect::{Answer, Asked, Compiled, DialectSet, Endpoint},
    endpoints::{Told, introspect, jwks, metadata, revocations, revoke, token, vendor_revoke},
    sites::{Found, Site, Sites},
};

/// What the face is told at the start.
#[derive(Debug, Clone)]
pub struct FaceOptions {
    /// The proxies that are believed.
    pub proxies: TrustedProxies,
    /// The bounds of a request's body.
    pub body: BodyLimits,
    /// Base URLs that are remembered; others are looked up when they come.
    pub places: usize,
    /// The bounds of the revocation feed.
    pub feed: FeedLimits,
}

impl Default for FaceOptions {
    fn default() -> Self {
        Self {
            proxies: TrustedProxies::default(),
            body: BodyLimits::default(),
            places: 65_536,
            feed: FeedLimits::default(),
        }
    }
}

/// The service for clients; cheap to clone.
#[derive(Clone)]
pub struct Face(Arc<Inner>);

struct Inner {
    rules: Arc<Rules>,
    dialects: Arc<DialectSet>,
    options: FaceOptions,
    feeds: Arc<Feeds>,
    sites: Sites,
}

/// A request whose place is known: what every endpoint gets.
pub(crate) struct Call<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) place: &'a Place,
    pub(crate) dialect: &'a Compiled,
    dialects: &'a DialectSet,
    pub(crate) caller: Caller,
    pub(crate) parts: &'a Parts,
    pub(crate) body: &'a Bytes,
}

impl Call<'_> {
    /// Another dialect than that of the base URL.
    pub(crate) fn compiled(&self, name: &DialectName) -> Option<Arc<Compiled>> {
        self.dialects.compiled(name)
    }
}

/// What a request came to, with what its line in the log adds.
struct Done {
    response: Response,
    endpoint: EndpointLabel,
    told: Told,
    slot: Option<Arc<IssuerSlot>>,
}

impl Face {
    /// Knows no base URL yet: each is read when it is first asked for.
    #[must_use]
    pub fn new(rules: Arc<Rules>, dialects: Arc<DialectSet>, options: FaceOptions) -> Self {
        let sites = Sites::new(options.places);
        let feeds = Feeds::new(rules.clone(), options.feed, revocations::render);
        Self(Arc::new(Inner { rules, dialects, options, feeds, sites }))
    }

    /// Base URLs that are remembered.
    #[must_use]
    pub fn places(&self) -> usize {
        self.0.sites.len()
    }

    /// Ends every stream of the revocation feed and begins no other: they would hold up a node that goes down.
    pub async fn close_feeds(&self) {
        self.0.feeds.close().await;
    }

    /// Answers a request.
    pub fn answer<B>(self, request: Request<B>, arrival: Arrival) -> impl Future<Output = Response> + use<B>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let (parts, body) = request.into_parts();
        async move { self.0.answer(&parts, body, &arrival).await }
    }
}

impl Inner {
    async fn answer<B>(&self, parts: &Parts, body: B, arrival: &Arrival) -> Response
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        // RFC 9112 §3.2. HTTP/1.0 knows no `Host`, and HTTP/2 has `:authority`.
        let hostless = parts.version == Version::HTTP_11 && !parts.headers.contains_key(HOST);
        let origin =
            if hostless { Err(BadForwarding::HostMissing) } else { Origin::of(arrival, parts, &self.options.proxies) };
        // Read first, refuse then: an answer that overtakes the body is lost to many an HTTP/2 client. Of HTTP/1 a head that makes no
        // sense is answered as it stands: what its sender takes for the body is not known.
        let body = if origin.is_err() && parts.version < Version::HTTP_2 {
            Ok(Bytes::new())
        } else {
            read_bounded(body, &self.options.body).await
        };
        let client = origin.as_ref().map_or_else(|_| arrival.peer.ip(), |o| o.client);
        let done = match origin {
            Ok(origin) => self.dispatch(parts, (body, arrival), &origin).await,
            Err(bad) => {
                tracing::debug!(error = %bad, "a request whose host or forwarding headers make no sense");
                let refusal = Malformed::Host("The Host or forwarding headers are missing or malformed.").into();
                plain(&refusal, EndpointLabel::Other)
            }
        };
        let line = AccessLine {
            method: &parts.method,
            path: parts.uri.path(),
            status: done.response.status(),
            client,
            took: arrival.at.elapsed(),
        };
        metrics().request_duration.took(done.endpoint, line.took);
        log(&line, &done);
        done.response
    }

    async fn dispatch(
        &self,
        parts: &Parts,
        (body, arrival): (Result<Bytes, BodyError>, &Arrival),
        origin: &Origin,
    ) -> Done {
        let host = (origin.host.as_ref(), origin.secure);
        let (site, endpoint) = match self.sites.find((&self.rules, &self.dialects), host, parts.uri.path()).await {
            Ok(Found::Endpoint(site, endpoint)) => (site, endpoint),
            Ok(Found::NoEndpoint(site)) => {
                let answer = site.dialect.render_refusal(&Refusal::NotFound, Asked::default());
                return done(response(answer), EndpointLabel::Other, Told::refused(&Refusal::NotFound), Some(&site));
            }
            Ok(Found::NoIssuer) => return plain(&Refusal::NotFound, EndpointLabel::Other),
            Ok(Found::NoHost) => return plain(&Refusal::Misdirected, EndpointLabel::Other),
            Err(error) => {
                tracing::error!(%error, "a base URL can't be looked up");
                return plain(&Refusal::Unavailable, EndpointLabel::Other);
            }
        };
        let site = &site;
        let arrived = self.rules.clock.monotonic_at(arrival.at);
        self.rules.node.turn(&site.slot, arrived).await;
        let label = label(endpoint);
        let refuse = |refusal: Refusal| {
            let asked = Asked::of(endpoint, &parts.headers);
            token::count_refused(endpoint, asked.grant, &refusal);
            done(response(site.dialect.render_refusal(&refusal, asked)), label, Told::refused(&refusal), Some(site))
        };
        if let Err(refusal) = admitted(site, origin, (endpoint, &parts.method)) {
            return refuse(refusal);
        }
        let body = match body {
            Ok(body) => body,
            Err(BodyError::TooLarge(limit)) => return refuse(Refusal::TooLarge(limit)),
            Err(BodyError::TimedOut | BodyError::Broken) => return refuse(Malformed::BodyBroken.into()),
        };
        let entered = match self.rules.enter(&site.slot).await {
            Ok(Some(entered)) => entered,
            Ok(None) => return refuse(Refusal::NotFound),
            Err(error) => {
                tracing::error!(issuer = %site.slot.name(), %error, "an issuer can't be read");
                return refuse(Refusal::Unavailable);
            }
        };
        let place = entered.at(site.slot.clone(), site.dialect.clone());
        let call = Call {
            rules: &self.rules,
            place: &place,
            dialect: &site.dialect,
            dialects: &self.dialects,
            caller: Caller { address: origin.client, arrived },
            parts,
            body: &body,
        };
        let (answer, told) = match endpoint {
            Endpoint::Token => token::token(&call).await,
            Endpoint::VendorRevoke => vendor_revoke::vendor_revoke(&call).await,
            Endpoint::Revoke => revoke::revoke(&call).await,
            Endpoint::Introspect => introspect::introspect(&call).await,
            Endpoint::Jwks => jwks::jwks(&call),
            Endpoint::Metadata => metadata::metadata(&call),
            Endpoint::FeedJwks => revocations::keys(&call).await,
            Endpoint::Feed => {
                let (response, told) = revocations::follow(&self.feeds, &call).await;
                return done(response, label, told, Some(site));
            }
        };
        done(response(answer), label, told, Some(site))
    }
}

/// Secure transport and the method, before anything of the request is looked at.
fn admitted(site: &Site, origin: &Origin, (endpoint, method): (Endpoint, &Method)) -> Result<(), Refusal> {
    let secure = origin.secure || (site.allow_loopback_http && origin.is_bare_loopback());
    if !secure {
        return Err(Refusal::Insecure);
    }
    match endpoint {
        Endpoint::Token | Endpoint::VendorRevoke | Endpoint::Revoke | Endpoint::Introspect
            if method != Method::POST =>
        {
            Err(Refusal::Method("POST"))
        }
        Endpoint::Jwks | Endpoint::Metadata | Endpoint::FeedJwks if method != Method::GET && method != Method::HEAD => {
            Err(Refusal::Method("GET, HEAD"))
        }
        Endpoint::Feed if method != Method::GET => Err(Refusal::Method("GET")),
        Endpoint::Token
        | Endpoint::VendorRevoke
        | Endpoint::Revoke
        | Endpoint::Introspect
        | Endpoint::Jwks
        | Endpoint::Metadata
        | Endpoint::Feed
        | Endpoint::FeedJwks => Ok(()),
    }
}

fn label(endpoint: Endpoint) -> EndpointLabel {
    match endpoint {
        Endpoint::Token => EndpointLabel::Token,
        Endpoint::VendorRevoke | Endpoint::Revoke => EndpointLabel::Revoke,
        Endpoint::Introspect => EndpointLabel::Introspect,
        Endpoint::Jwks => EndpointLabel::Jwks,
        Endpoint::Metadata => EndpointLabel::Metadata,
        Endpoint::Feed | Endpoint::FeedJwks => EndpointLabel::Feed,
    }
}

fn done(response: Response, endpoint: EndpointLabel, told: Told, site: Option<&Arc<Site>>) -> Done {
    Done { response, endpoint, told, slot: site.map(|s| s.slot.clone()) }
}

/// A refusal where no dialect is known: RFC 6749's form.
fn plain(refusal: &Refusal, endpoint: EndpointLabel) -> Done {
    let body =
        serde_json::json!({ "error": refusal.code().as_str(), "error_description": refusal.description() }).to_string();
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    done((status, headers, body).into_response(), endpoint, Told::refused(refusal), None)
}

pub(crate) fn response(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

/// The one line of a request: what was asked and what came of it, never a token, a secret or a body.
fn log(line: &AccessLine<'_>, done: &Done) {
    let issuer = done.slot.as_ref().map_or("", |s| s.name().as_str());
    match &done.told {
        Told::Nothing => ficha_web::access!(*line, issuer),
        Told::Refused(refusal) => ficha_web::access!(*line, issuer, refusal = *refusal),
        Told::Issued(it) => ficha_web::access!(
            *line,
            issuer,
            dialect = it.dialect.as_str(),
            grant = it.token.grant.as_str(),
            client.id = it.token.client.as_str(),
            user = it.token.user.as_ref().map(ficha_types::Subject::as_str),
            api = it.token.api.as_str(),
            scope = &*it.scope,
            jti = it.token.id.as_str(),
            secret = it.token.secret.as_deref(),
            reused = it.token.reused,
            outage = it.token.outage.then_some(true)
        ),
        Told::Revoked { client, what } => {
            ficha_web::access!(*line, issuer, client.id = client.as_str(), revoked = what.as_str());
        }
        Told::Follows { api, from } => ficha_web::access!(*line, issuer, api = api.as_str(), follows_from = *from),
        Told::Introspected { api, active } => ficha_web::access!(*line, issuer, api = api.as_str(), active),
    }
}

impl Answering for Face {
    fn answer(self, request: Request<Incoming>, arrival: Arrival) -> impl Future<Output = Response> + Send + 'static {
        Self::answer(self, request, arrival)
    }
}
