//! Handing out the same live token until it expires.

use std::sync::Arc;

use ficha_jose::Sha256;
use ficha_telemetry::metrics::metrics;
use ficha_types::{GrantKind, IssuerName, ScopeSet, TokenId, UnixSeconds};

use super::{
    Scoped, all_held, held,
    issue::{Signed, Wanted, latest_mark, sign},
    narrow,
};
use crate::{
    Refusal,
    feed::Trust,
    ports::{Kept, LiveKey, LiveOffer, LiveRow},
    profile::Reuse,
    records::Api,
    rules::Rules,
    views::{ClientView, LiveEntry, Place},
};

/// A live token on its way out.
pub(crate) struct Live {
    pub(crate) token: Arc<str>,
    pub(crate) id: TokenId,
    pub(crate) scope: Arc<str>,
    pub(crate) expires_at: UnixSeconds,
    pub(crate) reused: bool,
}

impl Live {
    fn again(entry: &LiveEntry) -> Self {
        Self {
            token: entry.token.clone(),
            id: entry.id.clone(),
            scope: entry.scope.clone(),
            expires_at: entry.expires_at,
            reused: true,
        }
    }
}

/// The live token of that client, API and scope: from memory, else from the store, else a new one that the store keeps;
/// and when that was, since it may have waited.
pub(crate) async fn live_token(
    rules: &Rules,
    place: &Place,
    of: (&Arc<ClientView>, &Arc<Api>),
    wanted: (Option<&ScopeSet>, Reuse),
    now: UnixSeconds,
) -> Result<(Live, UnixSeconds), Refusal> {
    if let Some(live) = remembered(place, of, wanted, now) {
        return Ok((live, now));
    }
    // Boxed: it is seldom, and every request would carry its place.
    let live = Box::pin(stored(rules, place, of, wanted)).await?;
    Ok((live, rules.clock.now()))
}

/// The live token that this node holds.
fn remembered(
    place: &Place,
    (client, api): (&Arc<ClientView>, &Arc<Api>),
    (asked, policy): (Option<&ScopeSet>, Reuse),
    now: UnixSeconds,
) -> Option<Live> {
    let mark = latest_mark(place, client, api, None);
    let fits = |e: &LiveEntry| {
        Arc::ptr_eq(&e.api, api)
            && e.asked.as_ref() == asked
            && e.dialect == *place.dialect.name()
            && is_good((policy, mark), (e.issued_at, e.expires_at), now)
    };
    client.live(|entry| fits(entry).then(|| Live::again(entry)))
}

/// Whether a token of these times may be handed out at `now`.
fn is_good(
    (policy, mark): (Reuse, Option<UnixSeconds>),
    (issued_at, expires_at): (UnixSeconds, UnixSeconds),
    now: UnixSeconds,
) -> bool {
    expires_at > now + policy.min_remaining && mark.is_none_or(|mark| issued_at > mark)
}

/// The live token that the store has, or a new one that it keeps. Nodes may sign at the same time; the store keeps one and all
/// hand out that.
async fn stored(
    rules: &Rules,
    place: &Place,
    (client, api): (&Arc<ClientView>, &Arc<Api>),
    (asked, policy): (Option<&ScopeSet>, Reuse),
) -> Result<Live, Refusal> {
    let mark = latest_mark(place, client, api, None);
    let scope = match asked {
        None => all_held(client, api),
        Some(_) => Arc::new(Scoped::of(api, narrow(held(client, api), asked)?)),
    };
    let _one_renewal_at_a_time = client.renewal.lock().await;
    if let Some(live) = remembered(place, (client, api), (asked, policy), rules.clock.now()) {
        return Ok(live);
    }
    let key = LiveKey {
        client: client.client.id.clone(),
        api: api.name.clone(),
        fingerprint: fingerprint(place, api, &scope.set, client.client.policy),
    };
    if place.trust == Trust::Away {
        // Another one would have to be kept first.
        return Err(Refusal::Unavailable);
    }
    let now = rules.clock.now();
    let epoch = place.slot.epoch();
    let remember = |live: &Live, issued_at| {
        let entry = LiveEntry {
            dialect: place.dialect.name().clone(),
            api: api.clone(),
            asked: asked.cloned(),
            token: live.token.clone(),
            id: live.id.clone(),
            scope: live.scope.clone(),
            issued_at,
            expires_at: live.expires_at,
        };
        // One that was replaced or revoked since it was read is one no more.
        place.slot.keep(epoch, || client.remember(entry, now));
    };
    let there = rules.tokens.live_token(place.issuer.name(), &key).await?;
    let known = |row: &LiveRow| place.issuer.keys.iter().any(|k| k.row.published_kid() == row.kid);
    // A request that was under way when its key was withdrawn may have left this one.
    let orphan = there.as_ref().filter(|row| !known(row)).map(|row| row.issued_at);
    if let Some(row) = there
        && orphan.is_none()
        && is_good((policy, mark), (row.issued_at, row.expires_at), now)
        && let Some(live) = open(place, &key, &row, &scope.written)
    {
        remember(&live, row.issued_at);
        return Ok(live);
    }
    let wanted = Wanted { client, user: None, api, scope: &scope, grant: GrantKind::ClientCredentials, family: None };
    let signed = sign(rules, place, &wanted, now).await?;
    let offer = offer(rules, place, &key, (&signed, now), (policy, mark.max(orphan)))?;
    match rules.tokens.keep_live(place.issuer.name(), &key, &offer).await? {
        Kept::Mine => {
            metrics().live_tokens_made.count(());
            let live = mine(signed);
            remember(&live, now);
            Ok(live)
        }
        Kept::Other(row) => {
            let live = open(place, &key, &row, &scope.written).ok_or(Refusal::Unavailable)?;
            remember(&live, row.issued_at);
            Ok(live)
        }
        Kept::Full => Ok(mine(signed)),
    }
}

fn mine(signed: Signed) -> Live {
    Live { token: signed.token, id: signed.id, scope: signed.scope, expires_at: signed.expires_at, reused: false }
}

fn offer(
    rules: &Rules,
    place: &Place,
    key: &LiveKey,
    (signed, now): (&Signed, UnixSeconds),
    (policy, mark): (Reuse, Option<UnixSeconds>),
) -> Result<LiveOffer, Refusal> {
    let (number, with) = place.issuer.live_sealer().ok_or(Refusal::Unavailable)?;
    let mut nonce = [0; 12];
    rules.chance.fill(&mut nonce);
    let mut sealed = number.to_be_bytes().to_vec();
    sealed.extend(with.seal(nonce, &identity(place.issuer.name(), key), signed.token.as_bytes()));
    let row = LiveRow {
        id: signed.id.clone(),
        sealed,
        issued_at: signed.issued_at,
        expires_at: signed.expires_at,
        kid: signed.key.row.published_kid().to_owned(),
    };
    let not_before = mark.unwrap_or(UnixSeconds(i64::MIN));
    Ok(LiveOffer { row, fresh_after: now + policy.min_remaining, not_before, now })
}

fn open(place: &Place, key: &LiveKey, row: &LiveRow, scope: &Arc<str>) -> Option<Live> {
    let (number, sealed) = row.sealed.split_first_chunk::<2>()?;
    let opener = place.issuer.live_opener(u16::from_be_bytes(*number))?;
    let plain = opener.open(&identity(place.issuer.name(), key), sealed).ok()?;
    let token = std::str::from_utf8(&plain).ok()?.into();
    Some(Live { token, id: row.id.clone(), scope: scope.clone(), expires_at: row.expires_at, reused: true })
}

/// What decides, beside client and API, that two requests get the same token: audience and algorithm too, since an API that was
/// declared anew wants new ones, and the issuer's URL, which stands in `iss`. No sender binding exists yet.
fn fingerprint(place: &Place, api: &Api, scope: &ScopeSet, policy: i64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(place.dialect.name().as_str().as_bytes());
    hash.update(b"\n");
    for word in [&*place.issuer.iss, scope.to_string().as_str(), api.audience.as_str(), api.algorithm.as_str()] {
        hash.update(word.as_bytes());
        hash.update(b"\n");
    }
    hash.update(&policy.to_be_bytes());
    hash.finish()
}

fn identity(issuer: &IssuerName, key: &LiveKey) -> Vec<u8> {
    let mut identity = format!("ficha live token\n{issuer}\n{}\n{}\n", key.client, key.api).into_bytes();
    identity.extend(key.fingerprint);
    identity
}
