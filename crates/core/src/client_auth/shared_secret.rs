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
    let mut views = Vec::with_capacity(readings.len());
    for reading in &readings {
        views.push(find(rules, place, &reading.id).await?);
    }
    let owned = views.iter().map(|view| view.as_ref().map_or(&[][..], |v| v.client.secrets.as_slice()));
    let Some((at, n)) = prove(rules, place, caller, (&readings, &owned.collect::<Vec<_>>()))? else {
        let known = views.iter().any(Option::is_some);
        return Err(Refusal::Client(if known { ClientFailure::WrongSecret } else { ClientFailure::Unknown }));
    };
    let view = views.into_iter().nth(at).flatten().ok_or(Refusal::Client(ClientFailure::Unknown))?;
    let view = enabled(view)?;
    if !may_use(place, &view, method) {
        return Err(Refusal::Client(ClientFailure::Method));
    }
    let secret = view.secret_ids.get(n).cloned().ok_or(Refusal::Client(ClientFailure::WrongSecret))?;
    let now = rules.clock.now();
    if view.first_use_in_hour(n, now) {
        rules.secret_uses.note(place.issuer.name(), (view.client.id.as_str(), &secret), now);
    }
    Ok(AuthenticatedClient { view, secret })
}

/// An API that proves one of its own secrets, for introspection and the feed: by name in Basic, guarded like a client.
///
/// # Errors
/// [`Refusal::NoCredentials`], [`Refusal::Client`], [`Refusal::TooManyFailures`].
pub(crate) fn authenticate_api(
    rules: &Rules,
    place: &Place,
    caller: &Caller,
    credentials: &Credentials,
) -> Result<Arc<Api>, Refusal> {
    prove_api(rules, place, caller, credentials).map(|(api, _)| api)
}

/// As [`authenticate_api`]; says too which of its secrets it proved.
pub(crate) fn prove_api(
    rules: &Rules,
    place: &Place,
    caller: &Caller,
    credentials: &Credentials,
) -> Result<(Arc<Api>, usize), Refusal> {
    let readings = match credentials {
        Credentials::None => return Err(Refusal::NoCredentials),
        Credentials::Id(_) => return Err(Refusal::Client(ClientFailure::NoSecret)),
        Credentials::Secret { readings, .. } => readings,
    };
    let api = |reading: &Reading| place.issuer.apis.iter().find(|a| a.name.as_str() == reading.id);
    let owned: Vec<_> = readings.iter().map(|r| api(r).map_or(&[][..], |a| a.secrets.as_slice())).collect();
    let proved = prove(rules, place, caller, (readings, &owned))?;
    let refused = Refusal::Client(ClientFailure::WrongSecret);
    let Some((api, n)) = proved.and_then(|(at, n)| Some((api(readings.get(at)?)?, n))) else { return Err(refused) };
    if let Some(secret) = api.secrets.get(n) {
        rules.secret_uses.note(place.issuer.name(), (api.name.as_str(), &secret.id), rules.clock.now());
    }
    Ok((api.clone(), n))
}

/// Which reading holds which of the secrets that are `owned` under its id: their places; a failure is counted. A generated one
/// can't be guessed: it is checked first, in every reading, and a right one is never kept waiting. Whatever else comes from an
/// address that has used up its failures is answered 429 before the check, for a name that does not exist too.
fn prove(
    rules: &Rules,
    place: &Place,
    caller: &Caller,
    (readings, owned): (&[Reading], &[&[StoredSecret]]),
) -> Result<Option<(usize, usize)>, Refusal> {
    let (issuer, from) = (place.issuer.name(), (caller.address, caller.arrived));
    let digest = |r: &Reading| place.issuer.secret_digest(&r.id, &sha256(r.secret.expose().as_bytes()));
    let digests: Vec<_> = readings.iter().map(digest).collect();
    let find = |origin| {
        let mut each = digests.iter().zip(owned).enumerate();
        each.find_map(|(at, (digest, secrets))| Some((at, held(secrets, digest, origin)?)))
    };
    if let Some(found) = find(SecretOrigin::Generated) {
        return Ok(Some(found));
    }
    if let Some(wait) = failed_names(readings).filter_map(|name| rules.guard.client(issuer, name, from)).max() {
        metrics().rate_limited.count(Limited::ClientFailures);
        return Err(Refusal::TooManyFailures(wait));
    }
    let found = find(SecretOrigin::Chosen);
    if found.is_none() {
        for name in failed_names(readings) {
            rules.guard.client_failed(issuer, name, from);
        }
    }
    Ok(found)
}

/// Which of `secrets` has that digest and origin; all are looked at, whichever it is.
fn held(secrets: &[StoredSecret], digest: &[u8; 32], origin: SecretOrigin) -> Option<usize> {
    let mut found = None;
    for (n, secret) in secrets.iter().enumerate() {
        if constant_time_eq(&secret.digest, digest) && secret.origin == origin {
            found = Some(n);
        }
    }
    found
}

/// The names to count a failure for, each once: two readings of one header are one attempt.
fn failed_names(readings: &[Reading]) -> impl Iterator<Item = &str> {
    let first = readings.first().map(|r| r.id.as_str());
    first.into_iter().chain(readings.iter().skip(1).map(|r| r.id.as_str()).filter(move |id| Some(*id) != first))
}
