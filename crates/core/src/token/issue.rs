//! Issuing: the live token again, or a new one; with a refresh token where the profile says so.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_telemetry::metrics::{Refresh as Refreshed, metrics};
use ficha_types::{FamilyId, GrantKind, Seconds, Secret, TokenId, UnixSeconds};

use super::{
    AccessToken, Issued, RefreshFacts, Scoped, TokenAnswer, all_held, held, narrow,
    refresh::{first_expiry, seal},
    reuse,
};
use crate::{
    Refusal,
    client_auth::Who,
    feed::Trust,
    grants::{Authorization, Continues, Granted},
    ports::{FamilyUse, StoreError, TokenFacts, Trade},
    profile::{Refresh, RefreshForm, RefreshMode},
    records::Api,
    rules::{Rules, to_its_end},
    views::{Change, ClientView, LoadedKey, Place, UserView},
};

/// A new access token and what was said in it.
pub(crate) struct Signed {
    pub(crate) token: Arc<str>,
    pub(crate) id: TokenId,
    pub(crate) scope: Arc<str>,
    pub(crate) issued_at: UnixSeconds,
    pub(crate) expires_at: UnixSeconds,
    pub(crate) key: Arc<LoadedKey>,
}

/// What a new access token is to say.
pub(crate) struct Wanted<'a> {
    pub(crate) client: &'a ClientView,
    pub(crate) user: Option<&'a UserView>,
    pub(crate) api: &'a Api,
    pub(crate) scope: &'a Scoped,
    pub(crate) grant: GrantKind,
    pub(crate) family: Option<&'a FamilyId>,
}

/// Gives the live token again or signs a new one, as the profile says.
pub(crate) async fn issue(
    rules: &Rules,
    place: &Place,
    (grant, proved): (GrantKind, Authorization),
) -> Result<TokenAnswer, Refusal> {
    let profile = place.dialect.profile();
    let client = proved.who.view().clone();
    let refresh = profile
        .refresh
        .as_ref()
        .filter(|r| r.with.contains(&grant) && client.client.grants.contains(&GrantKind::RefreshToken));
    let begins = matches!(proved.continues, Continues::Nothing);
    if rules.feed.clock_is_off() {
        tracing::error!("the clock of this node is more than a second from the database's: it issues nothing");
        return Err(Refusal::Unavailable);
    }
    let outage = within_grace(rules, place)?;
    let now = past_marks(rules, place, &proved).await?;
    if let (Some(policy), Granted::OfClient, true, None) = (profile.reuse, &proved.scope, begins, refresh) {
        let wanted = (proved.asked.as_ref(), policy);
        let (live, at) = reuse::live_token(rules, place, (&client, &proved.api), wanted, now).await?;
        return Ok(TokenAnswer {
            expires_in: left(live.expires_at, at),
            scope: live.scope,
            refresh_token: None,
            issued: Issued { outage, ..issued(live.id, &proved, (grant, live.reused)) },
            access_token: AccessToken(live.token),
        });
    }
    let scope = match (&proved.scope, &proved.asked) {
        (Granted::Is(scope), _) => scope.clone(),
        (Granted::OfClient, None) => all_held(&client, &proved.api),
        (Granted::OfClient, asked) => {
            Arc::new(Scoped::of(&proved.api, narrow(held(&client, &proved.api), asked.as_ref())?))
        }
    };
    let family = match &proved.continues {
        Continues::Nothing => refresh.map(|_| new_family(rules)).transpose()?,
        Continues::Kept { family, .. } => Some(family.clone()),
        Continues::Rotating { spent, .. } => Some(spent.family.clone()),
    };
    let user = proved.user.clone();
    let wanted = Wanted {
        client: &client,
        user: user.as_deref(),
        api: &proved.api,
        scope: &scope,
        grant,
        family: family.as_ref(),
    };
    let signed = sign(rules, place, &wanted, now).await?;
    let issued = Issued { outage, ..issued(signed.id.clone(), &proved, (grant, false)) };
    let refresh_token = match proved.continues {
        Continues::Nothing => match (refresh, &family) {
            (Some(policy), Some(family)) => Some(first_refresh(rules, place, &wanted, (policy, family, now)).await?),
            (_, _) => None,
        },
        Continues::Kept { token, .. } => {
            metrics().refresh.count(Refreshed::Kept);
            Some(token)
        }
        Continues::Rotating { spent, spend } => {
            let step = spend.family_use(&spent, (now, signed.expires_at), rules.limits.verifier_leeway);
            let used_at = match trade(rules, place, step, now).await? {
                Trade::Done => {
                    metrics().refresh.count(Refreshed::Rotated);
                    now
                }
                Trade::Repeated { used_at } => {
                    metrics().refresh.count(Refreshed::Repeated);
                    used_at
                }
                Trade::Replayed => {
                    metrics().refresh.count(Refreshed::Replayed);
                    return Err(Refusal::RefreshReplayed);
                }
                Trade::Revoked => return Err(Refusal::RefreshRevoked),
                Trade::Unknown => return Err(Refusal::RefreshUnknown),
            };
            let successor = spend.successor(*spent, used_at);
            Some(seal(&place.issuer, &successor).ok_or(Refusal::Unavailable)?)
        }
    };
    Ok(TokenAnswer {
        access_token: AccessToken(signed.token),
        expires_in: left(signed.expires_at, now),
        scope: signed.scope,
        refresh_token,
        issued,
    })
}

/// Spends the refresh token. A replay revokes its family, and without an outcome it may have: then this node forgets what it
/// held of revocations.
async fn trade(rules: &Rules, place: &Place, step: FamilyUse, now: UnixSeconds) -> Result<Trade, Refusal> {
    let (tokens, node, issuer) = (rules.tokens.clone(), rules.node.clone(), place.issuer.name().clone());
    let only_repeat = step.only_repeat;
    let trade = to_its_end(async move {
        let outcome = tokens.trade_refresh(&issuer, &step, now).await;
        if matches!(outcome, Ok(Trade::Replayed) | Err(StoreError::OutcomeUnknown(_))) {
            node.apply(&issuer, &[Change::Revoked]);
        }
        outcome
    })
    .await?;
    if only_repeat && trade == Trade::Unknown { Err(Refusal::RefreshExpired) } else { Ok(trade) }
}

/// Signs a new access token.
pub(crate) async fn sign(
    rules: &Rules,
    place: &Place,
    wanted: &Wanted<'_>,
    now: UnixSeconds,
) -> Result<Signed, Refusal> {
    let issuer = &place.issuer;
    if place.trust == Trust::Away {
        rules.feed.giving(issuer, wanted.client, now)?;
    }
    let key = issuer.keys.signer(wanted.api.algorithm, &wanted.api.name, now).ok_or_else(|| {
        tracing::error!(issuer = %issuer.name(), api = %wanted.api.name, algorithm = %wanted.api.algorithm, "there is no key that signs by this algorithm: `ficha key rotate` makes one");
        Refusal::Unavailable
    })?;
    let lifetime = wanted.api.token_lifetime.unwrap_or(place.dialect.profile().token_lifetime);
    let scope = wanted.scope.written.clone();
    let id = random_id(rules, wanted.family)?;
    let expires_at = now + lifetime;
    let facts = TokenFacts {
        id: id.clone(),
        issuer: &issuer.iss,
        client: wanted.client.client.id.clone(),
        user: wanted.user.map(|u| u.row.user.sub.clone()),
        audience: wanted.api.audience.clone(),
        scope: &scope,
        issued_at: now,
        expires_at,
        grant: wanted.grant,
        properties: Some(&wanted.client.client.properties),
    };
    let (header, claims) = (key.header(&*place.dialect), place.dialect.claims(&facts));
    let token = rules.sign(&key.signing, header, claims).await?.into();
    Ok(Signed { token, id, scope, issued_at: now, expires_at, key: key.clone() })
}

/// The first refresh token of a family. It needs no row.
async fn first_refresh(
    rules: &Rules,
    place: &Place,
    wanted: &Wanted<'_>,
    (policy, family, now): (&Refresh, &FamilyId, UnixSeconds),
) -> Result<Secret, Refusal> {
    let expires_at = first_expiry(policy, now);
    match policy.form {
        RefreshForm::Sealed => {
            let facts = RefreshFacts {
                client: wanted.client.client.id.clone(),
                user: wanted.user.map(|u| u.row.user.sub.clone()),
                api: wanted.api.name.clone(),
                scope: wanted.scope.set.clone(),
                family: family.clone(),
                step: 0,
                issued_at: now,
                expires_at,
                began_at: now,
                rotates: policy.mode == RefreshMode::Rotate,
            };
            seal(&place.issuer, &facts).ok_or(Refusal::Unavailable)
        }
        RefreshForm::Jwt => {
            let key = place.issuer.keys.refresh_signer(now).ok_or(Refusal::Unavailable)?;
            let facts = TokenFacts {
                id: family.as_str().parse().map_err(|_| Refusal::Unavailable)?,
                issuer: &place.issuer.iss,
                client: wanted.client.client.id.clone(),
                user: wanted.user.map(|u| u.row.user.sub.clone()),
                audience: wanted.api.audience.clone(),
                scope: &wanted.scope.written,
                issued_at: now,
                expires_at,
                grant: wanted.grant,
                properties: Some(&wanted.client.client.properties),
            };
            let endpoint = place.dialect.token_endpoint(&place.issuer.iss);
            let (header, claims) = (key.header(&*place.dialect), place.dialect.refresh_claims(&facts, &endpoint));
            let token = rules.sign(&key.signing, header, claims).await?;
            Ok(Secret::new(token))
        }
    }
}

/// The latest mark that covers a token of that client, API and user.
pub(crate) fn latest_mark(
    place: &Place,
    client: &ClientView,
    api: &Api,
    user: Option<&UserView>,
) -> Option<UnixSeconds> {
    place.issuer.mark.max(client.not_before(&api.name)).max(user.and_then(|u| u.row.mark))
}

/// Now, once the clock has passed every mark that covers what is to be issued: no token is ever dated ahead, and none is born
/// dead.
async fn past_marks(rules: &Rules, place: &Place, proved: &Authorization) -> Result<UnixSeconds, Refusal> {
    let now = rules.clock.now();
    match latest_mark(place, proved.who.view(), &proved.api, proved.user.as_deref()) {
        Some(mark) if now <= mark => {
            let wait = u64::try_from((mark - now).0 + 1).unwrap_or(u64::MAX);
            if wait > rules.limits.mark_wait.as_secs() {
                return Err(Refusal::Busy("not-before"));
            }
            rules.clock.wait_until(mark + Seconds(1)).await;
            Ok(rules.clock.now())
        }
        Some(_) | None => Ok(now),
    }
}

/// Without the store tokens go on for `outage_grace`: then a change may have been missed for too long. Whether it is away.
fn within_grace(rules: &Rules, place: &Place) -> Result<bool, Refusal> {
    let lasts = match place.trust {
        Trust::Away => rules.feed.away_for(),
        // It may be read, and takes no writes.
        Trust::Confirmed(_) => match rules.outage.lasts(|| rules.clock.monotonic()) {
            Some(lasts) => lasts,
            None => return Ok(false),
        },
    };
    let grace = u64::try_from(place.issuer.issuer.outage_grace.0).unwrap_or(0);
    if lasts >= Duration::from_secs(grace) {
        return Err(Refusal::Unavailable);
    }
    metrics().outage_tokens.count(());
    Ok(true)
}

fn left(expires_at: UnixSeconds, now: UnixSeconds) -> Seconds {
    (expires_at - now).max(Seconds(0))
}

fn issued(id: TokenId, proved: &Authorization, (grant, reused): (GrantKind, bool)) -> Issued {
    let secret = match &proved.who {
        Who::Authenticated(client) => Some(client.secret().clone()),
        Who::Identified(_) => None,
    };
    Issued {
        id,
        client: proved.who.view().client.id.clone(),
        user: proved.user.as_ref().map(|u| u.row.user.sub.clone()),
        api: proved.api.name.clone(),
        grant,
        secret,
        reused,
        outage: false,
    }
}

/// A family's id: 6 bytes of time before 10 random ones, as version 7 of UUIDs has it (RFC 9562 §5.7). Families that begin together are
/// refreshed and purged together, and so lie together in the database (decision 17).
fn new_family(rules: &Rules) -> Result<FamilyId, Refusal> {
    let mut bytes = [0; 16];
    let (time, chance) = bytes.split_at_mut(6);
    let [_, _, ms @ ..] = rules.clock.now_ms().0.to_be_bytes();
    time.copy_from_slice(&ms);
    rules.chance.fill(chance);
    URL_SAFE_NO_PAD.encode(bytes).parse().map_err(|_| Refusal::Unavailable)
}

/// A `jti`: 16 random bytes, or 8 behind the family's id.
fn random_id(rules: &Rules, family: Option<&FamilyId>) -> Result<TokenId, Refusal> {
    let mut bytes = [0; 16];
    rules.chance.fill(&mut bytes);
    match family {
        None => URL_SAFE_NO_PAD.encode(bytes).parse(),
        Some(family) => family.token(&URL_SAFE_NO_PAD.encode(bytes.first_chunk::<8>().unwrap_or(&[0; 8]))),
    }
    .map_err(|_| Refusal::Unavailable)
}
