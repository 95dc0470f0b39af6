//! What a granted request gets.

use std::sync::Arc;

use ficha_types::{ApiName, ClientId, GrantKind, Seconds, Secret, Subject, TokenId};

/// A granted token request.
#[derive(Debug)]
pub struct TokenAnswer {
    /// The access token, whole.
    pub access_token: AccessToken,
    /// Seconds left of it, never negative (RFC 6749 §5.1 `expires_in`).
    pub expires_in: Seconds,
    /// The granted scope, in the API's order.
    pub scope: Arc<str>,
    /// The refresh token, where one belongs to the answer.
    pub refresh_token: Option<Secret>,
    /// For the log: who got what.
    pub issued: Issued,
}

/// An access token on its way out. Shows itself to nobody.
#[derive(Clone)]
pub struct AccessToken(pub Arc<str>);

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

/// What the log says of an issued token.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Its `jti`.
    pub id: TokenId,
    /// The client.
    pub client: ClientId,
    /// The user, if the grant involved one.
    pub user: Option<Subject>,
    /// The API.
    pub api: ApiName,
    /// The grant.
    pub grant: GrantKind,
    /// Id of the secret by which the client authenticated.
    pub secret: Option<Arc<str>>,
    /// Whether it is a live token handed out again.
    pub reused: bool,
    /// Whether it was handed out without the store.
    pub outage: bool,
}
