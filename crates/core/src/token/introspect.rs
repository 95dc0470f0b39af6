//! Introspection (RFC 7662): an API asks whether a token is good, and sees only tokens of its own audience.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use ficha_jose::sha256;
use ficha_telemetry::metrics::{Cache as Held, metrics};
use ficha_types::{ApiName, IssuerName, UnixSeconds};
use quick_cache::sync::Cache;

use super::{
    Caller, Credentials,
    few_revoked::FewRevoked,
    issue::latest_mark,
    read::{ReadToken, read_access_token},
};
use crate::{
    Refusal,
    client_auth::authenticate_api,
    ports::Standing,
    records::{Api, Status},
    rules::Rules,
    views::Place,
};

/// What an API learns of a token.
#[derive(Debug, Clone)]
pub enum Introspection {
    /// It is good: its claims, all of them, as they stand in the token.
    Active(Arc<ActiveToken>),
    /// It is not, or is none of this API's business: nothing more is said.
    Inactive,
}

/// A good token.
#[derive(Debug)]
pub struct ActiveToken {
    /// `scope`, as written in the token.
    pub scope: String,
    /// The client.
    pub client_id: String,
    /// `sub`.
    pub sub: String,
    /// `aud`.
    pub aud: String,
    /// `iss`.
    pub iss: String,
    /// `jti`.
    pub jti: String,
    /// `iat`.
    pub iat: UnixSeconds,
    /// `exp`.
    pub exp: UnixSeconds,
    /// The user's name, when the token is a user's.
    pub username: Option<String>,
    /// The answer, once it was written.
    written: OnceLock<Bytes>,
}

impl ActiveToken {
    /// The answer as `write` writes it, always the same one: it is asked once for each token that is remembered.
    pub fn answer(&self, write: impl FnOnce(&Self) -> Vec<u8>) -> Bytes {
        self.written.get_or_init(|| write(self).into()).clone()
    }
}

/// What was worked out of a token, and at which number of its issuer's changes: at the same number it still holds.
#[derive(Debug, Clone)]
struct Seen {
    epoch: u64,
    api: ApiName,
    token: Arc<ActiveToken>,
}

/// Tokens that introspection found good, by issuer and the token's SHA-256, and what is revoked where that is little. Bounded;
/// never holds a token itself.
pub struct Introspected {
    good: Cache<(IssuerName, [u8; 32]), Seen>,
    few_revoked: FewRevoked,
}

impl Introspected {
    /// Remembers at most `bound` tokens.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { good: Cache::new(bound), few_revoked: FewRevoked::new() }
    }

    /// Tokens that are remembered now.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.good.len()
    }
}

/// Answers an API's question about `token`; says which API asked.
///
/// # Errors
/// [`Refusal::NoCredentials`], [`Refusal::Client`], [`Refusal::TooManyFailures`]; [`Refusal::Unavailable`] when it can't be known:
/// that is never told as "inactive".
pub async fn introspect(
    rules: &Rules,
    place: &Place,
    caller: &Caller,
    (who, token): (&Credentials, &str),
) -> Result<(ApiName, Introspection), Refusal> {
    place.trust.confirmed()?;
    let api = authenticate_api(rules, place, caller, who)?;
    let found = look(rules, place, &api, token).await?;
    Ok((api.name.clone(), found))
}

/// What `token` is to `api`, for who needs no secret to ask: a listener of this process that answers for the API.
///
/// # Errors
/// [`Refusal::Unavailable`] when it can't be known.
pub async fn look(rules: &Rules, place: &Place, api: &Api, token: &str) -> Result<Introspection, Refusal> {
    place.trust.confirmed()?;
    let found = looked(rules, place, api, token).await?;
    if rules.feed.holds(place.trust) {
        return Ok(found);
    }
    // It took long, as on a node that stood still: what was found may be out of date.
    rules.feed.trust(&rules.node, &place.slot).await?.confirmed()?;
    if place.slot.epoch() == place.epoch { Ok(found) } else { Err(Refusal::Busy("changed meanwhile")) }
}

async fn looked(rules: &Rules, place: &Place, api: &Api, token: &str) -> Result<Introspection, Refusal> {
    let now = rules.clock.now();
    let key = (place.issuer.name().clone(), sha256(token.as_bytes()));
    if let Some(seen) = rules.introspected.good.get(&key)
        && seen.epoch == place.slot.epoch()
    {
        metrics().cache_hits.count(Held::Introspections);
        let good = seen.api == api.name && seen.token.exp > now;
        return Ok(if good { Introspection::Active(seen.token) } else { Introspection::Inactive });
    }
    metrics().cache_misses.count(Held::Introspections);
    let Some(read) = read_access_token(place, &*rules.dialects, token) else {
        return Ok(Introspection::Inactive);
    };
    if read.api.name != api.name || read.facts.expires_at <= now {
        return Ok(Introspection::Inactive);
    }
    let Some(username) = standing(rules, place, api, &read).await? else {
        return Ok(Introspection::Inactive);
    };
    let facts = read.facts;
    let token = Arc::new(ActiveToken {
        scope: facts.scope,
        client_id: facts.client.to_string(),
        sub: facts.sub,
        aud: facts.audience.to_string(),
        iss: facts.issuer,
        jti: facts.id.to_string(),
        iat: facts.issued_at,
        exp: facts.expires_at,
        username,
        written: OnceLock::new(),
    });
    // By what the issuer was when the request began: what has changed since may have ended this token.
    rules.introspected.good.insert(key, Seen { epoch: place.epoch, api: api.name.clone(), token: token.clone() });
    Ok(Introspection::Active(token))
}

/// Whether nothing stands against the token: client and user are there and enabled, no mark covers it, neither it nor its
/// family is revoked. `Some` with the user's name when it is a user's.
pub(crate) async fn standing(
    rules: &Rules,
    place: &Place,
    api: &Api,
    read: &ReadToken,
) -> Result<Option<Option<String>>, Refusal> {
    let facts = &read.facts;
    let Some(client) = rules.node.client(&place.slot, &facts.client).await? else { return Ok(None) };
    let user = match &facts.user {
        None => None,
        Some(sub) => match rules.node.user(&place.slot, sub).await? {
            Some(user) if user.row.user.status == Status::Enabled => Some(user),
            Some(_) | None => return Ok(None),
        },
    };
    let dead = latest_mark(place, &client, api, user.as_deref()).is_some_and(|mark| facts.issued_at <= mark);
    if dead || client.client.status == Status::Disabled {
        return Ok(None);
    }
    let family = facts.id.family();
    let name = || user.map(|u| u.row.user.name.to_string());
    if rules.introspected.few_revoked.spare(rules, place, (&facts.id, family.as_ref())).await? {
        return Ok(Some(name()));
    }
    match rules.tokens.standing(place.issuer.name(), &facts.id, family.as_ref(), &api.name).await? {
        Standing::Good => Ok(Some(name())),
        Standing::Revoked => Ok(None),
    }
}
