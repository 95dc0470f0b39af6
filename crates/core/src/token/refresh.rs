//! Refresh tokens: sealed facts, or a JWT where the dialect says so.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_jose::{Compact, SealingKey, sha256};
use ficha_types::{Algorithm, ApiName, ClientId, FamilyId, ScopeSet, Seconds, Secret, Subject, UnixSeconds};
use serde::{Deserialize, Serialize};

use crate::{
    ports::{Dialects, FamilyUse, ReadFacts},
    profile::Refresh,
    views::{IssuerView, Place},
};

/// What a sealed refresh token begins with.
const PREFIX: &str = "frt_";
/// Characters of the longest one that is looked at.
const LONGEST: usize = 64 * 1024;

/// What a refresh token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefreshFacts {
    pub(crate) client: ClientId,
    pub(crate) user: Option<Subject>,
    pub(crate) api: ApiName,
    pub(crate) scope: ScopeSet,
    pub(crate) family: FamilyId,
    /// 0 for the first of its family.
    pub(crate) step: i64,
    pub(crate) issued_at: UnixSeconds,
    pub(crate) expires_at: UnixSeconds,
    /// When the first of its family was issued.
    pub(crate) began_at: UnixSeconds,
    /// Whether a use spends it.
    pub(crate) rotates: bool,
}

/// The facts as they are sealed: short names, since they travel with every refresh.
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    c: ClientId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<Subject>,
    a: ApiName,
    s: std::borrow::Cow<'a, str>,
    f: FamilyId,
    n: i64,
    i: UnixSeconds,
    e: UnixSeconds,
    b: UnixSeconds,
    r: bool,
}

/// What the use of a rotating token costs and gives.
#[derive(Debug, Clone)]
pub(crate) struct Spent {
    lifetime: Seconds,
    family_ends: UnixSeconds,
    retry_window: Seconds,
    only_repeat: bool,
}

impl Spent {
    /// `None` when the family is at its end, or the token expired longer ago than its retries may come.
    pub(crate) fn of(place: &Place, facts: &RefreshFacts, now: UnixSeconds) -> Option<Self> {
        let policy = place.dialect.profile().refresh.as_ref()?;
        let family_ends = facts.began_at + policy.family_lifetime;
        let in_time = family_ends > now && facts.expires_at + policy.retry_window >= now;
        in_time.then_some(Self {
            lifetime: policy.lifetime,
            family_ends,
            retry_window: policy.retry_window,
            only_repeat: facts.expires_at <= now,
        })
    }

    /// The step of the store. The row stays until the last token of the family has expired.
    pub(crate) fn family_use(
        &self,
        facts: &RefreshFacts,
        (now, access_ends): (UnixSeconds, UnixSeconds),
        leeway: Seconds,
    ) -> FamilyUse {
        let successor_ends = (now + self.lifetime).min(self.family_ends);
        FamilyUse {
            family: facts.family.clone(),
            client: facts.client.clone(),
            user: facts.user.clone(),
            api: facts.api.clone(),
            step: facts.step,
            retry_window: self.retry_window,
            only_repeat: self.only_repeat,
            // A retry gets another access token, which lives that much longer, and no retry moves the row.
            keep_until: successor_ends.max(access_ends + self.retry_window).max(facts.expires_at) + leeway,
        }
    }

    /// The successor of a token that was used at `used_at`: the same for the same use.
    pub(crate) fn successor(&self, facts: RefreshFacts, used_at: UnixSeconds) -> RefreshFacts {
        let expires_at = (used_at + self.lifetime).min(self.family_ends);
        RefreshFacts { step: facts.step + 1, issued_at: used_at, expires_at, ..facts }
    }
}

/// When a refresh token that is issued now ends.
pub(crate) fn first_expiry(policy: &Refresh, now: UnixSeconds) -> UnixSeconds {
    now + policy.lifetime.min(policy.family_lifetime)
}

/// Seals `facts`. The same facts give the same bytes: AES-GCM-SIV stays safe when a nonce is a function of what it seals.
pub(crate) fn seal(issuer: &IssuerView, facts: &RefreshFacts) -> Option<Secret> {
    let (number, key) = issuer.refresh_sealer()?;
    let wire = Wire {
        c: facts.client.clone(),
        u: facts.user.clone(),
        a: facts.api.clone(),
        s: facts.scope.to_string().into(),
        f: facts.family.clone(),
        n: facts.step,
        i: facts.issued_at,
        e: facts.expires_at,
        b: facts.began_at,
        r: facts.rotates,
    };
    let mut plain = Vec::with_capacity(512);
    serde_json::to_writer(&mut plain, &wire).ok()?;
    let nonce = *sha256(&plain).first_chunk::<12>()?;
    let mut bytes = Vec::with_capacity(2 + plain.len() + SealingKey::OVERHEAD);
    bytes.extend_from_slice(&number.to_be_bytes());
    key.seal_onto(&mut bytes, nonce, (issuer.refresh_identity(), &plain));
    let mut token = String::with_capacity(PREFIX.len() + bytes.len().div_ceil(3) * 4);
    token.push_str(PREFIX);
    URL_SAFE_NO_PAD.encode_string(bytes, &mut token);
    Some(Secret::new(token))
}

/// Reads a refresh token of this issuer, whatever its form and whatever the dialect that it was issued in; `None` when it is
/// none. Expiry, marks and revocation are the caller's.
pub(crate) fn read_refresh_token(place: &Place, dialects: &dyn Dialects, token: &str) -> Option<RefreshFacts> {
    if token.starts_with(PREFIX) { open(place, token) } else { read_jwt(place, dialects, token) }
}

/// A sealed refresh token, taken apart but not opened: the number of its key and what that key sealed. Everything beyond is
/// authenticated, so this is all that a stranger's bytes reach.
#[must_use]
pub fn take_apart(token: &str) -> Option<(u16, Vec<u8>)> {
    let encoded = token.strip_prefix(PREFIX).filter(|t| t.len() <= LONGEST)?;
    let mut bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let number = *bytes.first_chunk::<2>()?;
    bytes.drain(..2);
    Some((u16::from_be_bytes(number), bytes))
}

fn open(place: &Place, token: &str) -> Option<RefreshFacts> {
    let (number, sealed) = take_apart(token)?;
    let plain = place.issuer.refresh_opener(number)?.open(place.issuer.refresh_identity(), &sealed).ok()?;
    let wire: Wire<'_> = serde_json::from_slice(&plain).ok()?;
    Some(RefreshFacts {
        client: wire.c,
        user: wire.u,
        api: wire.a,
        scope: wire.s.parse().ok()?,
        family: wire.f,
        step: wire.n,
        issued_at: wire.i,
        expires_at: wire.e,
        began_at: wire.b,
        rotates: wire.r,
    })
}

fn read_jwt(place: &Place, dialects: &dyn Dialects, token: &str) -> Option<RefreshFacts> {
    let parsed = Compact::parse(token).ok()?;
    let algorithm: Algorithm = parsed.header().alg.parse().ok()?;
    let kid = parsed.header().kid.as_deref();
    let mut keys = place.issuer.keys.refresh_verifiers(algorithm, kid);
    keys.find(|key| parsed.verify_with(&key.verifying))?;
    let claims: serde_json::Map<_, _> = serde_json::from_slice(parsed.payload()).ok()?;
    let names = place.issuer.issuer.dialects().into_iter();
    let read: ReadFacts = names
        .filter_map(|name| dialects.dialect(name))
        .find_map(|dialect| dialect.read_refresh_claims(&claims, &dialect.token_endpoint(&place.issuer.iss)))?;
    if read.issuer != *place.issuer.iss {
        return None;
    }
    let api = place.issuer.api_for(&read.audience)?;
    Some(RefreshFacts {
        client: read.client,
        user: read.user,
        api: api.name.clone(),
        scope: read.scope.parse().ok()?,
        family: read.id.as_str().parse().ok()?,
        step: 0,
        issued_at: read.issued_at,
        expires_at: read.expires_at,
        began_at: read.issued_at,
        rotates: false,
    })
}
