//! A shared secret, by Basic or in the body.

use std::sync::Arc;

use ficha_jose::{constant_time_eq, sha256};
use ficha_telemetry::metrics::{Limited, metrics};
use ficha_types::AuthMethod;

use super::{AuthenticatedClient, enabled, find, may_use};
use crate::{
    Refusal,
    records::{Api, SecretOrigin, StoredSecret},
    refusal::ClientFailure,
    rules::Rules,
    token::{Caller, Credentials, Reading},
    views::Place,
};

pub(super) async fn authenticate(
    rules: &Rules,
    place: &Place,
    caller: &Caller,
    (method, readings): (AuthMethod, Vec<Reading>),
) -> Result<AuthenticatedClient, Refusal> {
    let mut failure = ClientFailure::Unknown;
    for reading in &readings {
        let view = find(rules, place, &reading.id).await?;
        let secrets = view.as_ref().map_or(&[][..], |v| &v.client.secrets);
        let matched = prove(rules, place, caller, reading, secrets)?;
        match (view, matched) {
            (Some(view), Some(n)) => {
                let view = enabled(view)?;
                if !may_use(place, &view, method) {
                    return Err(Refusal::Client(ClientFailure::Method));
                }
                let secret = view.secret_ids.get(n).cloned().ok_or(Refusal::Client(ClientFailure::WrongSecret))?;
                let now = rules.clock.now();
                if view.first_use_in_hour(n, now) {
                    rules.secret_uses.note(place.issuer.name(), (view.client.id.as_str(), &secret), now);
                }
                return Ok(AuthenticatedClient { view, secret });
            }
            (Some(_), None) => failure = ClientFailure::WrongSecret,
            (None, _) => {}
        }
    }
    for name in failed_names(&readings) {
        rules.guard.client_failed(place.issuer.name(), name, (caller.address, caller.arrived));
    }
    Err(Refusal::Client(failure))
}

/// An API that proves one of its own secrets, for introspection: by name in Basic, guarded like a client.
///
/// # Errors
/// [`Refusal::NoCredentials`], [`Refusal::Client`], [`Refusal::TooManyFailures`].
pub(crate) fn authenticate_api(
    rules: &Rules,
    place: &Place,
    caller: &Caller,
    credentials: &Credentials,
) -> Result<Arc<Api>, Refusal> {
    let readings = match credentials {
        Credentials::None => return Err(Refusal::NoCredentials),
        Credentials::Id(_) => return Err(Refusal::Client(ClientFailure::NoSecret)),
        Credentials::Secret { readings, .. } => readings,
    };
    for reading in readings {
        let api = place.issuer.apis.iter().find(|a| a.name.as_str() == reading.id);
        let secrets = api.map_or(&[][..], |a| &a.secrets);
        if let (Some(n), Some(api)) = (prove(rules, place, caller, reading, secrets)?, api) {
            if let Some(secret) = api.secrets.get(n) {
                rules.secret_uses.note(place.issuer.name(), (api.name.as_str(), &secret.id), rules.clock.now());
            }
            return Ok(api.clone());
        }
    }
    for name in failed_names(readings) {
        rules.guard.client_failed(place.issuer.name(), name, (caller.address, caller.arrived));
    }
    Err(Refusal::Client(ClientFailure::WrongSecret))
}

/// Which of `secrets` the reading holds. A generated one can't be guessed: it is checked first, and a right one is never kept
/// waiting. Whatever else comes from an address that has used up its failures is answered 429 before the check, for a name that
/// does not exist too.
fn prove(
    rules: &Rules,
    place: &Place,
    caller: &Caller,
    reading: &Reading,
    secrets: &[StoredSecret],
) -> Result<Option<usize>, Refusal> {
    let digest = place.issuer.secret_digest(&reading.id, &sha256(reading.secret.expose().as_bytes()));
    let find = |origin| {
        let mut found = None;
        for (n, secret) in secrets.iter().enumerate() {
            if constant_time_eq(&secret.digest, &digest) && secret.origin == origin {
                found = Some(n);
            }
        }
        found
    };
    if let Some(n) = find(SecretOrigin::Generated) {
        return Ok(Some(n));
    }
    if let Some(wait) = rules.guard.client(place.issuer.name(), &reading.id, (caller.address, caller.arrived)) {
        metrics().rate_limited.count(Limited::ClientFailures);
        return Err(Refusal::TooManyFailures(wait));
    }
    Ok(find(SecretOrigin::Chosen))
}

/// The names to count a failure for, each once: two readings of one header are one attempt.
fn failed_names(readings: &[Reading]) -> impl Iterator<Item = &str> {
    let first = readings.first().map(|r| r.id.as_str());
    first.into_iter().chain(readings.iter().skip(1).map(|r| r.id.as_str()).filter(move |id| Some(*id) != first))
}
