//! The token endpoint (RFC 6749 §3.2).

use ficha_core::{ErrorCode, Refusal, token::exchange};
use ficha_telemetry::metrics::{Grant, Issued, Outcome, metrics};
use ficha_types::GrantKind;

use super::{Issuance, Told};
use crate::{
    dialect::{Answer, Asked, Endpoint, Sent},
    face::Call,
};

#[tracing::instrument(level = "debug", skip_all, fields(issuer = %call.place.issuer.name(), dialect = %call.place.dialect.name()))]
pub(crate) async fn token(call: &Call<'_>) -> (Answer, Told) {
    let sent = Sent { query: call.parts.uri.query(), headers: &call.parts.headers, body: call.body };
    let (request, asked) = match call.dialect.parse_token(sent) {
        Ok(read) => read,
        Err(refused) => return refuse(call, &refused.refusal, refused.asked),
    };
    let answer = match exchange(call.rules, call.place, &call.caller, request).await {
        Ok(answer) => answer,
        Err(refusal) => return refuse(call, &refusal, asked),
    };
    metrics().token_answers.count((label(asked.grant), Outcome::Issued));
    metrics().tokens_issued.count(if answer.issued.reused { Issued::Reused } else { Issued::Fresh });
    let rendered = call.dialect.render_token(&answer);
    let issuance = Issuance { dialect: call.place.dialect.name().clone(), token: answer.issued, scope: answer.scope };
    (rendered, Told::Issued(Box::new(issuance)))
}

fn refuse(call: &Call<'_>, refusal: &Refusal, asked: Asked) -> (Answer, Told) {
    count_refused(Endpoint::Token, asked.grant, refusal);
    (call.dialect.render_refusal(refusal, asked), Told::refused(refusal))
}

/// Counts a refusal, under the grant's own outcome at the token endpoint.
pub(crate) fn count_refused(endpoint: Endpoint, grant: Option<GrantKind>, refusal: &Refusal) {
    if endpoint == Endpoint::Token {
        metrics().token_answers.count((label(grant), outcome(refusal)));
    }
}

fn outcome(refusal: &Refusal) -> Outcome {
    match (refusal, refusal.code()) {
        (Refusal::Insecure, _) => Outcome::Insecure,
        (Refusal::TooMany(_) | Refusal::TooManyFailures(_), _) => Outcome::TooMany,
        (_, ErrorCode::InvalidRequest | ErrorCode::UnsupportedTokenType) => Outcome::InvalidRequest,
        (_, ErrorCode::InvalidClient) => Outcome::InvalidClient,
        (_, ErrorCode::InvalidGrant) => Outcome::InvalidGrant,
        (_, ErrorCode::InvalidScope) => Outcome::InvalidScope,
        (_, ErrorCode::InvalidTarget) => Outcome::InvalidTarget,
        (_, ErrorCode::UnauthorizedClient) => Outcome::UnauthorizedClient,
        (_, ErrorCode::UnsupportedGrantType) => Outcome::UnsupportedGrantType,
        (_, ErrorCode::TemporarilyUnavailable) => Outcome::Unavailable,
    }
}

fn label(grant: Option<GrantKind>) -> Grant {
    match grant {
        Some(GrantKind::ClientCredentials) => Grant::ClientCredentials,
        Some(GrantKind::Password) => Grant::Password,
        Some(GrantKind::RefreshToken) => Grant::RefreshToken,
        None => Grant::Unknown,
    }
}
