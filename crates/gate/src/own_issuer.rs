//! Checks within the issuer's own process: what was revoked is refused at once.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use ficha_core::{
    Rules,
    token::{Introspection, look},
    views::{IssuerSlot, Place},
};
use ficha_types::{BaseUrl, ScopeSet};
use ficha_verify::Rejection;
use futures_util::future::BoxFuture;

use crate::{Caller, Check};

/// An API of an issuer that this process serves.
pub struct OwnIssuer {
    rules: Arc<Rules>,
    issuer: Box<str>,
    audience: Box<str>,
    found: ArcSwapOption<Found>,
}

/// Where the issuer is in memory, as of one value of `Node::declared`.
struct Found {
    declared: u64,
    slot: Option<Arc<IssuerSlot>>,
}

impl OwnIssuer {
    /// The API that calls itself `audience`, of the issuer whose tokens say `issuer` in `iss`. Neither needs to be there yet:
    /// they are declared while the server runs, and until then nothing passes.
    #[must_use]
    pub fn new(rules: Arc<Rules>, issuer: &str, audience: &str) -> Self {
        Self { rules, issuer: issuer.into(), audience: audience.into(), found: ArcSwapOption::empty() }
    }

    async fn ask(&self, token: &str, needed: &ScopeSet) -> Result<Caller, Rejection> {
        let place = self.place().await?;
        let Some(api) = place.issuer.api_of(&self.audience).cloned() else {
            tracing::error!(issuer = %self.issuer, audience = %self.audience, "the issuer of a rule has no such API");
            return Err(Rejection::IntrospectionUnavailable);
        };
        let found = look(&self.rules, &place, &api, token).await.map_err(|refusal| {
            tracing::warn!(issuer = %self.issuer, refusal = refusal.code().as_str(), "a token could not be looked up");
            Rejection::IntrospectionUnavailable
        })?;
        let Introspection::Active(token) = found else { return Err(Rejection::Inactive) };
        let held = |scope: &str| token.scope.split(' ').any(|word| word == scope);
        if !needed.iter().all(|scope| held(scope.as_str())) {
            return Err(Rejection::InsufficientScope(needed.clone()));
        }
        Ok(Caller::new(Some(&token.client_id), &token.scope, Some(&token.sub)))
    }

    async fn place(&self) -> Result<Place, Rejection> {
        let unavailable = |_| Rejection::IntrospectionUnavailable;
        let Some(slot) = self.slot().await? else {
            tracing::error!(issuer = %self.issuer, "the issuer of a rule is not declared");
            return Err(Rejection::IntrospectionUnavailable);
        };
        let entered = self.rules.enter(&slot).await.map_err(unavailable)?;
        let entered = entered.filter(|entered| *entered.issuer.iss == *self.issuer);
        let entered = entered.ok_or(Rejection::IntrospectionUnavailable)?;
        let dialect = self.rules.dialects.dialect(&entered.issuer.issuer.dialect);
        Ok(entered.at(slot, dialect.ok_or(Rejection::IntrospectionUnavailable)?))
    }

    async fn slot(&self) -> Result<Option<Arc<IssuerSlot>>, Rejection> {
        let declared = self.rules.node.declared();
        if let Some(found) = &*self.found.load()
            && found.declared == declared
        {
            return Ok(found.slot.clone());
        }
        // What is no base URL is nobody's.
        let url = self.issuer.parse::<BaseUrl>().map(|url| vec![url.written_out()]).unwrap_or_default();
        let places = self.rules.clients.places(&url).await.map_err(|error| {
            tracing::warn!(%error, "the issuer of a rule can't be looked up");
            Rejection::IntrospectionUnavailable
        })?;
        let own = places.iter().map(|place| &place.issuer);
        let mut own = own.filter(|issuer| issuer.canonical().is_some_and(|url| url.as_str() == &*self.issuer));
        let slot = own.next().map(|issuer| self.rules.node.slot(&issuer.name));
        self.found.store(Some(Arc::new(Found { declared, slot: slot.clone() })));
        Ok(slot)
    }
}

impl Check for OwnIssuer {
    fn check<'a>(&'a self, token: &'a str, needed: &'a ScopeSet) -> BoxFuture<'a, Result<Caller, Rejection>> {
        Box::pin(self.ask(token, needed))
    }
}
