//! Whose tokens are good.

use ficha_types::ScopeSet;
use ficha_verify::Rejection;
use futures_util::future::BoxFuture;

use crate::Caller;

/// Knows whether a token is good for one API.
pub trait Check: Send + Sync {
    /// Whose request it is, when `token` is good now and holds all of `needed`.
    ///
    /// # Errors
    /// [`Rejection`]: why not. One with status 503 says nothing about the token.
    fn check<'a>(&'a self, token: &'a str, needed: &'a ScopeSet) -> BoxFuture<'a, Result<Caller, Rejection>>;
}
