//! Taking tokens back: one token (RFC 7009), a family, or everything issued until now.

use ficha_telemetry::metrics::metrics;
use ficha_types::{ApiName, FamilyId, IssuerName, Seconds, TokenId, UnixSeconds};

use super::{Caller, Target, choose_api, counted, read::read_access_token, read_refresh_token};
use crate::{
    Refusal,
    client_auth::AuthenticatedClient,
    operator::slots::{dialects, longest_lifetime},
    ports::{FamilyUse, MarkSet, Revocation, TokenRevoked},
    records::{Mark, Marked},
    rules::Rules,
    views::{Change, Place},
};

/// What was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// One access token.
    Token(TokenId),
    /// A family of refresh tokens and every access token beside them.
    Family(FamilyId),
    /// Everything of the client at an API that was issued until then.
    AtApi(ApiName, UnixSeconds),
    /// Nothing: no token of this client (RFC 7009 §2.2: that is no error).
    Nothing,
}

/// Revokes the client's own token. `token_type_hint` is not needed: what it is shows itself.
///
/// # Errors
/// [`Refusal::TooMany`], [`Refusal::Unavailable`].
pub async fn revoke_token(
    rules: &Rules,
    place: &Place,
    (caller, client): (&Caller, &AuthenticatedClient),
    token: &str,
) -> Result<Revoked, Refusal> {
    place.trust.confirmed()?;
    let _under_way = counted(caller, client.view())?;
    let id = &client.view().client.id;
    let (issuer, now) = (place.issuer.name(), rules.clock.now());
    if let Some(facts) = read_refresh_token(place, &*rules.dialects, token) {
        if facts.client != *id || facts.expires_at <= now {
            return Ok(Revoked::Nothing);
        }
        let ends =
            place.dialect.profile().refresh.as_ref().map_or(facts.expires_at, |r| facts.began_at + r.family_lifetime);
        let longest = longest_lifetime(place.issuer.apis.iter().map(|a| &**a), &dialects(rules, &place.issuer.issuer));
        let family = FamilyUse {
            family: facts.family.clone(),
            client: facts.client,
            user: facts.user,
            api: facts.api,
            step: facts.step,
            retry_window: Seconds(0),
            only_repeat: false,
            keep_until: ends.max(facts.expires_at).max(now + longest) + rules.limits.verifier_leeway,
        };
        let (tokens, whose) = (rules.tokens.clone(), issuer.clone());
        let step = async move { tokens.revoke_family(&whose, &family, now).await };
        let change = rules.write((issuer, vec![Change::Revoked]), step).await?;
        rules.feed.settled(&place.slot, change).await;
        return Ok(Revoked::Family(facts.family));
    }
    let Some(read) = read_access_token(place, &*rules.dialects, token) else { return Ok(Revoked::Nothing) };
    if read.facts.client != *id || read.facts.expires_at <= now {
        return Ok(Revoked::Nothing);
    }
    let revocation = Revocation {
        id: read.facts.id.clone(),
        client: Some(id.clone()),
        api: Some(read.api.name.clone()),
        issued_at: read.facts.issued_at,
        until: read.facts.expires_at + rules.limits.verifier_leeway,
    };
    revoke(rules, place, revocation, now).await?;
    Ok(Revoked::Token(read.facts.id))
}

/// Writes a revocation, lets this node know, and waits for the others.
async fn revoke(rules: &Rules, place: &Place, revocation: Revocation, now: UnixSeconds) -> Result<(), Refusal> {
    let (issuer, bound) = (place.issuer.name(), place.issuer.issuer.max_revocations_per_client);
    // It may be a live token. Whose is not known always: then every live token in memory is looked up again.
    let client = revocation.client.clone();
    let holder = client.clone().map_or(Change::Issuer, Change::Client);
    let (tokens, whose) = (rules.tokens.clone(), issuer.clone());
    let step = async move { tokens.revoke_token(&whose, &revocation, now, bound).await };
    let TokenRevoked { folded, change } = rules.write((issuer, vec![holder, Change::Revoked]), step).await?;
    if folded > 0 {
        metrics().revocations_folded.add((), folded);
        tracing::warn!(%issuer, client = client.as_ref().map(tracing::field::display), folded,
            "the oldest revocations of a client became a not-before mark: it has more standing ones than max_revocations_per_client");
    }
    rules.feed.settled(&place.slot, change).await;
    Ok(())
}

/// Revokes everything of the client at one API: a not-before mark.
///
/// # Errors
/// [`Refusal::UnknownApi`] and its kin, [`Refusal::Unavailable`].
pub async fn revoke_at_api(
    rules: &Rules,
    place: &Place,
    (caller, client): (&Caller, &AuthenticatedClient),
    target: &Target,
) -> Result<Revoked, Refusal> {
    place.trust.confirmed()?;
    let _under_way = counted(caller, client.view())?;
    let api = choose_api(&place.issuer, client.view(), target)?;
    let whose = Marked::ClientAtApi(client.view().client.id.clone(), api.name.clone());
    let mark = set_mark(rules, place.issuer.name(), whose).await?;
    Ok(Revoked::AtApi(api.name.clone(), mark))
}

/// "Everything issued until now is dead": sets the mark, lets this node know, and waits for the others. Answers the mark.
///
/// # Errors
/// [`Refusal::Unavailable`].
pub async fn set_mark(rules: &Rules, issuer: &IssuerName, whose: Marked) -> Result<UnixSeconds, Refusal> {
    let now = rules.clock.now();
    let mark = Mark { whose, at: now + rules.limits.max_clock_skew };
    let changes = vec![Change::of_mark(&mark)];
    let (tokens, of) = (rules.tokens.clone(), issuer.clone());
    let step = async move { tokens.mark(&of, &mark, now).await };
    let MarkSet { at, change } = rules.write((issuer, changes), step).await?;
    rules.feed.settled(&rules.node.slot(issuer), change).await;
    Ok(at)
}
