//! How an issuer's tokens look: data that the face for clients has compiled.

use std::{collections::BTreeMap, sync::Arc};

use ficha_types::{Algorithm, Audience, ClientId, DialectName, GrantKind, Subject, TokenId, UnixSeconds};

use crate::profile::Profile;

/// What an access token says, before a dialect has dressed it or after it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts<'a> {
    /// `jti`.
    pub id: TokenId,
    /// `iss`.
    pub issuer: &'a str,
    /// The client's id.
    pub client: ClientId,
    /// The user of the grant, if there was one.
    pub user: Option<Subject>,
    /// `aud`.
    pub audience: Audience,
    /// The granted scopes, in the API's order.
    pub scope: &'a str,
    /// `iat`.
    pub issued_at: UnixSeconds,
    /// `exp`.
    pub expires_at: UnixSeconds,
    /// The grant that led to it (`refresh_token` for a refreshed one). Not read back.
    pub grant: GrantKind,
    /// Facts about the client that a dialect may write. Not read back.
    pub properties: Option<&'a BTreeMap<String, String>>,
}

/// One wire contract, as far as the rules need to know it.
pub trait Dialect: Send + Sync {
    /// Its name.
    fn name(&self) -> &DialectName;
    /// The policies that it chose by name.
    fn profile(&self) -> &Profile;
    /// The JOSE header of an access token as JSON, members in the dialect's order.
    fn header(&self, algorithm: Algorithm, kid: &str) -> String;
    /// The claims of an access token as JSON, members in the dialect's order.
    fn claims(&self, facts: &TokenFacts<'_>) -> String;
    /// Reads an access token's claims back; `None` when they are not this dialect's. The signature was checked before.
    fn read_claims(&self, claims: &serde_json::Map<String, serde_json::Value>) -> Option<ReadFacts>;
    /// The claims of a refresh token that is a JWT, as JSON: those of the dialect's own, over `facts` whose `audience` is the
    /// API's; `endpoint` is the token endpoint's URL.
    fn refresh_claims(&self, facts: &TokenFacts<'_>, endpoint: &str) -> String;
    /// Reads them back.
    fn read_refresh_claims(
        &self,
        claims: &serde_json::Map<String, serde_json::Value>,
        endpoint: &str,
    ) -> Option<ReadFacts>;
    /// The URL of the token endpoint under a base URL.
    fn token_endpoint(&self, base_url: &str) -> String;
}

/// What was read back from a token's claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFacts {
    /// `jti`.
    pub id: TokenId,
    /// `iss` as it stands there.
    pub issuer: String,
    /// The client's id.
    pub client: ClientId,
    /// `sub` as it stands there.
    pub sub: String,
    /// The user, where `sub` is not what the dialect writes for the client itself.
    pub user: Option<Subject>,
    /// `aud`: the API's.
    pub audience: Audience,
    /// The scopes, as written.
    pub scope: String,
    /// `iat`.
    pub issued_at: UnixSeconds,
    /// `exp`.
    pub expires_at: UnixSeconds,
}

/// The dialects that were loaded.
pub trait Dialects: Send + Sync {
    /// The dialect of that name.
    fn dialect(&self, name: &DialectName) -> Option<Arc<dyn Dialect>>;
}
