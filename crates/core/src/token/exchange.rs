//! The one pipeline: every grant goes through the same phases.

use ficha_telemetry::metrics::{Limited, metrics};
use ficha_types::Seconds;

use super::{Caller, GrantRequest, TokenAnswer, TokenRequest, issue::issue};
use crate::{
    Refusal,
    client_auth::{Who, authenticate, identify},
    grants::{client_credentials, password, refresh_token},
    rules::Rules,
    views::Place,
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
    let who = match &request.grant {
        GrantRequest::RefreshToken { .. } => identify(rules, place, caller, request.who).await?,
        GrantRequest::ClientCredentials { .. } | GrantRequest::Password { .. } => {
            Who::Authenticated(authenticate(rules, place, caller, request.who).await?)
        }
    };
    let client = who.view().clone();
    let _under_way = client.begin().ok_or_else(|| too_many(Limited::ClientConcurrency))?;
    if !client.within_rate(caller.arrived) {
        return Err(too_many(Limited::ClientRate));
    }
    if !client.client.grants.contains(&kind) {
        return Err(Refusal::GrantNotAllowed(kind));
    }
    let proved = match (request.grant, who) {
        (GrantRequest::ClientCredentials { scope, target }, Who::Authenticated(client)) => {
            client_credentials::prove(place, client, (scope, target))?
        }
        (GrantRequest::Password { username, password, scope, target }, Who::Authenticated(client)) => {
            let login = password::Login { username, password, scope, target };
            password::prove(rules, place, caller, (client, login)).await?
        }
        (GrantRequest::RefreshToken { token, scope, target }, who) => {
            refresh_token::prove(rules, place, (who, refresh_token::Refreshing { token, scope, target })).await?
        }
        (GrantRequest::ClientCredentials { .. } | GrantRequest::Password { .. }, Who::Identified(_)) => {
            return Err(Refusal::Client(crate::ClientFailure::NoSecret));
        }
    };
    issue(rules, place, (kind, proved)).await
}

fn too_many(what: Limited) -> Refusal {
    metrics().rate_limited.count(what);
    Refusal::TooMany(Seconds(1))
}
