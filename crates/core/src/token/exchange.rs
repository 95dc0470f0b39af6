//! The one pipeline: every grant goes through the same phases.

use ficha_telemetry::metrics::{Limited, metrics};
use ficha_types::Seconds;

use super::{Caller, GrantRequest, TokenAnswer, TokenRequest, issue::issue};
use crate::{
    Refusal,
    client_auth::{Who, authenticate, identify},
    feed::Trust,
    grants::{client_credentials, password, refresh_token},
    passwords::is_outdated,
    records::User,
    rules::Rules,
    views::{ClientView, Place, UnderWay, UserView},
};

/// Answers a token request: authenticates the client, lets the grant prove, issues.
///
/// # Errors
/// The [`Refusal`], to be rendered as the dialect says.
pub async fn exchange(
    rules: &Rules,
    place: &Place,
    caller: &Caller,
    request: TokenRequest,
) -> Result<TokenAnswer, Refusal> {
    let kind = request.grant.kind();
    // Without the store a client goes on for itself, and nobody else.
    if !matches!(request.grant, GrantRequest::ClientCredentials { .. }) {
        place.trust.confirmed()?;
    }
    let who = match &request.grant {
        GrantRequest::RefreshToken { .. } => identify(rules, place, caller, request.who).await?,
        GrantRequest::ClientCredentials { .. } | GrantRequest::Password { .. } => {
            Who::Authenticated(authenticate(rules, place, caller, request.who).await?)
        }
    };
    let client = who.view().clone();
    // The id alone proves nothing: what strangers send in a client's name uses up none of its rate.
    let mut under_way = match &who {
        Who::Authenticated(_) => Some(counted(caller, &client)?),
        Who::Identified(_) => None,
    };
    if !client.client.grants.contains(&kind) {
        return Err(Refusal::GrantNotAllowed(kind));
    }
    let proved = match (request.grant, who) {
        (GrantRequest::ClientCredentials { scope, target }, Who::Authenticated(client)) => {
            client_credentials::prove(place, client, (scope, target))?
        }
        (GrantRequest::Password { username, password, scope, target }, Who::Authenticated(client)) => {
            let login = password::Login { username, password, scope, target };
            // Boxed: beside a hash that is nothing, and every request would carry its place.
            Box::pin(password::prove(rules, place, caller, (client, login))).await?
        }
        (GrantRequest::RefreshToken { token, scope, target }, who) => {
            refresh_token::prove(rules, place, (who, refresh_token::Refreshing { token, scope, target })).await?
        }
        (GrantRequest::ClientCredentials { .. } | GrantRequest::Password { .. }, Who::Identified(_)) => {
            return Err(Refusal::Client(crate::ClientFailure::NoSecret));
        }
    };
    if under_way.is_none() {
        under_way = Some(counted(caller, &client)?);
    }
    let user = proved.user.clone();
    let answer = issue(rules, place, (kind, proved)).await?;
    // What took long may rest on what is out of date by now: a node that stood still must not hand it out when it goes on.
    if matches!(place.trust, Trust::Confirmed(_)) && !rules.feed.holds(place.trust) {
        still_so(rules, place, &answer).await?;
    }
    if place.slot.epoch() != place.epoch {
        unchanged(rules, place, (&client, user.as_deref())).await?;
    }
    drop(under_way);
    Ok(answer)
}

/// Counts a request of `client` in, within its rate and its number of concurrent requests.
pub(crate) fn counted(caller: &Caller, client: &ClientView) -> Result<UnderWay, Refusal> {
    let under_way = client.begin().ok_or_else(|| too_many(Limited::ClientConcurrency))?;
    if client.within_rate(caller.arrived) { Ok(under_way) } else { Err(too_many(Limited::ClientRate)) }
}

/// Confirms the place in the feed anew: a live token that was found in memory may have been replaced or revoked meanwhile.
async fn still_so(rules: &Rules, place: &Place, answer: &TokenAnswer) -> Result<(), Refusal> {
    // Without the store what was spent is spent, and what was found right was so when it was.
    let Ok(Trust::Confirmed(_)) = rules.feed.trust(&rules.node, &place.slot).await else { return Ok(()) };
    if !answer.issued.reused {
        return Ok(());
    }
    let client = rules.node.client(&place.slot, &answer.issued.client).await?;
    let live = client.and_then(|client| client.live(|entry| (entry.id == answer.issued.id).then_some(())));
    live.ok_or(Refusal::Busy("changed meanwhile"))
}

/// Whether client and user are as they were when the request began: a token may wait for a hash, a signature or a mark, and
/// must not be given out for what was disabled, removed or changed meanwhile. A mark that the client got counts by itself.
async fn unchanged(
    rules: &Rules,
    place: &Place,
    (client, user): (&ClientView, Option<&UserView>),
) -> Result<(), Refusal> {
    let now = rules.node.client(&place.slot, &client.client.id).await?;
    let mut same = now.is_some_and(|now| now.client == client.client);
    if let Some(UserView { row: before }) = user {
        let now = rules.node.user(&place.slot, &before.user.sub).await?;
        // A login upgrades an outdated hash, and that is no change of the password.
        let same_password = |now: &User| now.password == before.user.password || is_outdated(&before.user.password);
        same &= now.is_some_and(|now| {
            let (user, mark) = (&now.row.user, now.row.mark);
            mark == before.mark
                && (user.status, &user.scopes) == (before.user.status, &before.user.scopes)
                && same_password(user)
        });
    }
    if same { Ok(()) } else { Err(Refusal::Busy("changed meanwhile")) }
}

fn too_many(what: Limited) -> Refusal {
    metrics().rate_limited.count(what);
    Refusal::TooMany(Seconds(1))
}
