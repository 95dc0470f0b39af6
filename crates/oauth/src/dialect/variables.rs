//! The variables of each kind of template.

use ficha_core::{Refusal, ports::TokenFacts, token::TokenAnswer};

use super::template::{Datum, TextTemplate, Variable};

/// What a client's properties are called: `client.property.NAME`.
const PROPERTY: &str = "client.property.";

/// In `[token.answer]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum AnswerVar {
    AccessToken,
    RefreshToken,
    ExpiresIn,
    Scope,
    ClientId,
    User,
    Api,
    Jti,
    Grant,
}

impl Variable for AnswerVar {
    const NAMES: &'static [&'static str] =
        &["access_token", "refresh_token", "expires_in", "scope", "client_id", "user", "api", "jti", "grant"];
    fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "access_token" => Self::AccessToken,
            "refresh_token" => Self::RefreshToken,
            "expires_in" => Self::ExpiresIn,
            "scope" => Self::Scope,
            "client_id" => Self::ClientId,
            "user" => Self::User,
            "api" => Self::Api,
            "jti" => Self::Jti,
            "grant" => Self::Grant,
            _ => return None,
        })
    }
    fn is_number(&self) -> bool {
        *self == Self::ExpiresIn
    }
    fn may_be_absent(&self) -> bool {
        matches!(self, Self::RefreshToken | Self::User | Self::Scope)
    }
}

impl AnswerVar {
    pub(super) fn of(self, answer: &TokenAnswer) -> Option<Datum<'_>> {
        Some(Datum::Text(match self {
            Self::AccessToken => return Some(Datum::Token(&answer.access_token.0)),
            Self::RefreshToken => answer.refresh_token.as_ref()?.expose(),
            Self::ExpiresIn => return Some(Datum::Number(answer.expires_in.0)),
            Self::Scope => return said(&answer.scope),
            Self::ClientId => answer.issued.client.as_str(),
            Self::User => answer.issued.user.as_ref()?.as_str(),
            Self::Api => answer.issued.api.as_str(),
            Self::Jti => answer.issued.id.as_str(),
            Self::Grant => answer.issued.grant.as_str(),
        }))
    }
}

/// In `[access_token.header]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum HeaderVar {
    Alg,
    Kid,
}

impl Variable for HeaderVar {
    const NAMES: &'static [&'static str] = &["alg", "kid"];
    fn of_name(name: &str) -> Option<Self> {
        match name {
            "alg" => Some(Self::Alg),
            "kid" => Some(Self::Kid),
            _ => None,
        }
    }
    fn is_number(&self) -> bool {
        false
    }
    fn may_be_absent(&self) -> bool {
        false
    }
}

/// In `access_token.client_subject`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SubjectVar;

impl Variable for SubjectVar {
    const NAMES: &'static [&'static str] = &["client_id"];
    fn of_name(name: &str) -> Option<Self> {
        (name == "client_id").then_some(Self)
    }
    fn is_number(&self) -> bool {
        false
    }
    fn may_be_absent(&self) -> bool {
        false
    }
}

/// What `sub` is for the client itself.
pub(super) fn client_subject(template: &TextTemplate<SubjectVar>, client: &str) -> String {
    // The only variable there is has a value.
    template.render(&|_| Some(Datum::Text(client))).unwrap_or_default()
}

/// In `[access_token.claims]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ClaimVar {
    Issuer,
    ClientId,
    Sub,
    User,
    Audience,
    Scope,
    IssuedAt,
    ExpiresAt,
    Jti,
    Grant,
    Property(String),
}

impl Variable for ClaimVar {
    const NAMES: &'static [&'static str] = &[
        "issuer",
        "client_id",
        "sub",
        "user",
        "audience",
        "scope",
        "issued_at",
        "expires_at",
        "jti",
        "grant",
        "client.property.NAME",
    ];
    fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "issuer" => Self::Issuer,
            "client_id" => Self::ClientId,
            "sub" => Self::Sub,
            "user" => Self::User,
            "audience" => Self::Audience,
            "scope" => Self::Scope,
            "issued_at" => Self::IssuedAt,
            "expires_at" => Self::ExpiresAt,
            "jti" => Self::Jti,
            "grant" => Self::Grant,
            _ => {
                let property = name.strip_prefix(PROPERTY)?;
                let ok = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
                return (!property.is_empty() && property.bytes().all(ok)).then(|| Self::Property(property.to_owned()));
            }
        })
    }
    fn is_number(&self) -> bool {
        matches!(self, Self::IssuedAt | Self::ExpiresAt)
    }
    fn may_be_absent(&self) -> bool {
        matches!(self, Self::Property(_) | Self::User | Self::Scope)
    }
}

impl ClaimVar {
    /// Its value among `facts`; `sub` is the user's, else what the dialect writes for the client.
    pub(super) fn of<'a>(&self, facts: &'a TokenFacts<'_>, sub: &'a str) -> Option<Datum<'a>> {
        Some(match self {
            Self::Issuer => Datum::Text(facts.issuer),
            Self::ClientId => Datum::Text(facts.client.as_str()),
            Self::Sub => Datum::Text(sub),
            Self::User => Datum::Text(facts.user.as_ref()?.as_str()),
            Self::Audience => Datum::Text(facts.audience.as_str()),
            Self::Scope => return said(facts.scope),
            Self::IssuedAt => Datum::Number(facts.issued_at.0),
            Self::ExpiresAt => Datum::Number(facts.expires_at.0),
            Self::Jti => Datum::Text(facts.id.as_str()),
            Self::Grant => Datum::Text(facts.grant.as_str()),
            Self::Property(name) => Datum::Text(facts.properties?.get(name)?),
        })
    }
}

/// In `[refresh_token.claims]`: those of access tokens, and the token endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RefreshVar {
    TokenEndpoint,
    Claim(ClaimVar),
}

impl Variable for RefreshVar {
    const NAMES: &'static [&'static str] = &[
        "token_endpoint",
        "issuer",
        "client_id",
        "sub",
        "user",
        "audience",
        "scope",
        "issued_at",
        "expires_at",
        "jti",
        "grant",
        "client.property.NAME",
    ];
    fn of_name(name: &str) -> Option<Self> {
        if name == "token_endpoint" { Some(Self::TokenEndpoint) } else { ClaimVar::of_name(name).map(Self::Claim) }
    }
    fn is_number(&self) -> bool {
        matches!(self, Self::Claim(claim) if claim.is_number())
    }
    fn may_be_absent(&self) -> bool {
        matches!(self, Self::Claim(claim) if claim.may_be_absent())
    }
}

/// In the bodies and headers of errors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum ErrorVar {
    Error,
    Description,
    Refusal,
    Status,
    RetryAfter,
}

impl Variable for ErrorVar {
    const NAMES: &'static [&'static str] = &["error", "description", "refusal", "status", "retry_after"];
    fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "error" => Self::Error,
            "description" => Self::Description,
            "refusal" => Self::Refusal,
            "status" => Self::Status,
            "retry_after" => Self::RetryAfter,
            _ => return None,
        })
    }
    fn is_number(&self) -> bool {
        matches!(self, Self::Status | Self::RetryAfter)
    }
    fn may_be_absent(&self) -> bool {
        *self == Self::RetryAfter
    }
}

impl ErrorVar {
    /// Its value for `refusal`, answered with `status`; `description` is the refusal's, made once.
    pub(super) fn of<'a>(self, refusal: &'a Refusal, status: u16, description: &'a str) -> Option<Datum<'a>> {
        Some(match self {
            Self::Error => Datum::Text(refusal.code().as_str()),
            Self::Description => Datum::Text(description),
            Self::Refusal => Datum::Text(refusal.name()),
            Self::Status => Datum::Number(i64::from(status)),
            Self::RetryAfter => Datum::Number(refusal.retry_after()?.0),
        })
    }
}

/// A text that says something: no scope at all is not written (RFC 6749 §3.3 has no empty one).
fn said(text: &str) -> Option<Datum<'_>> {
    (!text.is_empty()).then_some(Datum::Text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_known<V: Variable>() {
        for name in V::NAMES {
            assert!(V::of_name(name).is_some(), "{name}");
        }
        assert_eq!(V::of_name("nothing"), None);
    }

    #[test]
    fn every_name_that_messages_offer_is_a_variable() {
        all_known::<AnswerVar>();
        all_known::<HeaderVar>();
        all_known::<SubjectVar>();
        all_known::<ClaimVar>();
        all_known::<RefreshVar>();
        all_known::<ErrorVar>();
    }

    #[test]
    fn a_property_needs_a_name() {
        assert_eq!(ClaimVar::of_name("client.property."), None);
        assert_eq!(ClaimVar::of_name("client.property.a b"), None);
        assert_eq!(ClaimVar::of_name("client.property.tier"), Some(ClaimVar::Property("tier".into())));
    }
}
