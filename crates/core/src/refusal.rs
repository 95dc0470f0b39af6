//! The precise reasons for a "no". Each maps to one OAuth error code, which a dialect may dress differently.

use std::fmt;

use ficha_types::{GrantKind, Scope, Seconds};

/// An OAuth error code (RFC 6749 §5.2, RFC 8707 §2, RFC 6750 §3.1) or, where a code is needed for what those have none for,
/// the nearest word of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorCode {
    /// The request is not of its grammar.
    InvalidRequest,
    /// Client authentication failed.
    InvalidClient,
    /// The grant is not valid.
    InvalidGrant,
    /// The client may not use the grant.
    UnauthorizedClient,
    /// Nobody may use that grant here.
    UnsupportedGrantType,
    /// More or other scope than held.
    InvalidScope,
    /// No such API, or none was named (RFC 8707 §2).
    InvalidTarget,
    /// RFC 7009 §2.2.1.
    UnsupportedTokenType,
    /// Our fault, or too much at once: RFC 6749 §4.1.2.1 has the word, §5.2 has none.
    TemporarilyUnavailable,
}

impl ErrorCode {
    /// Every code there is.
    pub const ALL: [Self; 9] = [
        Self::InvalidRequest,
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::UnauthorizedClient,
        Self::UnsupportedGrantType,
        Self::InvalidScope,
        Self::InvalidTarget,
        Self::UnsupportedTokenType,
        Self::TemporarilyUnavailable,
    ];

    /// The code as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}

/// What is wrong with the form of a request. Names come from us, never from the request: no answer repeats what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Malformed {
    /// The parameter stands there twice (RFC 6749 §3.2).
    Repeated(String),
    /// A parameter that is needed is absent or empty.
    Missing(String),
    /// A parameter's value is not of its grammar; what it has to be.
    Value(String, &'static str),
    /// The form is not `application/x-www-form-urlencoded`, as the text says.
    Form(&'static str),
    /// The body is not JSON of the expected shape, as the text says.
    Json(&'static str),
    /// `Authorization` is not of its grammar, as the text says.
    Authorization(&'static str),
    /// Credentials stand in the query string.
    CredentialsInQuery,
    /// Two secrets in one request (RFC 6749 §2.3).
    TwoSecrets,
    /// The `client_id` of the body is another one than that of `Authorization`.
    TwoClients,
    /// The body did not arrive whole.
    BodyBroken,
    /// `Host` or forwarding headers that make no sense, as the text says.
    Host(&'static str),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeated(name) => write!(f, "The parameter {name} must not be repeated."),
            Self::Missing(name) => write!(f, "The parameter {name} is missing."),
            Self::Value(name, expected) => write!(f, "The parameter {name} is not valid: expected {expected}."),
            Self::Form(what) => write!(f, "The body is not a valid form: {what}."),
            Self::Json(what) => write!(f, "The body is not valid JSON: {what}."),
            Self::Authorization(what) => write!(f, "The Authorization header is malformed: {what}."),
            Self::CredentialsInQuery => {
                f.write_str("Credentials must not stand in the query string: send them as this endpoint documents.")
            }
            Self::TwoSecrets => {
                f.write_str("The request carries two secrets: send the client's credentials in one place only.")
            }
            Self::TwoClients => f.write_str("The client_id of the body is not that of the Authorization header."),
            Self::BodyBroken => f.write_str("The body did not arrive whole."),
            Self::Host(what) => f.write_str(what),
        }
    }
}

/// Why a client was not accepted. The caller never learns which: the answer is one for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientFailure {
    /// No such client, or an id that can't be one.
    Unknown,
    /// The secret is wrong.
    WrongSecret,
    /// The client is disabled.
    Disabled,
    /// The client may not authenticate in this way.
    Method,
    /// The id alone, where that is not enough.
    NoSecret,
}

/// The precise reason for a "no".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request is not of its grammar.
    Malformed(Malformed),
    /// Another method than the endpoint takes; the methods that it does, as in `Allow`.
    Method(&'static str),
    /// Another media type than the endpoint takes.
    MediaType,
    /// The body is above its limit, in bytes.
    TooLarge(usize),
    /// No issuer answers at that host.
    Misdirected,
    /// No endpoint at that path.
    NotFound,
    /// The request did not come by HTTPS.
    Insecure,
    /// No credentials at all.
    NoCredentials,
    /// The client was not accepted.
    Client(ClientFailure),
    /// Too many failed attempts from that address; seconds to wait.
    TooManyFailures(Seconds),
    /// The client is above its rate or its number of concurrent requests; seconds to wait.
    TooMany(Seconds),
    /// The grant does not exist here.
    UnsupportedGrant,
    /// The client may not use the grant.
    GrantNotAllowed(GrantKind),
    /// No API has that audience, or the client holds nothing at it.
    UnknownApi,
    /// `audience` and `resource` name different APIs, or there are two of one.
    ApisDisagree,
    /// No API was named and none can be guessed.
    NoApi,
    /// A scope that is not held.
    Scope(Scope),
    /// A scope that is not of its grammar.
    ScopeGrammar,
    /// The user was not accepted: unknown, wrong password, disabled; the caller never learns which.
    User,
    /// The refresh token is not one of this client's.
    RefreshUnknown,
    /// The refresh token has expired.
    RefreshExpired,
    /// The refresh token, its family or what it stands for was revoked.
    RefreshRevoked,
    /// The refresh token was used before: its family is revoked now.
    RefreshReplayed,
    /// The store does not answer.
    Unavailable,
    /// A bounded queue is full, or a wait became too long; its name.
    Busy(&'static str),
}

impl Refusal {
    /// Its name in logs and in dialect files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Method(_) => "method_not_allowed",
            Self::MediaType => "unsupported_media_type",
            Self::TooLarge(_) => "body_too_large",
            Self::Misdirected => "misdirected",
            Self::NotFound => "not_found",
            Self::Insecure => "insecure_transport",
            Self::NoCredentials => "no_credentials",
            Self::Client(_) => "client_refused",
            Self::TooManyFailures(_) => "too_many_failures",
            Self::TooMany(_) => "too_many_requests",
            Self::UnsupportedGrant => "unsupported_grant",
            Self::GrantNotAllowed(_) => "grant_not_allowed",
            Self::UnknownApi => "unknown_api",
            Self::ApisDisagree => "apis_disagree",
            Self::NoApi => "no_api",
            Self::Scope(_) => "scope_not_held",
            Self::ScopeGrammar => "scope_malformed",
            Self::User => "user_refused",
            Self::RefreshUnknown => "refresh_unknown",
            Self::RefreshExpired => "refresh_expired",
            Self::RefreshRevoked => "refresh_revoked",
            Self::RefreshReplayed => "refresh_replayed",
            Self::Unavailable => "unavailable",
            Self::Busy(_) => "busy",
        }
    }

    /// Every name that [`Self::name`] gives, for the check of dialect files.
    pub const NAMES: [&'static str; 25] = [
        "malformed",
        "method_not_allowed",
        "unsupported_media_type",
        "body_too_large",
        "misdirected",
        "not_found",
        "insecure_transport",
        "no_credentials",
        "client_refused",
        "too_many_failures",
        "too_many_requests",
        "unsupported_grant",
        "grant_not_allowed",
        "unknown_api",
        "apis_disagree",
        "no_api",
        "scope_not_held",
        "scope_malformed",
        "user_refused",
        "refresh_unknown",
        "refresh_expired",
        "refresh_revoked",
        "refresh_replayed",
        "unavailable",
        "busy",
    ];

    /// The OAuth error code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(_)
            | Self::Method(_)
            | Self::MediaType
            | Self::TooLarge(_)
            | Self::Misdirected
            | Self::NotFound
            | Self::Insecure => ErrorCode::InvalidRequest,
            Self::NoCredentials | Self::Client(_) => ErrorCode::InvalidClient,
            Self::UnsupportedGrant => ErrorCode::UnsupportedGrantType,
            Self::GrantNotAllowed(_) => ErrorCode::UnauthorizedClient,
            Self::UnknownApi | Self::ApisDisagree | Self::NoApi => ErrorCode::InvalidTarget,
            Self::Scope(_) | Self::ScopeGrammar => ErrorCode::InvalidScope,
            Self::User | Self::RefreshUnknown | Self::RefreshExpired | Self::RefreshRevoked | Self::RefreshReplayed => {
                ErrorCode::InvalidGrant
            }
            Self::TooManyFailures(_) | Self::TooMany(_) | Self::Unavailable | Self::Busy(_) => {
                ErrorCode::TemporarilyUnavailable
            }
        }
    }

    /// The HTTP status, unless a dialect gives another.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_)
            | Self::Insecure
            | Self::UnsupportedGrant
            | Self::GrantNotAllowed(_)
            | Self::UnknownApi
            | Self::ApisDisagree
            | Self::NoApi
            | Self::Scope(_)
            | Self::ScopeGrammar
            | Self::User
            | Self::RefreshUnknown
            | Self::RefreshExpired
            | Self::RefreshRevoked
            | Self::RefreshReplayed => 400,
            Self::NoCredentials | Self::Client(_) => 401,
            Self::NotFound => 404,
            Self::Method(_) => 405,
            Self::TooLarge(_) => 413,
            Self::MediaType => 415,
            Self::Misdirected => 421,
            Self::TooManyFailures(_) | Self::TooMany(_) => 429,
            Self::Unavailable | Self::Busy(_) => 503,
        }
    }

    /// Whether the status stands whatever a dialect says: 404, 405, 413, 415, 421, 429 and 503.
    #[must_use]
    pub const fn keeps_status(&self) -> bool {
        matches!(self.status(), 404 | 405 | 413 | 415 | 421 | 429 | 503)
    }

    /// Whether a well-formed request was refused for who sent it or what it carried: neither its form nor our fault.
    #[must_use]
    pub const fn is_verdict(&self) -> bool {
        match self.code() {
            ErrorCode::InvalidClient
            | ErrorCode::InvalidGrant
            | ErrorCode::UnauthorizedClient
            | ErrorCode::InvalidScope
            | ErrorCode::InvalidTarget => true,
            ErrorCode::InvalidRequest
            | ErrorCode::UnsupportedGrantType
            | ErrorCode::UnsupportedTokenType
            | ErrorCode::TemporarilyUnavailable => false,
        }
    }

    /// Seconds after which to try again, as in `Retry-After`.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Seconds> {
        match self {
            Self::TooManyFailures(wait) | Self::TooMany(wait) => Some(*wait),
            Self::Unavailable => Some(Seconds(2)),
            Self::Busy(_) => Some(Seconds(1)),
            Self::Malformed(_)
            | Self::Method(_)
            | Self::MediaType
            | Self::TooLarge(_)
            | Self::Misdirected
            | Self::NotFound
            | Self::Insecure
            | Self::NoCredentials
            | Self::Client(_)
            | Self::UnsupportedGrant
            | Self::GrantNotAllowed(_)
            | Self::UnknownApi
            | Self::ApisDisagree
            | Self::NoApi
            | Self::Scope(_)
            | Self::ScopeGrammar
            | Self::User
            | Self::RefreshUnknown
            | Self::RefreshExpired
            | Self::RefreshRevoked
            | Self::RefreshReplayed => None,
        }
    }

    /// A sentence for the person who writes the client: what is wrong and what to mend. ASCII without `"` and `\`
    /// (RFC 6749 §5.2), and nothing of what was sent but a well-formed scope.
    #[must_use]
    pub fn description(&self) -> String {
        match self {
            Self::Malformed(what) => what.to_string(),
            Self::Method(allow) => format!("This endpoint takes {allow} only."),
            Self::MediaType => "The Content-Type is not one that this endpoint reads.".into(),
            Self::TooLarge(limit) => format!("The body is larger than {limit} bytes."),
            Self::Misdirected => "No issuer answers at this host.".into(),
            Self::NotFound => "There is no endpoint at this path.".into(),
            Self::Insecure => "HTTPS is required: send the request to the https URL.".into(),
            Self::NoCredentials => "Client authentication is required.".into(),
            Self::Client(_) => "The client credentials are invalid.".into(),
            Self::TooManyFailures(_) => "Too many failed attempts: wait before trying again.".into(),
            Self::TooMany(_) => "Too many requests: wait before trying again.".into(),
            Self::UnsupportedGrant => "This grant_type is not supported here.".into(),
            Self::GrantNotAllowed(grant) => format!("The client may not use the grant {grant}."),
            Self::UnknownApi => "The client has no access to an API of this audience.".into(),
            Self::ApisDisagree => "Name one API only: audience and resource must agree.".into(),
            Self::NoApi => "Name the API: audience is missing and there is no default.".into(),
            Self::Scope(scope) => format!("The scope {scope} is not granted here."),
            Self::ScopeGrammar => {
                "The scope is malformed: expected words of at most 255 characters, separated by spaces.".into()
            }
            Self::User => "The user credentials are invalid.".into(),
            Self::RefreshUnknown => "The refresh token is invalid.".into(),
            Self::RefreshExpired => "The refresh token has expired: authenticate again.".into(),
            Self::RefreshRevoked => "The refresh token was revoked: authenticate again.".into(),
            Self::RefreshReplayed => "The refresh token was used before: authenticate again.".into(),
            Self::Unavailable => "The service is not available right now: try again.".into(),
            Self::Busy(_) => "The service is busy: try again.".into(),
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(what: Malformed) -> Self {
        Self::Malformed(what)
    }
}

impl From<crate::ports::StoreError> for Refusal {
    fn from(error: crate::ports::StoreError) -> Self {
        tracing::warn!(%error, "a request can't be answered because of the store");
        Self::Unavailable
    }
}
