//! Why a request is refused, and how that is told (RFC 6750 §3).

use std::{
    borrow::Cow,
    fmt::{self, Write},
};

use ficha_jose::Malformed;
use ficha_types::ScopeSet;
use http::StatusCode;

/// Why a request is refused. Later versions add reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// No bearer token was sent.
    NoToken,
    /// The `Authorization` header is there twice, or is no bearer token by its grammar (RFC 6750 §2.1).
    MalformedHeader,
    /// The token stands in the URL, where logs keep it (RFC 9700 §4.3.2).
    TokenInQuery,
    /// The request did not come by HTTPS.
    InsecureTransport,
    /// The token is longer than 64 KiB.
    TooLong,
    /// The token is no signed JWT, or has a header that must not be read on (`crit`).
    Malformed(Malformed),
    /// The token's payload is no JSON object with each member once.
    MalformedClaims,
    /// This claim is not of its grammar.
    MalformedClaim(&'static str),
    /// This claim is required and not there.
    MissingClaim(&'static str),
    /// The token names an algorithm that is not allowed, `none` perhaps.
    AlgorithmNotAllowed,
    /// The key has another algorithm than the token says.
    AlgorithmOfAnotherKey,
    /// The issuer has no such key.
    UnknownKey,
    /// The signature is not the key's.
    BadSignature,
    /// `iss` is another issuer.
    WrongIssuer,
    /// `aud` does not hold this API.
    WrongAudience,
    /// `aud` names more than 256.
    TooManyAudiences,
    /// `exp` is over.
    Expired,
    /// `nbf` is yet to come.
    NotYetValid,
    /// `iat` is yet to come.
    IssuedInFuture,
    /// The token is good for something else.
    NotAnAccessToken(NotAccess),
    /// The token is bound to a sender by `cnf`, and no proof is checked here.
    SenderBound,
    /// The issuer says that the token is not active: revoked, expired, of another API, or never issued.
    Inactive,
    /// The token was revoked, by itself or with everything of its client, its user or its issuer.
    Revoked,
    /// The key that signed the token was withdrawn.
    KeyWithdrawn,
    /// The token does not hold all of these.
    InsufficientScope(ScopeSet),
    /// No row of the scope table allows this method and path.
    NoRoute,
    /// The issuer's keys could not be had.
    KeysUnavailable,
    /// The issuer could not be asked about the token.
    IntrospectionUnavailable,
    /// Revocations have not arrived for longer than is allowed.
    RevocationsUnavailable,
}

/// What gave a token away that is no access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotAccess {
    /// The header's `typ` is that of another kind, or not `at+jwt` where that is required.
    HeaderType,
    /// `token_use` or the claim `typ` names another kind.
    TokenUse,
    /// A claim that only ID tokens have: `nonce`, `at_hash`, `c_hash`, `s_hash`.
    IdToken,
    /// The claim `events` of logout and security event tokens.
    Event,
}

/// Seconds after which to ask again when the issuer is away.
const RETRY_AFTER_S: u32 = 5;

impl Rejection {
    /// The stable name of the reason, for logs, metrics and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::MalformedHeader => "malformed_header",
            Self::TokenInQuery => "token_in_query",
            Self::InsecureTransport => "insecure_transport",
            Self::TooLong => "token_too_long",
            Self::Malformed(_) => "malformed_token",
            Self::MalformedClaims => "malformed_claims",
            Self::MalformedClaim(_) => "malformed_claim",
            Self::MissingClaim(_) => "missing_claim",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::AlgorithmOfAnotherKey => "algorithm_of_another_key",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::TooManyAudiences => "too_many_audiences",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::NotAnAccessToken(_) => "not_an_access_token",
            Self::SenderBound => "sender_bound",
            Self::Inactive => "inactive",
            Self::Revoked => "revoked",
            Self::KeyWithdrawn => "key_withdrawn",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::NoRoute => "no_route",
            Self::KeysUnavailable => "keys_unavailable",
            Self::IntrospectionUnavailable => "introspection_unavailable",
            Self::RevocationsUnavailable => "revocations_unavailable",
        }
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.kind().0
    }

    /// The error code of RFC 6750 §3.1, or `temporarily_unavailable`; none when no token was sent.
    #[must_use]
    pub fn error(&self) -> Option<&'static str> {
        self.kind().1
    }

    /// The `WWW-Authenticate` of the answer; none where the issuer is away, since no other token would help.
    #[must_use]
    pub fn www_authenticate(&self) -> Option<String> {
        let mut header = String::from(r#"Bearer realm="api""#);
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            return None;
        }
        // RFC 6750 §3.1: without any credentials no error code and nothing else about it.
        if let Some(error) = self.error() {
            // Writing to a string never fails.
            let _ = write!(header, r#", error="{error}", error_description="{}""#, self.description());
        }
        if let Self::InsufficientScope(needed) = self {
            let _ = write!(header, r#", scope="{needed}""#);
        }
        Some(header)
    }

    /// The `Retry-After` of the answer in seconds, where the same request may succeed later.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_S)
    }

    /// A sentence that says what to mend, of the characters that RFC 6750 §3 allows.
    #[must_use]
    pub fn description(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::NoToken => "Send an access token in the header: Authorization: Bearer TOKEN.",
            Self::MalformedHeader => "Send one Authorization header of the form: Bearer TOKEN.",
            Self::TokenInQuery => {
                "A token in the URL ends up in logs: get a new one, and send it in the Authorization header."
            }
            Self::InsecureTransport => "This API is served by HTTPS only: use an https URL, and get a new token.",
            Self::TooLong => "The token is longer than 64 KiB.",
            Self::Malformed(why) => return format!("The token is no JWT as this API reads it: {why}.").into(),
            Self::MalformedClaims => "The claims of the token are not a JSON object with each member once.",
            Self::MalformedClaim(claim) => return format!("The claim {claim} of the token can not be read.").into(),
            Self::MissingClaim(claim) => {
                return format!("The token has no claim {claim}, which this API needs.").into();
            }
            Self::AlgorithmNotAllowed => "The token is signed by an algorithm that this API does not allow.",
            Self::AlgorithmOfAnotherKey => "The token names an algorithm that is not the one of its key.",
            Self::UnknownKey => {
                "The token names no key of the issuer: it may be of another issuer, or its key withdrawn."
            }
            Self::BadSignature => "The signature of the token does not hold: it was altered, or is of another issuer.",
            Self::WrongIssuer => "The token is of another issuer than this API trusts.",
            Self::WrongAudience => "The token is for another API: ask for one with the audience of this API.",
            Self::TooManyAudiences => "The token names more than 256 audiences: ask for one that is for this API.",
            Self::Expired => "The token has expired: get a new one.",
            Self::NotYetValid => "The token is not valid yet.",
            Self::IssuedInFuture => "The token was issued in the future: a clock is wrong.",
            Self::NotAnAccessToken(NotAccess::HeaderType) => {
                "The typ in the header of the token is not an access token's."
            }
            Self::NotAnAccessToken(NotAccess::TokenUse) => {
                "The token is good for something else, perhaps for getting tokens: send the access token."
            }
            Self::NotAnAccessToken(NotAccess::IdToken) => "The token is an ID token: send the access token.",
            Self::NotAnAccessToken(NotAccess::Event) => "The token tells of an event: send an access token.",
            Self::SenderBound => {
                "The token is bound to its sender, and this API takes bearer tokens: ask for one without cnf."
            }
            Self::Inactive => {
                "The token is not active for this API: it was revoked, has expired, or is of another API."
            }
            Self::Revoked => "The token was revoked: get a new one.",
            Self::KeyWithdrawn => "The key that signed the token was withdrawn: get a new token.",
            Self::InsufficientScope(needed) => {
                return format!("This operation needs a token with the scope {needed}.").into();
            }
            Self::NoRoute => "No token gives access to this method and path.",
            Self::KeysUnavailable => "The keys of the issuer can not be had at the moment: try again.",
            Self::IntrospectionUnavailable => "The issuer can not be asked about the token at the moment: try again.",
            Self::RevocationsUnavailable => "Whether the token was revoked can not be known at the moment: try again.",
        })
    }

    fn kind(&self) -> (StatusCode, Option<&'static str>) {
        match self {
            Self::NoToken => (StatusCode::UNAUTHORIZED, None),
            Self::MalformedHeader | Self::TokenInQuery | Self::InsecureTransport => {
                (StatusCode::BAD_REQUEST, Some("invalid_request"))
            }
            Self::TooLong
            | Self::Malformed(_)
            | Self::MalformedClaims
            | Self::MalformedClaim(_)
            | Self::MissingClaim(_)
            | Self::AlgorithmNotAllowed
            | Self::AlgorithmOfAnotherKey
            | Self::UnknownKey
            | Self::BadSignature
            | Self::WrongIssuer
            | Self::WrongAudience
            | Self::TooManyAudiences
            | Self::Expired
            | Self::NotYetValid
            | Self::IssuedInFuture
            | Self::NotAnAccessToken(_)
            | Self::SenderBound
            | Self::Inactive
            | Self::Revoked
            | Self::KeyWithdrawn => (StatusCode::UNAUTHORIZED, Some("invalid_token")),
            Self::InsufficientScope(_) | Self::NoRoute => (StatusCode::FORBIDDEN, Some("insufficient_scope")),
            Self::KeysUnavailable | Self::IntrospectionUnavailable | Self::RevocationsUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, Some("temporarily_unavailable"))
            }
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description())
    }
}

impl std::error::Error for Rejection {}

impl From<Malformed> for Rejection {
    fn from(why: Malformed) -> Self {
        if why == Malformed::TooLong { Self::TooLong } else { Self::Malformed(why) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<Rejection> {
        use Rejection as R;
        vec![
            R::NoToken,
            R::MalformedHeader,
            R::TokenInQuery,
            R::InsecureTransport,
            R::TooLong,
            R::Malformed(Malformed::Header),
            R::Malformed(Malformed::Critical),
            R::Malformed(Malformed::Base64),
            R::Malformed(Malformed::Parts),
            R::Malformed(Malformed::Unencoded),
            R::MalformedClaims,
            R::MalformedClaim("exp"),
            R::MissingClaim("exp"),
            R::AlgorithmNotAllowed,
            R::AlgorithmOfAnotherKey,
            R::UnknownKey,
            R::BadSignature,
            R::WrongIssuer,
            R::WrongAudience,
            R::TooManyAudiences,
            R::Expired,
            R::NotYetValid,
            R::IssuedInFuture,
            R::NotAnAccessToken(NotAccess::HeaderType),
            R::NotAnAccessToken(NotAccess::TokenUse),
            R::NotAnAccessToken(NotAccess::IdToken),
            R::NotAnAccessToken(NotAccess::Event),
            R::SenderBound,
            R::Inactive,
            R::Revoked,
            R::KeyWithdrawn,
            R::InsufficientScope("a:b!'{} c".parse().unwrap()),
            R::NoRoute,
            R::KeysUnavailable,
            R::IntrospectionUnavailable,
            R::RevocationsUnavailable,
        ]
    }

    #[test]
    fn every_sentence_keeps_to_the_characters_of_a_challenge() {
        for rejection in every() {
            let sentence = rejection.description();
            assert!(sentence.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{sentence}");
            assert!(sentence.ends_with('.') && sentence.len() > 10, "{sentence}");
        }
    }

    #[test]
    fn only_401_403_and_400_have_a_challenge() {
        for rejection in every() {
            assert_eq!(rejection.www_authenticate().is_some(), rejection.status() != 503, "{rejection:?}");
            assert_eq!(rejection.retry_after().is_some(), rejection.status() == 503, "{rejection:?}");
        }
    }

    #[test]
    fn without_a_token_the_challenge_says_no_error() {
        assert_eq!(Rejection::NoToken.www_authenticate().unwrap(), r#"Bearer realm="api""#);
        assert_eq!(Rejection::NoToken.status(), 401);
    }

    #[test]
    fn the_challenge_of_a_missing_scope_names_it() {
        let rejection = Rejection::InsufficientScope("arg:cards:get-card".parse().unwrap());
        assert_eq!(rejection.status(), 403);
        assert_eq!(
            rejection.www_authenticate().unwrap(),
            "Bearer realm=\"api\", error=\"insufficient_scope\", error_description=\"This operation needs a token with \
             the scope arg:cards:get-card.\", scope=\"arg:cards:get-card\""
        );
    }
}
