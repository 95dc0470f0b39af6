//! A shared secret, by Basic or in the body.

use std::{cell::OnceCell, sync::Arc};

use ficha_jose::{constant_time_eq, sha256};
use ficha_telemetry::metrics::{Limited, metrics};
use ficha_types::AuthMethod;

use super::{AuthenticatedClient, enabled, find, may_use};
use crate::{
    Refusal,
    feed::Trust,
    guard::{Guard, Owner},
    records::{Api, SecretOrigin, StoredSecret},
    refusal::ClientFailure,
    rules::Rules,
    token::{Caller, Credentials, Reading},
    views::{Place, SecretMemory},
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
    let owned = |at: usize| {
        let view = views.get(at)?.as_ref()?;
        Some(Owned { secrets: &view.client.secrets, memory: &view.secrets })
    };
    let Some((at, n)) = prove(rules, place, caller, (&readings, Owner::Client, owned))? else {
        let known = views.iter().any(Option::is_some);
        return Err(Refusal::Client(if known { ClientFailure::WrongSecret } else { ClientFailure::Unknown }));
    };
    let view = views.into_iter().nth(at).flatten().ok_or(Refusal::Client(ClientFailure::Unknown))?;
    let view = enabled(view)?;
    if !may_use(place, &view, method) {
        return Err(Refusal::Client(ClientFailure::Method));
    }
    let secret = view.secrets.id(n).cloned().ok_or(Refusal::Client(ClientFailure::WrongSecret))?;
    note_use(rules, place, (view.client.id.as_str(), &view.secrets), n);
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
    let api = |at: usize| place.issuer.api_with_secrets(&readings.get(at)?.id);
    let owned = |at| api(at).map(|(api, memory)| Owned { secrets: &api.secrets, memory });
    let proved = prove(rules, place, caller, (readings, Owner::Api, owned))?;
    let refused = Refusal::Client(ClientFailure::WrongSecret);
    let Some(((api, memory), n)) = proved.and_then(|(at, n)| Some((api(at)?, n))) else { return Err(refused) };
    note_use(rules, place, (api.name.as_str(), memory), n);
    Ok((api.clone(), n))
}

/// Notes that the `n`th secret of `owner` was used, once in an hour.
fn note_use(rules: &Rules, place: &Place, (owner, memory): (&str, &SecretMemory), n: usize) {
    let now = rules.clock.now();
    if memory.first_use_in_hour(n, now)
        && let Some(id) = memory.id(n)
    {
        rules.secret_uses.note(place.issuer.name(), (owner, id), now);
    }
}

/// The secrets of a client or an API, and what is remembered of them.
#[derive(Clone, Copy)]
struct Owned<'a> {
    secrets: &'a [StoredSecret],
    memory: &'a SecretMemory,
}

/// A secret that was presented, and those that it may be.
struct Presented<'a> {
    sha256: [u8; 32],
    /// Worked out when it is needed: not for a secret that was proved before.
    digest: OnceCell<[u8; 32]>,
    owned: Option<Owned<'a>>,
}

/// Which reading holds which of the secrets that are `owned` under its id: their places; a failure is counted. A generated one
/// can't be guessed: it is checked first, in every reading, and a right one is never kept waiting. Whatever else comes from an
/// address that has used up its failures is answered 429 before the check, for a name that does not exist too.
fn prove<'a>(
    rules: &Rules,
    place: &Place,
    caller: &Caller,
    (readings, kind, owned): (&[Reading], Owner, impl Fn(usize) -> Option<Owned<'a>>),
) -> Result<Option<(usize, usize)>, Refusal> {
    let (issuer, from) = (place.issuer.name(), (caller.address, caller.arrived));
    let presented = |(at, reading): (usize, &Reading)| Presented {
        sha256: sha256(reading.secret.expose().as_bytes()),
        digest: OnceCell::new(),
        owned: owned(at),
    };
    let presented: Vec<_> = readings.iter().enumerate().map(presented).collect();
    let find = |origin| {
        let mut each = readings.iter().zip(&presented).enumerate();
        each.find_map(|(at, (reading, presented))| Some((at, held(place, (reading, presented), origin)?)))
    };
    if let Some(found) = find(SecretOrigin::Generated) {
        return Ok(Some(found));
    }
    if let Some(wait) = failed_names(readings).filter_map(|name| rules.guard.client(issuer, (kind, name), from)).max() {
        metrics().rate_limited.count(Limited::ClientFailures);
        return Err(Refusal::TooManyFailures(wait));
    }
    // Without the store a wrong secret may be a new one: whose it is must not wait for it afterwards.
    let away = place.trust == Trust::Away;
    if away && failed_names(readings).any(|name| rules.guard.unsure(issuer, (kind, name), from)) {
        return Err(Refusal::Unavailable);
    }
    let found = find(SecretOrigin::Chosen);
    if found.is_none() {
        let count = if away { Guard::was_unsure } else { Guard::client_failed };
        failed_names(readings).for_each(|name| count(&rules.guard, issuer, (kind, name), from));
    }
    Ok(found)
}

/// Which of the owned secrets it is, if that has the origin; all are looked at, whichever it is. One that does not exist is
/// digested as well: that takes as long.
fn held(place: &Place, (reading, presented): (&Reading, &Presented<'_>), origin: SecretOrigin) -> Option<usize> {
    let is = |secret: &StoredSecret| secret.origin == origin;
    if let Some(Owned { secrets, memory }) = presented.owned
        && let Some(n) = memory.proved(&presented.sha256)
    {
        return secrets.get(n).is_some_and(is).then_some(n);
    }
    let digest = presented.digest.get_or_init(|| place.issuer.secret_digest(&reading.id, &presented.sha256));
    let Owned { secrets, memory } = presented.owned?;
    let mut found = None;
    for (n, secret) in secrets.iter().enumerate() {
        if constant_time_eq(&secret.digest, digest) && is(secret) {
            found = Some(n);
        }
    }
    found.inspect(|n| memory.note_proof(*n, &presented.sha256))
}

/// The names to count a failure for, each once: two readings of one header are one attempt.
fn failed_names(readings: &[Reading]) -> impl Iterator<Item = &str> {
    let first = readings.first().map(|r| r.id.as_str());
    first.into_iter().chain(readings.iter().skip(1).map(|r| r.id.as_str()).filter(move |id| Some(*id) != first))
}
