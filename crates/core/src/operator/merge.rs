//! What there is and what is declared, made one: what a declaration does not name stays, secrets above all.

use std::collections::HashMap;

use ficha_types::{Algorithm, UnixSeconds};

use super::{
    DeclaredApi, DeclaredClient, DeclaredIssuer, DeclaredSecret, check::MAX_SECRETS, differences::policy_differs,
    sealing::Sealing,
};
use crate::records::{Api, Client, Issuer, RemovedSecrets, SecretOrigin, Status, StoredSecret};

pub(super) fn issuer(declared: &DeclaredIssuer) -> Issuer {
    Issuer {
        name: declared.name.clone(),
        dialect: declared.dialect.clone(),
        places: declared.places.clone(),
        default_api: declared.default_api.clone(),
        allow_loopback_http: declared.allow_loopback_http,
        rsa_bits: declared.rsa_bits,
        password_refusal_after_ms: declared.password_refusal_after_ms,
        max_revocations_per_client: declared.max_revocations_per_client,
        outage_grace: declared.outage_grace,
    }
}

/// `usual` is the dialect's algorithm.
pub(super) fn api(
    declared: &DeclaredApi,
    before: Option<&Api>,
    (sealing, now): (&Sealing, UnixSeconds),
    usual: Algorithm,
) -> Result<Api, String> {
    let held = before.map(|api| Held { secrets: &api.secrets, removed: &api.removed_secrets });
    Ok(Api {
        name: declared.name.clone(),
        audience: declared.audience.clone(),
        scopes: declared.scopes.clone(),
        token_lifetime: declared.token_lifetime,
        longest_lifetime: declared.token_lifetime.max(before.map(|api| api.longest_lifetime)).unwrap_or_default(),
        algorithm: declared.algorithm.unwrap_or(usual),
        format: declared.format,
        secrets: secrets(held, &declared.secrets, declared.name.as_str(), (sealing, now))?,
        removed_secrets: before.map(|api| api.removed_secrets.clone()).unwrap_or_default(),
    })
}

/// The client as declared, with the next policy when that ends its live tokens.
pub(super) fn client(
    declared: &DeclaredClient,
    before: Option<&Client>,
    sealing: (&Sealing, UnixSeconds),
) -> Result<Client, String> {
    let held = before.map(|client| Held { secrets: &client.secrets, removed: &client.removed_secrets });
    let mut after = Client {
        id: declared.id.clone(),
        status: declared.status.or(before.map(|b| b.status)).unwrap_or(Status::Enabled),
        secrets: secrets(held, &declared.secrets, declared.id.as_str(), sealing)?,
        removed_secrets: before.map(|client| client.removed_secrets.clone()).unwrap_or_default(),
        grants: declared.grants.clone(),
        scopes: declared.scopes.clone(),
        auth_methods: declared.auth_methods.clone(),
        refresh_without_secret: declared.refresh_without_secret,
        properties: declared.properties.clone(),
        max_concurrent: declared.max_concurrent,
        max_per_second: declared.max_per_second,
        policy: before.map_or(1, |b| b.policy),
    };
    if before.is_some_and(|before| policy_differs(before, &after)) {
        after.policy += 1;
    }
    Ok(after)
}

/// The secrets that there are, and those that were removed.
#[derive(Clone, Copy)]
struct Held<'r> {
    secrets: &'r [StoredSecret],
    removed: &'r RemovedSecrets,
}

/// What is kept and what is declared, each once; what was removed stays removed. An `Err` says what to mend.
fn secrets(
    held: Option<Held<'_>>,
    declared: &[DeclaredSecret],
    owner: &str,
    (sealing, now): (&Sealing, UnixSeconds),
) -> Result<Vec<StoredSecret>, String> {
    let kept = held.map_or(&[][..], |held| held.secrets);
    let removed = |digest: &[u8; 32]| held.is_some_and(|held| held.removed.holds(digest));
    let mut all = kept.to_vec();
    let known: HashMap<_, _> = kept.iter().map(|s| (s.digest, &s.id)).collect();
    for secret in declared {
        let digest = sealing.digest(owner, &secret.sha256);
        if known.contains_key(&digest) || removed(&digest) {
            continue;
        }
        let id = secret.id.clone().unwrap_or_else(|| id_of(&digest));
        if all.iter().any(|s| s.id == id) {
            return Err(format!("the secret {id} is another one: remove it first, or give the new one another id"));
        }
        let origin = if secret.generated { SecretOrigin::Generated } else { SecretOrigin::Chosen };
        all.push(StoredSecret { id, origin, digest, created_at: now });
    }
    if all.len() > MAX_SECRETS {
        let ids: Vec<_> = kept.iter().map(|s| s.id.as_str()).collect();
        return Err(format!(
            "{owner} has the secrets {} already, and may have two: remove one first (`secret remove`)",
            ids.join(" and ")
        ));
    }
    Ok(all)
}

/// A secret's id when nobody gave one: eight hexadecimal digits of its digest, which is keyed and says nothing of it.
pub(super) fn id_of(digest: &[u8; 32]) -> String {
    let [a, b, c, d, ..] = digest;
    format!("{:08x}", u32::from_be_bytes([*a, *b, *c, *d]))
}
