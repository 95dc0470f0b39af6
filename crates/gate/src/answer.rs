//! The answers: 200, 401, 403 or 503 and nothing else, since that is what proxies understand.

use std::borrow::Cow;

use axum::{body::Body, response::Response};
use ficha_telemetry::metrics::GateAnswer;
use ficha_verify::Rejection;
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::{Caller, OddPath, Unclear};

/// The body once more, for proxies that pass no body on: nginx.
const REFUSAL: HeaderName = HeaderName::from_static("x-refusal");

/// Why a request may not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum No {
    /// Who asks is no trusted proxy.
    Untrusted,
    /// It can't be told what is asked about.
    Unclear(Unclear),
    /// Some upstream would read the path as another one.
    Odd(OddPath),
    /// What the token, or its lack, comes to.
    Rejected(Rejection),
}

impl No {
    /// The stable name of the reason.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted_proxy",
            Self::Unclear(_) => "unclear_request",
            Self::Odd(_) => "odd_path",
            Self::Rejected(rejection) => rejection.code(),
        }
    }

    /// The status: that of RFC 6750, but 403 for 400, which nginx's `auth_request` would make a 500 of.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Untrusted | Self::Unclear(_) | Self::Odd(_) => StatusCode::FORBIDDEN,
            Self::Rejected(rejection) if rejection.status() == StatusCode::BAD_REQUEST => StatusCode::FORBIDDEN,
            Self::Rejected(rejection) => rejection.status(),
        }
    }

    pub(crate) fn counted(&self) -> GateAnswer {
        match self {
            Self::Untrusted => GateAnswer::Untrusted,
            Self::Unclear(_) => GateAnswer::Unclear,
            Self::Odd(_) => GateAnswer::OddPath,
            Self::Rejected(Rejection::NoRoute) => GateAnswer::NoRule,
            Self::Rejected(Rejection::InsecureTransport) => GateAnswer::Insecure,
            Self::Rejected(Rejection::InsufficientScope(_)) => GateAnswer::Scope,
            Self::Rejected(rejection) if rejection.status() == StatusCode::SERVICE_UNAVAILABLE => {
                GateAnswer::Unavailable
            }
            Self::Rejected(_) => GateAnswer::Token,
        }
    }

    /// The error code of RFC 6750 §3.1; none when no token was sent.
    fn error(&self) -> Option<&'static str> {
        match self {
            Self::Untrusted => Some("access_denied"),
            Self::Unclear(_) | Self::Odd(_) => Some("invalid_request"),
            Self::Rejected(rejection) => rejection.error(),
        }
    }

    pub(crate) fn description(&self) -> Cow<'static, str> {
        match self {
            Self::Untrusted => "Only proxies that are trusted may ask here.".into(),
            Self::Unclear(why) => sentence(&why.to_string()).into(),
            Self::Odd(why) => format!(
                "{} Send it in its plain form: some servers would read it as another path.",
                sentence(&why.to_string())
            )
            .into(),
            Self::Rejected(rejection) => rejection.description(),
        }
    }

    fn challenge(&self) -> Option<String> {
        match self {
            Self::Untrusted => None,
            Self::Unclear(_) | Self::Odd(_) => Some(format!(
                r#"Bearer realm="api", error="invalid_request", error_description="{}""#,
                self.description()
            )),
            Self::Rejected(rejection) => rejection.www_authenticate(),
        }
    }

    /// The answer to the proxy.
    pub(crate) fn response(&self) -> Response {
        let mut members = serde_json::Map::new();
        if let Some(error) = self.error() {
            members.insert("error".into(), error.into());
        }
        members.insert("error_description".into(), self.description().into());
        members.insert("code".into(), self.code().into());
        let body = serde_json::Value::Object(members).to_string();
        let again = HeaderValue::try_from(body.as_str());
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(again) = again {
            headers.insert(REFUSAL, again);
        }
        if let Some(Ok(challenge)) = self.challenge().map(HeaderValue::try_from) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Self::Rejected(rejection) = self
            && let Some(seconds) = rejection.retry_after()
        {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Rejection> for No {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<OddPath> for No {
    fn from(odd: OddPath) -> Self {
        Self::Odd(odd)
    }
}

impl From<Unclear> for No {
    fn from(unclear: Unclear) -> Self {
        Self::Unclear(unclear)
    }
}

/// It may pass, and is `caller`'s.
pub(crate) fn pass(caller: Caller) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    caller.write(headers);
    response
}

/// With a capital letter in front and a full stop behind.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use ficha_web::BadForwarding;

    use super::*;

    fn every() -> Vec<No> {
        vec![
            No::Untrusted,
            No::Unclear(Unclear::Missing("URI")),
            No::Unclear(Unclear::Forwarding(BadForwarding::Contradiction("hosts"))),
            No::Odd(OddPath::Dots),
            No::Odd(OddPath::EncodedDelimiter),
            No::Rejected(Rejection::NoToken),
            No::Rejected(Rejection::MalformedHeader),
            No::Rejected(Rejection::TokenInQuery),
            No::Rejected(Rejection::InsecureTransport),
            No::Rejected(Rejection::Expired),
            No::Rejected(Rejection::NoRoute),
            No::Rejected(Rejection::InsufficientScope("a:b!'{} c".parse().unwrap())),
            No::Rejected(Rejection::KeysUnavailable),
        ]
    }

    #[test]
    fn a_proxy_is_told_nothing_but_what_all_of_them_understand() {
        for no in every() {
            assert!([401, 403, 503].contains(&no.status().as_u16()), "{no:?}");
        }
    }

    #[test]
    fn every_refusal_says_why_in_body_and_header_alike() {
        for no in every() {
            let response = no.response();
            let said = response.headers()[REFUSAL].to_str().unwrap();
            let json: serde_json::Value = serde_json::from_str(said).unwrap();
            assert_eq!(json["code"], no.code(), "{no:?}");
            let sentence = json["error_description"].as_str().unwrap();
            assert!(sentence.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{sentence}");
            assert!(sentence.ends_with('.'), "{sentence}");
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }

    #[test]
    fn whoever_may_try_again_with_something_else_gets_a_challenge() {
        for no in every() {
            let challenge = no.response().headers().contains_key("www-authenticate");
            assert_eq!(challenge, no.status() != 503 && no != No::Untrusted, "{no:?}");
        }
        let odd = No::Odd(OddPath::Dots).response();
        assert_eq!(
            odd.headers()["www-authenticate"],
            "Bearer realm=\"api\", error=\"invalid_request\", error_description=\"The path has a segment of dots. Send \
             it in its plain form: some servers would read it as another path.\""
        );
    }
}
