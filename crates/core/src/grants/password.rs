//! The grant `password` (RFC 6749 §4.3). RFC 9700 §2.4 advises against it; deployed vendors need it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use ficha_telemetry::metrics::{Limited, metrics};
use ficha_types::{IssuerName, ScopeSet, Secret, Username};

use super::{Authorization, Continues, Granted};
use crate::{
    Refusal,
    client_auth::{AuthenticatedClient, Who},
    ports::UserRow,
    records::Status,
    rules::Rules,
    token::{Caller, Scoped, Target, choose_api, held, narrow},
    views::{Place, UserView},
};

/// What the grant carries.
pub(crate) struct Login {
    pub(crate) username: Option<Username>,
    pub(crate) password: Secret,
    pub(crate) scope: Option<ScopeSet>,
    pub(crate) target: Target,
}

pub(crate) async fn prove(
    rules: &Rules,
    place: &Place,
    caller: &Caller,
    (client, login): (AuthenticatedClient, Login),
) -> Result<Authorization, Refusal> {
    let api = choose_api(&place.issuer, client.view(), &login.target)?.clone();
    let (user, refused_at) = known_user(rules, place, caller, (login.username, login.password)).await?;
    // The user's permissions bound what the client may do in the person's name.
    let own = user.row.user.scopes.get(&api.name).cloned().unwrap_or_default();
    let scope = match narrow(held(client.view(), &api).intersection(&own), login.scope.as_ref()) {
        Ok(scope) => scope,
        Err(refusal) => {
            // Some dialects tell both alike: then the clock must not tell that the password was right.
            rules.clock.wait_monotonic(refused_at).await;
            return Err(refusal);
        }
    };
    Ok(Authorization {
        who: Who::Authenticated(client),
        user: Some(user),
        scope: Granted::Is(Arc::new(Scoped::of(&api, scope))),
        api,
        asked: login.scope,
        continues: Continues::Nothing,
    })
}

/// The user, and when a refusal leaves for which something else is the reason: all leave at one time after the arrival, whatever
/// their reason and whoever exists.
async fn known_user(
    rules: &Rules,
    place: &Place,
    caller: &Caller,
    (name, password): (Option<Username>, Secret),
) -> Result<(Arc<UserView>, Duration), Refusal> {
    let issuer = place.issuer.name();
    let text = name.as_ref().map_or("", Username::as_str);
    let at = (caller.address, caller.arrived);
    within_failures(rules, issuer, text, at)?;
    // The request is whole only now: who sends its body late waits as long, and learns no more by the time of the answer.
    let mut begun = rules.clock.monotonic();
    let delay = rules.guard.user_delay(issuer, text, begun);
    if !delay.is_zero() {
        begun += delay;
        rules.clock.wait_monotonic(begun).await;
    }
    let row = match &name {
        Some(name) => rules.user_by_name(place, name).await?,
        None => None,
    };
    let kept = row.as_ref().map(|r| &r.user.password);
    let copy = Secret::new(password.expose().to_owned());
    let checked = rules.passwords.check(password, kept).await?;
    place.slot.note_hash_ms(u64::try_from(checked.took.as_millis()).unwrap_or(u64::MAX).min(5_000));
    // Others may have failed meanwhile: many guesses at once learn no more than one after the other.
    within_failures(rules, issuer, text, at)?;
    let least = u64::from(place.issuer.issuer.password_refusal_after_ms).max(place.slot.slowest_hash_ms());
    // Behind a long queue it counts from the hash on, or its kind would show.
    let hashed = rules.clock.monotonic().saturating_sub(checked.took);
    let refused_at = begun.max(hashed) + Duration::from_millis(least);
    match row {
        Some(row) if checked.right && row.user.status == Status::Enabled => {
            if checked.outdated {
                upgrade(rules, place, &row, copy).await;
            }
            Ok((Arc::new(UserView { row }), refused_at))
        }
        Some(_) | None => {
            rules.guard.user_failed(issuer, text, at);
            rules.clock.wait_monotonic(refused_at).await;
            Err(Refusal::User)
        }
    }
}

fn within_failures(rules: &Rules, issuer: &IssuerName, name: &str, at: (IpAddr, Duration)) -> Result<(), Refusal> {
    let Some(wait) = rules.guard.user(issuer, name, at) else { return Ok(()) };
    metrics().rate_limited.count(Limited::UserFailures);
    Err(Refusal::TooManyFailures(wait))
}

/// Replaces an imported hash by one of ours while the password is at hand. A login does not fail for it.
async fn upgrade(rules: &Rules, place: &Place, row: &UserRow, password: Secret) {
    let Ok(hash) = rules.passwords.hash(password, &*rules.chance).await else { return };
    if let Err(error) = rules.upgrade_password(place, &row.user, hash).await {
        tracing::warn!(%error, "a password's hash could not be upgraded");
    }
}
