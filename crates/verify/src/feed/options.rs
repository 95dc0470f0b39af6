//! How the feed is followed.

use std::{fmt, sync::Arc};

use ficha_types::{ScopeSet, Seconds, Secret};

/// Time for which tokens pass while the feed is not fresh.
const USUAL_STALE: Seconds = Seconds::minutes(5);
/// The longest such time that may be set.
pub(crate) const LONGEST_STALE: Seconds = Seconds::hours(24);

/// How the issuer's revocation feed is followed: as whom, and what happens while it can't be.
///
/// The feed is **fresh** while it is known to be complete up to three seconds ago. When it is not, tokens that are not
/// known to be revoked pass for [`allow_stale_for`](Self::allow_stale_for), except for the scopes of
/// [`refuse_at_once`](Self::refuse_at_once); then every token is answered 503 until the feed is fresh again. A verifier
/// that has just started is no exception: see [`Verifier::ready`](crate::Verifier::ready).
#[derive(Clone)]
#[must_use]
pub struct FeedOptions {
    pub(crate) who: Who,
    pub(crate) at: Option<(String, String)>,
    pub(crate) stale_for: Seconds,
    pub(crate) at_once: ScopeSet,
}

/// As whom the feed is asked for.
#[derive(Clone)]
pub(crate) enum Who {
    Api(Arc<str>, Arc<Secret>),
    Bearer(Arc<dyn Fn() -> Secret + Send + Sync>),
}

impl FeedOptions {
    /// Follows as the API of this name with this secret, those of introspection.
    pub fn with_secret(api_name: &str, secret: impl Into<Secret>) -> Self {
        Self::of(Who::Api(api_name.into(), Arc::new(secret.into())))
    }

    /// Follows with an access token for this API that has the scope `ficha:revocations`; `token` is asked for one at each
    /// connection.
    pub fn with_token(token: impl Fn() -> Secret + Send + Sync + 'static) -> Self {
        Self::of(Who::Bearer(Arc::new(token)))
    }

    /// The URLs of the feed and of its key set, `https` or on loopback, instead of looking them up in the issuer's metadata
    /// (`revocation_feed_endpoint`, `revocation_feed_jwks_uri`).
    pub fn at(mut self, feed_url: &str, jwks_url: &str) -> Self {
        self.at = Some((feed_url.to_owned(), jwks_url.to_owned()));
        self
    }

    /// How long tokens pass while the feed is not fresh: 0 to 24 h, 5 min without this.
    pub fn allow_stale_for(mut self, span: Seconds) -> Self {
        self.stale_for = span;
        self
    }

    /// Scopes that are not given while the feed is not fresh:
    /// [`Claims::require`](crate::Claims::require) answers [`RevocationsUnavailable`](crate::Rejection::RevocationsUnavailable),
    /// and [`Claims::scopes`](crate::Claims::scopes) leaves them out.
    pub fn refuse_at_once(mut self, scopes: ScopeSet) -> Self {
        self.at_once = scopes;
        self
    }

    fn of(who: Who) -> Self {
        let (stale_for, at_once) = (USUAL_STALE, ScopeSet::default());
        Self { who, at: None, stale_for, at_once }
    }
}

impl fmt::Debug for FeedOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeedOptions")
            .field("allow_stale_for", &self.stale_for)
            .field("refuse_at_once", &self.at_once)
            .finish_non_exhaustive()
    }
}
