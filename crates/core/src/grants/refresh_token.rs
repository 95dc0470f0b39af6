//! The grant `refresh_token` (RFC 6749 §6): checks client, user, status and scopes anew.

use std::sync::Arc;

use ficha_types::{ScopeSet, Secret, Subject};

use super::{Authorization, Continues, Granted};
use crate::{
    Refusal,
    client_auth::Who,
    ports::Standing,
    records::{Api, Status},
    rules::Rules,
    token::{Scoped, Spent, Target, all_held, latest_mark, narrow, read_refresh_token},
    views::{ClientView, Place, UserView},
};

/// What the grant carries.
pub(crate) struct Refreshing {
    pub(crate) token: Secret,
    pub(crate) scope: Option<ScopeSet>,
    pub(crate) target: Target,
}

pub(crate) async fn prove(
    rules: &Rules,
    place: &Place,
    (who, asked): (Who, Refreshing),
) -> Result<Authorization, Refusal> {
    let now = rules.clock.now();
    let facts = read_refresh_token(place, &*rules.dialects, asked.token.expose()).ok_or(Refusal::RefreshUnknown)?;
    if facts.client != who.view().client.id {
        return Err(Refusal::RefreshUnknown);
    }
    // A rotating one may have been used in time, and this be the retry.
    if facts.expires_at <= now && !facts.rotates {
        return Err(Refusal::RefreshExpired);
    }
    let api = place.issuer.api(&facts.api).cloned().ok_or(Refusal::RefreshRevoked)?;
    target_agrees(&api, &asked.target)?;
    let user = match &facts.user {
        Some(sub) => Some(enabled_user(rules, place, sub).await?),
        None => None,
    };
    if latest_mark(place, who.view(), &api, user.as_deref()).is_some_and(|mark| facts.issued_at <= mark) {
        return Err(Refusal::RefreshRevoked);
    }
    let scope = scope_today(who.view(), user.as_deref(), &api, (&facts.scope, asked.scope.as_ref()))?;
    let continues = if facts.rotates {
        let spend = Spent::of(place, &facts, now).ok_or(Refusal::RefreshExpired)?;
        Continues::Rotating { spent: Box::new(facts), spend }
    } else {
        match rules.tokens.family_standing(place.issuer.name(), &facts.family).await? {
            Standing::Good => Continues::Kept { family: facts.family, token: asked.token },
            Standing::Revoked => return Err(Refusal::RefreshRevoked),
        }
    };
    Ok(Authorization { who, user, api, asked: asked.scope, scope: Granted::Is(scope), continues })
}

async fn enabled_user(rules: &Rules, place: &Place, sub: &Subject) -> Result<Arc<UserView>, Refusal> {
    let user = rules.node.user(&place.slot, sub).await?.ok_or(Refusal::RefreshRevoked)?;
    match user.row.user.status {
        Status::Enabled => Ok(user),
        Status::Disabled => Err(Refusal::RefreshRevoked),
    }
}

/// A refresh may repeat the API of the first answer, and name no other.
fn target_agrees(api: &Api, target: &Target) -> Result<(), Refusal> {
    let named = target.audience.iter().chain(&target.resources);
    // RFC 8707 §2 allows several; here it is one API a token.
    if target.resources.len() < 2 && named.into_iter().all(|name| name == api.audience.as_str()) {
        Ok(())
    } else {
        Err(Refusal::ApisDisagree)
    }
}

/// Part of the first answer's scope (RFC 6749 §6), of what client and user still hold.
fn scope_today(
    client: &ClientView,
    user: Option<&UserView>,
    api: &Arc<Api>,
    (first, asked): (&ScopeSet, Option<&ScopeSet>),
) -> Result<Arc<Scoped>, Refusal> {
    if !client.client.scopes.contains_key(&api.name) {
        return Err(Refusal::RefreshRevoked);
    }
    let held = all_held(client, api);
    if user.is_none() && asked.is_none() && *first == held.set {
        return Ok(held);
    }
    let mut today = held.set.intersection(first);
    if let Some(user) = user {
        today = today.intersection(&user.row.user.scopes.get(&api.name).cloned().unwrap_or_default());
    }
    Ok(Arc::new(Scoped::of(api, narrow(today, asked)?)))
}
