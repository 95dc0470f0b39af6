//! Header and claims of tokens: written by template, read back by where each fact stands.

use ficha_core::ports::{ReadFacts, TokenFacts};
use ficha_types::{Algorithm, ClientId, UnixSeconds};
use serde_json::{Map, Value};

use super::{
    template::{Datum, Template, TextTemplate},
    variables::{ClaimVar, HeaderVar, RefreshVar, SubjectVar, client_subject},
};

/// How a dialect's tokens look.
#[derive(Debug)]
pub(super) struct TokenShape {
    pub(super) header: Template<HeaderVar>,
    pub(super) client_subject: TextTemplate<SubjectVar>,
    pub(super) claims: Template<ClaimVar>,
    pub(super) places: Places,
    /// For refresh tokens that are JWTs.
    pub(super) refresh: Option<RefreshShape>,
}

/// How a refresh token's claims look.
#[derive(Debug)]
pub(super) struct RefreshShape {
    pub(super) claims: Template<RefreshVar>,
    pub(super) places: Places,
    /// The claim that must be the token endpoint's URL.
    pub(super) endpoint: Option<String>,
    /// What the dialect always writes, and so must be there again: what tells the token from others.
    pub(super) constants: Vec<(String, Value)>,
}

/// The claims in which facts stand that have no registered name of their own (RFC 7519 §4.1), or where a dialect chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) client: String,
    pub(super) scope: String,
    pub(super) audience: String,
}

impl TokenShape {
    pub(super) fn header(&self, algorithm: Algorithm, kid: &str) -> String {
        let mut out = String::with_capacity(96);
        self.header.write(&mut out, &|v: &HeaderVar| {
            Some(Datum::Text(match v {
                HeaderVar::Alg => algorithm.as_str(),
                HeaderVar::Kid => kid,
            }))
        });
        out
    }

    pub(super) fn claims(&self, facts: &TokenFacts<'_>) -> String {
        let sub = self.sub(facts);
        let mut out = String::with_capacity(512);
        self.claims.write(&mut out, &|v: &ClaimVar| v.of(facts, &sub));
        out
    }

    pub(super) fn read_claims(&self, claims: &Map<String, Value>) -> Option<ReadFacts> {
        self.read(claims, &self.places)
    }

    /// Empty when the dialect's refresh tokens are no JWTs: the profile says so, and nobody asks.
    pub(super) fn refresh_claims(&self, facts: &TokenFacts<'_>, endpoint: &str) -> String {
        let sub = self.sub(facts);
        let mut out = String::with_capacity(512);
        if let Some(refresh) = &self.refresh {
            refresh.claims.write(&mut out, &|v: &RefreshVar| match v {
                RefreshVar::TokenEndpoint => Some(Datum::Text(endpoint)),
                RefreshVar::Claim(claim) => claim.of(facts, &sub),
            });
        }
        out
    }

    pub(super) fn read_refresh_claims(&self, claims: &Map<String, Value>, endpoint: &str) -> Option<ReadFacts> {
        let refresh = self.refresh.as_ref()?;
        let at_home = refresh.endpoint.as_ref().is_none_or(|claim| text(claims, claim) == Some(endpoint));
        let same = refresh.constants.iter().all(|(claim, value)| claims.get(claim) == Some(value));
        if at_home && same { self.read(claims, &refresh.places) } else { None }
    }

    fn sub<'a>(&self, facts: &'a TokenFacts<'_>) -> std::borrow::Cow<'a, str> {
        match &facts.user {
            Some(user) => user.as_str().into(),
            None => client_subject(&self.client_subject, facts.client.as_str()).into(),
        }
    }

    fn read(&self, claims: &Map<String, Value>, places: &Places) -> Option<ReadFacts> {
        let client: ClientId = text(claims, &places.client)?.parse().ok()?;
        let sub = text(claims, "sub")?;
        let user =
            if sub == client_subject(&self.client_subject, client.as_str()) { None } else { Some(sub.parse().ok()?) };
        Some(ReadFacts {
            id: text(claims, "jti")?.parse().ok()?,
            issuer: text(claims, "iss")?.to_owned(),
            sub: sub.to_owned(),
            user,
            audience: only(claims.get(&places.audience)?)?.parse().ok()?,
            scope: scope(claims.get(&places.scope))?,
            issued_at: UnixSeconds(claims.get("iat")?.as_i64()?),
            expires_at: UnixSeconds(claims.get("exp")?.as_i64()?),
            client,
        })
    }
}

fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    claims.get(name)?.as_str()
}

/// A text, or a list of just one (RFC 7519 §4.1.3).
fn only(value: &Value) -> Option<&str> {
    match value.as_array().map(Vec::as_slice) {
        None => value.as_str(),
        Some([one]) => one.as_str(),
        Some(_) => None,
    }
}

/// Words with spaces between, or a list of words; none at all where no scope was granted.
fn scope(value: Option<&Value>) -> Option<String> {
    match value {
        None => Some(String::new()),
        Some(Value::Array(words)) => {
            let words: Vec<&str> = words.iter().map(Value::as_str).collect::<Option<_>>()?;
            Some(words.join(" "))
        }
        Some(value) => value.as_str().map(str::to_owned),
    }
}
