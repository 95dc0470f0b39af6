//! From bytes to a token request, as the dialect's file says.

use ficha_core::{
    ClientFailure, Malformed, Refusal,
    token::{Credentials, GrantRequest, Reading, Target, TokenRequest},
};
use ficha_types::{AuthMethod, GrantKind, ScopeSet};
use http::{HeaderMap, header::CONTENT_TYPE};

use super::{
    basic,
    compiled::{Bodies, Compiled},
    endpoints::Endpoint,
    fields::{Fields, Names, Param},
    form, json,
};

/// A request as it was sent to an endpoint that takes `POST`.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'r> {
    /// What stands behind `?`.
    pub query: Option<&'r str>,
    /// The headers.
    pub headers: &'r HeaderMap,
    /// The whole body.
    pub body: &'r [u8],
}

/// What a refusal has to know of the request that it answers. The default is a request to the token endpoint of which nothing
/// was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The grant, when it was recognised.
    pub grant: Option<GrantKind>,
    /// Whether the client tried Basic.
    pub basic: bool,
}

/// A request that was refused before anybody was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// What was asked.
    pub asked: Asked,
}

/// A vendor's request to revoke all tokens of a client at an API.
#[derive(Debug)]
pub struct RevokeRequest {
    /// Who asks.
    pub who: Credentials,
    /// The grant that the request names.
    pub grant: GrantKind,
    /// The API.
    pub target: Target,
}

impl Asked {
    /// A request to `endpoint` with these headers, of which no more was recognised.
    #[must_use]
    pub fn of(endpoint: Endpoint, headers: &HeaderMap) -> Self {
        Self { endpoint, grant: None, basic: basic::was_tried(headers) }
    }
}

impl Compiled {
    /// Reads a token request.
    ///
    /// # Errors
    /// What is malformed, or a way to authenticate or a grant that the dialect does not have.
    pub fn parse_token(&self, sent: Sent<'_>) -> Result<(TokenRequest, Asked), Refused> {
        let mut asked = Asked::of(Endpoint::Token, sent.headers);
        match self.token_request(sent, &mut asked) {
            Ok(request) => Ok((request, asked)),
            Err(refusal) => Err(Refused { refusal, asked }),
        }
    }

    /// Reads a request to the vendor's own revocation endpoint, which looks like a token request.
    ///
    /// # Errors
    /// As [`Self::parse_token`].
    pub fn parse_vendor_revoke(&self, sent: Sent<'_>) -> Result<(RevokeRequest, Asked), Refused> {
        let mut asked = Asked::of(Endpoint::VendorRevoke, sent.headers);
        match self.revoke_request(sent, &mut asked) {
            Ok(request) => Ok((request, asked)),
            Err(refusal) => Err(Refused { refusal, asked }),
        }
    }

    fn token_request(&self, sent: Sent<'_>, asked: &mut Asked) -> Result<TokenRequest, Refusal> {
        let (names, required) = (&self.request.names, self.request.required.as_slice());
        let (mut fields, kind) = self.recognise(sent, asked)?;
        all_there(&fields, names, required)?;
        let grant = grant(kind, &mut fields, names)?;
        let who = self.who(sent.headers, &mut fields, required)?;
        Ok(TokenRequest { who, grant })
    }

    fn revoke_request(&self, sent: Sent<'_>, asked: &mut Asked) -> Result<RevokeRequest, Refusal> {
        let names = &self.request.names;
        let required = self.vendor_revoke.as_ref().map_or(&[][..], |r| &r.required);
        let (mut fields, grant) = self.recognise(sent, asked)?;
        all_there(&fields, names, required)?;
        let target = target(&mut fields);
        let who = self.who(sent.headers, &mut fields, required)?;
        Ok(RevokeRequest { who, grant, target })
    }

    /// Reads the parameters and finds the grant.
    fn recognise<'r>(&self, sent: Sent<'r>, asked: &mut Asked) -> Result<(Fields<'r>, GrantKind), Refusal> {
        let names = &self.request.names;
        let mut fields = read_body(sent, names, self.request.bodies)?;
        let grant = fields.need(names, Param::GrantType)?;
        let kind = self.grant_types().find(|(wire, _)| *wire == grant.expose()).map(|(_, kind)| kind);
        asked.grant = kind;
        Ok((fields, kind.ok_or(Refusal::UnsupportedGrant)?))
    }

    /// The credentials, by a method that the dialect has.
    fn who(&self, headers: &HeaderMap, fields: &mut Fields<'_>, required: &[Param]) -> Result<Credentials, Refusal> {
        let who = credentials(headers, fields, &self.request.names)?;
        match &who {
            Credentials::Secret { method, .. } if !self.profile.auth_methods.contains(method) => {
                Err(Refusal::Client(ClientFailure::Method))
            }
            Credentials::Id(_) if required.contains(&Param::ClientSecret) => {
                Err(Malformed::Missing(self.request.names.wire(Param::ClientSecret).to_owned()).into())
            }
            Credentials::Secret { .. } | Credentials::Id(_) | Credentials::None => Ok(who),
        }
    }
}

/// The parameters of the body, none of whose credentials stand in the URL as well.
pub(super) fn read_body<'r>(sent: Sent<'r>, names: &Names, bodies: Bodies) -> Result<Fields<'r>, Refusal> {
    let kind = media_type(sent.headers).ok_or(Refusal::MediaType)?;
    let is_form = bodies.form && kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let is_json = bodies.json && kind.eq_ignore_ascii_case("application/json");
    if !is_form && !is_json {
        return Err(Refusal::MediaType);
    }
    if sent.query.is_some_and(|query| form::holds_credentials(query, names)) {
        return Err(Malformed::CredentialsInQuery.into());
    }
    Ok(if is_form { form::read(sent.body, names)? } else { json::read(sent.body, names)? })
}

/// The media type without its parameters; none when there are two of it.
fn media_type(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.to_str().ok()?.split(';').next().unwrap_or_default().trim()),
        (None | Some(_), _) => None,
    }
}

/// The credentials of header and body: in one place only, but an equal id may stand in both (RFC 6749 §2.3).
pub(super) fn credentials(headers: &HeaderMap, fields: &mut Fields<'_>, names: &Names) -> Result<Credentials, Refusal> {
    let header = basic::credentials(headers)?;
    let (id, secret) = (fields.take_plain(Param::ClientId), fields.take(Param::ClientSecret));
    match (header, id, secret) {
        (Credentials::None, None, None) => Ok(Credentials::None),
        (Credentials::None, None, Some(_)) => Err(Malformed::Missing(names.wire(Param::ClientId).to_owned()).into()),
        (Credentials::None, Some(id), None) => Ok(Credentials::Id(id)),
        (Credentials::None, Some(id), Some(secret)) => {
            let readings = vec![Reading { id, secret: secret.into_secret() }];
            Ok(Credentials::Secret { method: AuthMethod::ClientSecretPost, readings })
        }
        (_, _, Some(_)) => Err(Malformed::TwoSecrets.into()),
        (header, Some(id), None) if !names_client(&header, &id) => Err(Malformed::TwoClients.into()),
        (header, _, None) => Ok(header),
    }
}

fn names_client(who: &Credentials, id: &str) -> bool {
    match who {
        Credentials::None => false,
        Credentials::Id(there) => there == id,
        Credentials::Secret { readings, .. } => readings.iter().any(|r| r.id == id),
    }
}

/// Whether everything that the dialect requires is there. No credentials at all is not malformed: that is for
/// authentication to say.
fn all_there(fields: &Fields<'_>, names: &Names, required: &[Param]) -> Result<(), Malformed> {
    let of_client = |p: Param| matches!(p, Param::ClientId | Param::ClientSecret);
    let missing = required.iter().find(|p| !of_client(**p) && **p != Param::GrantType && !fields.has(**p));
    missing.map_or(Ok(()), |p| Err(Malformed::Missing(names.wire(*p).to_owned())))
}

fn grant(kind: GrantKind, fields: &mut Fields<'_>, names: &Names) -> Result<GrantRequest, Refusal> {
    Ok(match kind {
        GrantKind::ClientCredentials => {
            GrantRequest::ClientCredentials { scope: scope(fields)?, target: target(fields) }
        }
        GrantKind::Password => {
            let username = fields.need(names, Param::Username)?.expose().parse().ok();
            let password = fields.need(names, Param::Password)?.into_secret();
            GrantRequest::Password { username, password, scope: scope(fields)?, target: target(fields) }
        }
        GrantKind::RefreshToken => {
            let token = fields.need(names, Param::RefreshToken)?.into_secret();
            GrantRequest::RefreshToken { token, scope: scope(fields)?, target: target(fields) }
        }
    })
}

fn scope(fields: &mut Fields<'_>) -> Result<Option<ScopeSet>, Refusal> {
    let Some(text) = fields.take(Param::Scope) else { return Ok(None) };
    let asked: ScopeSet = text.expose().parse().map_err(|_| Refusal::ScopeGrammar)?;
    // Nothing but spaces asks for no scope, which is not of the grammar (RFC 6749 §3.3).
    if asked.is_empty() { Err(Refusal::ScopeGrammar) } else { Ok(Some(asked)) }
}

fn target(fields: &mut Fields<'_>) -> Target {
    Target { audience: fields.take_plain(Param::Audience), resources: fields.plain_all(Param::Resource) }
}
