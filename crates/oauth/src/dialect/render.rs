//! Answers and refusals as the dialect's file says: status, headers, body.

use std::sync::Arc;

use bytes::Bytes;
use ficha_core::{Refusal, token::TokenAnswer};
use ficha_types::GrantKind;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::{
    compiled::Compiled,
    endpoints::Endpoint,
    parse::Asked,
    refusals,
    template::{Template, TextTemplate},
    variables::{AnswerVar, ErrorVar},
};

/// What is sent back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Every header that the dialect or the standard asks for; not those of the connection.
    pub headers: HeaderMap,
    /// JSON.
    pub body: Bytes,
}

/// A header of an error, with variables.
pub(super) type HeaderRule = (HeaderName, TextTemplate<ErrorVar>);

/// How one refusal is answered.
#[derive(Debug, Clone)]
pub(super) struct ErrorRule {
    /// Its own when absent.
    pub(super) status: Option<StatusCode>,
    pub(super) body: Arc<Template<ErrorVar>>,
    pub(super) headers: Option<Arc<[HeaderRule]>>,
}

/// A rule for every refusal on every occasion, found beforehand.
#[derive(Debug)]
pub(super) struct ErrorRules(pub(super) Vec<Vec<ErrorRule>>);

/// On which occasion a request is refused: each has rules of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    Token(Option<GrantKind>),
    VendorRevoke,
}

impl Occasion {
    /// Every occasion, in the order of [`ErrorRules`].
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let grants = GrantKind::ALL.into_iter().map(|g| Self::Token(Some(g)));
        [Self::Token(None), Self::VendorRevoke].into_iter().chain(grants)
    }
}

impl ErrorRules {
    fn rule(&self, occasion: Occasion, refusal: &Refusal) -> Option<&ErrorRule> {
        let at = Occasion::all().position(|o| o == occasion)?;
        self.0.get(at)?.get(refusals::position(refusal))
    }
}

/// The challenges of a 401 (RFC 9110 §11.6.1).
#[derive(Debug, Clone)]
pub(super) struct Challenges {
    pub(super) basic: HeaderValue,
    /// To whom sent no Basic where the dialect takes none; there is no registered scheme for it.
    pub(super) otherwise: HeaderValue,
}

impl Compiled {
    /// The answer to a granted token request.
    #[must_use]
    pub fn render_token(&self, answer: &TokenAnswer) -> Answer {
        let refresh = answer.refresh_token.as_ref().map_or(0, |t| t.expose().len());
        let mut body = String::with_capacity(256 + answer.access_token.0.len() + answer.scope.len() + refresh);
        self.answer.write(&mut body, &|v: &AnswerVar| v.of(answer));
        Answer { status: StatusCode::OK, headers: headers(2), body: body.into() }
    }

    /// The answer to a vendor's request to revoke: also when there was nothing to revoke (RFC 7009 §2.2).
    #[must_use]
    pub fn render_vendor_revoked(&self) -> Answer {
        let body = self.vendor_revoke.as_ref().map_or_else(|| Bytes::from_static(b"{}"), |r| r.answer.clone());
        Answer { status: StatusCode::OK, headers: headers(2), body }
    }

    /// The answer to a refused request. At the endpoints that speak the standards' forms it is RFC 6749 §5.2's.
    #[must_use]
    pub fn render_refusal(&self, refusal: &Refusal, asked: Asked) -> Answer {
        let description = refusal.description();
        let rule = match asked.endpoint {
            Endpoint::Token => self.errors.rule(Occasion::Token(asked.grant), refusal),
            Endpoint::VendorRevoke => self.errors.rule(Occasion::VendorRevoke, refusal),
            Endpoint::Revoke
            | Endpoint::Introspect
            | Endpoint::Jwks
            | Endpoint::Metadata
            | Endpoint::Feed
            | Endpoint::FeedJwks => None,
        };
        let own = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let dressed = rule.and_then(|r| r.status).filter(|_| !refusal.keeps_status());
        let status = dressed.unwrap_or(own);
        let get = |v: &ErrorVar| v.of(refusal, status.as_u16(), &description);
        let mut body = String::with_capacity(128);
        match rule {
            Some(rule) => rule.body.write(&mut body, &get),
            None => body = standard_body(refusal, &description),
        }
        let mut headers = headers(6);
        for (name, value) in rule.and_then(|r| r.headers.as_deref()).unwrap_or_default() {
            // Descriptions are ASCII and the check took ASCII constants alone: what is no header value is left out.
            if let Some(Ok(value)) = value.render(&get).map(|v| HeaderValue::from_str(&v)) {
                headers.insert(name.clone(), value);
            }
        }
        self.add_standard(&mut headers, refusal, (status, asked));
        Answer { status, headers, body: body.into() }
    }

    fn add_standard(&self, headers: &mut HeaderMap, refusal: &Refusal, (status, asked): (StatusCode, Asked)) {
        if status == StatusCode::UNAUTHORIZED && !headers.contains_key(WWW_AUTHENTICATE) {
            let standard = !matches!(asked.endpoint, Endpoint::Token | Endpoint::VendorRevoke);
            let takes_basic = self.profile.auth_methods.contains(&ficha_types::AuthMethod::ClientSecretBasic);
            let basic = asked.basic || takes_basic || standard;
            let challenge = if basic { &self.challenges.basic } else { &self.challenges.otherwise };
            headers.insert(WWW_AUTHENTICATE, challenge.clone());
        }
        if let Some(wait) = refusal.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.0.max(1)));
        }
        if let Refusal::Method(allow) = refusal {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
    }
}

/// RFC 6749 §5.2.
fn standard_body(refusal: &Refusal, description: &str) -> String {
    serde_json::json!({ "error": refusal.code().as_str(), "error_description": description }).to_string()
}

/// What every answer of the token endpoint carries (RFC 6749 §5.1), and room for more.
fn headers(more: usize) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(3 + more);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers
}
