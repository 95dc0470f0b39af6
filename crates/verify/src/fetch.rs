//! Asking the issuer, within bounds: HTTPS (or plain HTTP on loopback), no redirect, so much and so long.

use std::{error::Error, fmt, time::Duration};

use bytes::Bytes;
use ficha_types::Seconds;
use http::{HeaderMap, StatusCode, header};
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, redirect::Policy};
use serde::de::DeserializeOwned;
use url::{Host, Url};

use crate::BuildError;

/// Bytes that an answer may have.
pub(crate) const MAX_ANSWER: usize = 256 * 1024;
/// Time after which a stream is begun anew, if nothing ended it before.
const LONGEST_STREAM: Duration = Duration::from_hours(24);

/// A URL that may be asked: `https`, or `http` on loopback; no user in it, no fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Url);

impl Endpoint {
    /// The URL, or what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        Self::from_url(Url::parse(text).map_err(|_| "it is no URL")?)
    }

    pub(crate) fn from_url(url: Url) -> Result<Self, &'static str> {
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err("plain http is for loopback only, use https"),
            _ => return Err("it is no https URL"),
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err("it holds a user or a fragment");
        }
        Ok(Self(url))
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// Whether asking it needs no certificate.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Why asking came to nothing; for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{0}")]
    Unreachable(#[from] Chain),
    #[error("{0} answered {1}")]
    Status(Box<str>, StatusCode),
    #[error("{0} answered more than {MAX_ANSWER} bytes")]
    TooLarge(Box<str>),
    #[error("{0}: {1}")]
    Content(Box<str>, String),
}

/// An error of the client with what lies beneath it.
#[derive(Debug, thiserror::Error)]
pub(crate) struct Chain(#[from] reqwest::Error);

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut below = self.0.source();
        while let Some(cause) = below {
            write!(f, ": {cause}")?;
            below = cause.source();
        }
        Ok(())
    }
}

/// An answer with status 200.
pub(crate) struct Answer {
    from: Box<str>,
    pub(crate) body: Vec<u8>,
    headers: HeaderMap,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, FetchError> {
        serde_json::from_slice(&self.body).map_err(|why| self.unusable(why.to_string()))
    }

    /// The error that says why this answer is of no use.
    pub(crate) fn unusable(&self, why: String) -> FetchError {
        FetchError::Content(self.from.clone(), why)
    }

    /// How long it is good for by its `Cache-Control` and `Age` (RFC 9111 §4.2.1, §5.1); none when it does not say.
    pub(crate) fn good_for(&self) -> Option<Seconds> {
        let texts = self.headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        let mut max_age = None;
        for directive in texts.flat_map(|text| text.split(',')).map(str::trim) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                return Some(Seconds(0));
            }
            if name.eq_ignore_ascii_case("max-age") {
                max_age = value.trim_matches('"').parse::<u32>().ok();
            }
        }
        let age = self.headers.get(header::AGE).and_then(|age| age.to_str().ok()?.parse::<u32>().ok()).unwrap_or(0);
        max_age.map(|max_age| Seconds(i64::from(max_age.saturating_sub(age))))
    }
}

/// Who asks.
#[derive(Clone, Copy)]
pub(crate) enum Credentials<'a> {
    /// A name and a secret (RFC 6749 §2.3.1).
    Basic(&'a str, &'a str),
    /// A token (RFC 6750 §2.1).
    Bearer(&'a str),
}

/// An answer that goes on.
pub(crate) struct Stream(reqwest::Response);

impl Stream {
    /// The next piece; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        Ok(self.0.chunk().await.map_err(Chain)?)
    }
}

/// A status other than 200, and how long to wait then.
pub(crate) type NotNow = (StatusCode, Option<Duration>);

/// The HTTP client, set up once.
#[derive(Clone)]
pub(crate) struct Fetcher {
    client: Client,
    timeout: Duration,
}

impl Fetcher {
    /// A client that trusts the system's root certificates and those of `root_ca` (PEM). For `first`, the first URL that
    /// will be asked, a system without any certificate is no obstacle when it needs none.
    pub(crate) fn new(timeout: Duration, root_ca: Option<&[u8]>, first: &Endpoint) -> Result<Self, BuildError> {
        let roots = match root_ca {
            None => Vec::new(),
            Some(pem) => match Certificate::from_pem_bundle(pem) {
                Ok(roots) if !roots.is_empty() => roots,
                Ok(_) => return Err(BuildError::RootCa("it holds no certificate".into())),
                Err(why) => return Err(BuildError::RootCa(why.to_string())),
            },
        };
        let client = match builder(timeout).tls_certs_merge(roots).build() {
            Err(_) if first.is_plain() => builder(timeout).tls_certs_only([]).build(),
            built => built,
        };
        Ok(Self { client: client.map_err(|why| BuildError::HttpClient(Chain(why).to_string()))?, timeout })
    }

    /// Time that one question may take in all.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What is there.
    pub(crate) async fn get(&self, from: &Endpoint) -> Result<Answer, FetchError> {
        self.send(from, self.client.get(from.url().clone())).await
    }

    /// The answer to `form`, sent as a form, with `name` and `secret` as Basic credentials (RFC 6749 §2.3.1).
    pub(crate) async fn post(
        &self,
        to: &Endpoint,
        (name, secret): (&str, &str),
        form: &[(&str, &str)],
    ) -> Result<Answer, FetchError> {
        let request = self.client.post(to.url().clone());
        let request = request.basic_auth(form_encoded(name), Some(form_encoded(secret))).form(form);
        self.send(to, request).await
    }

    /// The stream of events that is there, after the event `last`; or the status that was answered.
    pub(crate) async fn stream(
        &self,
        from: &Endpoint,
        who: Credentials<'_>,
        last: Option<u64>,
    ) -> Result<Result<Stream, NotNow>, FetchError> {
        let request = self.client.get(from.url().clone()).header(header::ACCEPT, "text/event-stream");
        let request = match who {
            Credentials::Basic(name, secret) => request.basic_auth(form_encoded(name), Some(form_encoded(secret))),
            Credentials::Bearer(token) => request.bearer_auth(token),
        };
        let request = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        let place: Box<str> = from.url().as_str().into();
        // The stream has no end; who reads it gives up when it falls silent.
        let sent = tokio::time::timeout(self.timeout, request.timeout(LONGEST_STREAM).send()).await;
        let response = match sent {
            Ok(sent) => sent.map_err(Chain)?,
            Err(_) => return Err(FetchError::Content(place, "no answer in time".into())),
        };
        if response.status() != StatusCode::OK {
            let after = response.headers().get(header::RETRY_AFTER);
            let after = after.and_then(|after| after.to_str().ok()?.parse().ok()).map(Duration::from_secs);
            return Ok(Err((response.status(), after)));
        }
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind.is_none_or(|kind| kind.split(';').next().unwrap_or_default().trim() != "text/event-stream") {
            return Err(FetchError::Content(place, "it is no text/event-stream".into()));
        }
        Ok(Ok(Stream(response)))
    }

    async fn send(&self, to: &Endpoint, request: RequestBuilder) -> Result<Answer, FetchError> {
        let from: Box<str> = to.url().as_str().into();
        let mut response = request.header(header::ACCEPT, "application/json").send().await.map_err(Chain)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(from, response.status()));
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(Chain)? {
            if body.len() + piece.len() > MAX_ANSWER {
                return Err(FetchError::TooLarge(from));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer { from, body, headers: std::mem::take(response.headers_mut()) })
    }
}

fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn builder(timeout: Duration) -> ClientBuilder {
    Client::builder()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .timeout(timeout)
        .pool_max_idle_per_host(8)
        .user_agent(concat!("ficha-verify/", env!("CARGO_PKG_VERSION")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good_for(headers: &[(header::HeaderName, &str)]) -> Option<i64> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        Answer { from: "".into(), body: Vec::new(), headers }.good_for().map(|seconds| seconds.0)
    }

    #[test]
    fn only_https_and_loopback_may_be_asked() {
        for good in ["https://a.example/jwks", "http://127.0.0.1:80/", "http://[::1]/", "http://localhost:8080/x?y=z"] {
            assert!(Endpoint::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example/",
            "http://localhost.example/",
            "http://10.0.0.1/",
            "ftp://localhost/",
            "https://u:p@a.example/",
            "https://a.example/#x",
            "a.example",
            "",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_life_of_an_answer_is_read_from_its_headers() {
        use header::{AGE, CACHE_CONTROL};
        assert_eq!(good_for(&[]), None);
        assert_eq!(good_for(&[(CACHE_CONTROL, "public, Max-Age=300")]), Some(300));
        assert_eq!(good_for(&[(CACHE_CONTROL, "public"), (CACHE_CONTROL, "max-age=\"300\"")]), Some(300));
        assert_eq!(good_for(&[(CACHE_CONTROL, "max-age=300"), (AGE, "100")]), Some(200));
        assert_eq!(good_for(&[(CACHE_CONTROL, "max-age=300"), (AGE, "1000")]), Some(0));
        assert_eq!(good_for(&[(CACHE_CONTROL, "max-age=300, no-store")]), Some(0));
        assert_eq!(good_for(&[(CACHE_CONTROL, "max-age=never")]), None);
        assert_eq!(good_for(&[(CACHE_CONTROL, "s-maxage=9")]), None);
    }
}
