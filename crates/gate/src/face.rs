//! `/verify`: takes a proxy's question and answers it.

use std::{future::Future, sync::Arc};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ficha_telemetry::metrics::{Endpoint, GateAnswer, metrics};
use ficha_verify::{Rejection, bearer_token};
use ficha_web::{AccessLine, Answering, Arrival, BodyLimits, Origin, TrustedProxies, read_bounded};
use http::{HeaderValue, Method, Request, StatusCode, header, request::Parts};
use hyper::body::{Body as HttpBody, Incoming};

use crate::{
    Caller, Check, PlainPath, Rulebook,
    answer::{No, pass},
    question::Asked,
    rules::{Api, Needs, Rule},
};

/// Where proxies ask.
pub const PATH: &str = "/verify";

/// Bytes of a question's body, which nobody looks at: it has none.
const BODY: usize = 64 * 1024;

/// The service for proxies; cheap to clone.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    book: Rulebook,
    /// By the number of the API; `None` for one whose rules are all public.
    checks: Vec<Option<Arc<dyn Check>>>,
    proxies: TrustedProxies,
}

/// What the log tells of a question beside the answer.
#[derive(Default)]
struct Told<'a> {
    rule: Option<(&'a Rule, &'a Api)>,
    client: String,
}

impl Gate {
    /// Decides by `book`, with a check for each of its APIs that has tokens, for `proxies` alone.
    #[must_use]
    pub fn new(book: Rulebook, checks: Vec<Option<Arc<dyn Check>>>, proxies: TrustedProxies) -> Self {
        Self(Arc::new(Inner { book, checks, proxies }))
    }

    /// Answers a question.
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
        if !body.is_end_stream() {
            // Some proxies send the caller's body along: it is read, so that the connection goes on.
            let _ = read_bounded(body, &BodyLimits { bytes: BODY, ..BodyLimits::default() }).await;
        }
        if parts.uri.path() != PATH {
            return StatusCode::NOT_FOUND.into_response();
        }
        if parts.method != Method::GET {
            return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, HeaderValue::from_static("GET"))])
                .into_response();
        }
        let origin = Origin::of(arrival, parts, &self.proxies);
        let asked = Asked::of(&parts.headers);
        let mut told = Told::default();
        let verdict = match (&origin, &asked) {
            _ if !self.proxies.contains(arrival.peer.ip()) => Err(No::Untrusted),
            (Err(bad), _) => Err(No::Unclear((*bad).into())),
            (Ok(origin), _) if !origin.secure => Err(Rejection::InsecureTransport.into()),
            (Ok(_), Err(unclear)) => Err(unclear.clone().into()),
            (Ok(origin), Ok(asked)) => self.decide(parts, (origin, asked), &mut told).await,
        };
        let (counted, code) = match &verdict {
            Ok(caller) => {
                caller.client_id().clone_into(&mut told.client);
                let open = told.rule.is_some_and(|(rule, _)| rule.needs == Needs::Nothing);
                (if open { GateAnswer::Public } else { GateAnswer::Passed }, None)
            }
            Err(no) => (no.counted(), Some(no.code())),
        };
        metrics().gate_answers.count(counted);
        let response = verdict.map_or_else(|no| no.response(), pass);
        let path = asked.as_ref().map_or_else(|_| PATH.into(), Asked::path_text);
        let line = AccessLine {
            method: asked.as_ref().map_or(&parts.method, |asked| &asked.method),
            path: &path,
            status: response.status(),
            client: origin.as_ref().map_or_else(|_| arrival.peer.ip(), |origin| origin.client),
            took: arrival.at.elapsed(),
        };
        metrics().request_duration.took(Endpoint::Verify, line.took);
        let host = origin.as_ref().ok().and_then(|origin| origin.host.as_ref()).map(|host| &*host.name);
        log(&line, host, (&told, code));
        response
    }

    async fn decide<'a>(
        &'a self,
        parts: &Parts,
        (origin, asked): (&Origin, &Asked<'_>),
        told: &mut Told<'a>,
    ) -> Result<Caller, No> {
        let path = PlainPath::parse(asked.path)?;
        let Some((rule, api)) = self.book.find(origin.host.as_ref(), &asked.method, &path) else {
            // Whoever has shown no token is told to, so that nobody learns in passing which paths there are.
            bearer_token(&parts.headers)?;
            return Err(Rejection::NoRoute.into());
        };
        told.rule = Some((rule, api));
        let needed = match &rule.needs {
            Needs::Nothing => return Ok(Caller::nobody()),
            Needs::Scopes(needed) => needed,
        };
        if asked.has_token_in_query() {
            return Err(Rejection::TokenInQuery.into());
        }
        let token = bearer_token(&parts.headers)?;
        let Some(check) = self.checks.get(rule.api).and_then(Option::as_ref) else {
            tracing::error!(rule = %rule, "no check for a rule that needs a token");
            return Err(Rejection::KeysUnavailable.into());
        };
        Ok(check.check(token, needed).await?)
    }
}

/// The one line of a question: what was asked about and what came of it, never a token.
fn log(line: &AccessLine<'_>, host: Option<&str>, (told, refusal): (&Told<'_>, Option<&'static str>)) {
    let rule = told.rule.map(|(rule, _)| rule.as_str());
    match refusal {
        Some(refusal) => ficha_web::access!(*line, host, rule, refusal),
        None => ficha_web::access!(*line, host, rule, client.id = &*told.client),
    }
}

impl Answering for Gate {
    fn answer(self, request: Request<Incoming>, arrival: Arrival) -> impl Future<Output = Response> + Send + 'static {
        Self::answer(self, request, arrival)
    }
}
