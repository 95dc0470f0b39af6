//! Which API a request is for, and how much of what is held there it gets.

use std::sync::Arc;

use ficha_types::{ApiName, ScopeSet};

use super::Target;
use crate::{
    Refusal,
    records::Api,
    views::{ClientView, IssuerView},
};

/// The one API that is asked for. `audience` and `resource` (RFC 8707 §2) both name it and must agree; with neither it is the
/// issuer's default, else the client's only one.
///
/// # Errors
/// [`Refusal::UnknownApi`], also for an API that exists but at which the client holds nothing; [`Refusal::ApisDisagree`];
/// [`Refusal::NoApi`].
pub(crate) fn choose_api<'a>(
    issuer: &'a IssuerView,
    client: &ClientView,
    target: &Target,
) -> Result<&'a Arc<Api>, Refusal> {
    let named = match (&target.audience, target.resources.as_slice()) {
        (audience, []) => audience.as_ref(),
        (None, [resource]) => Some(resource),
        (Some(audience), [resource]) if audience == resource => Some(audience),
        (Some(_), [_]) | (_, [_, _, ..]) => return Err(Refusal::ApisDisagree),
    };
    let held = |name: &ApiName| client.client.scopes.contains_key(name);
    let api = match named {
        Some(audience) => issuer.api_of(audience).ok_or(Refusal::UnknownApi)?,
        None => {
            let default = issuer.issuer.default_api.as_ref().filter(|name| held(name));
            let mut all = client.client.scopes.keys();
            let only = match (all.next(), all.next()) {
                (Some(only), None) => Some(only),
                (_, Some(_)) | (None, None) => None,
            };
            default.or(only).and_then(|name| issuer.api(name)).ok_or(Refusal::NoApi)?
        }
    };
    if held(&api.name) { Ok(api) } else { Err(Refusal::UnknownApi) }
}

/// Scopes, and how they are written.
#[derive(Debug)]
pub(crate) struct Scoped {
    pub(crate) set: ScopeSet,
    /// In the order of the API that they are of.
    pub(crate) written: Arc<str>,
}

impl Scoped {
    /// Scopes of `api`.
    pub(crate) fn of(api: &Api, set: ScopeSet) -> Self {
        Self { written: set.in_order_of(&api.scopes).into(), set }
    }
}

/// All that the client holds at `api`, as [`held`], worked out once.
#[must_use]
pub(crate) fn all_held(client: &ClientView, api: &Arc<Api>) -> Arc<Scoped> {
    client.all_held(api, || Scoped::of(api, held(client, api)))
}

/// What the client holds at `api`, of what the API knows today.
#[must_use]
pub(crate) fn held(client: &ClientView, api: &Api) -> ScopeSet {
    let held = client.client.scopes.get(&api.name);
    api.scopes.iter().filter(|s| held.is_some_and(|h| h.contains(s))).cloned().collect()
}

/// What is asked of what is held; all of it when nothing is asked.
///
/// # Errors
/// [`Refusal::Scope`] with the first one that is not held.
pub(crate) fn narrow(held: ScopeSet, asked: Option<&ScopeSet>) -> Result<ScopeSet, Refusal> {
    match asked {
        None => Ok(held),
        Some(asked) => held.grant(asked).map_err(Refusal::Scope),
    }
}
