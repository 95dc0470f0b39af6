//! Where a dialect's endpoints stand below a base URL.

/// What answers at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Endpoint {
    /// The token endpoint (RFC 6749 §3.2).
    #[default]
    Token,
    /// A vendor's own way to revoke.
    VendorRevoke,
    /// RFC 7009.
    Revoke,
    /// RFC 7662.
    Introspect,
    /// The JWK set (RFC 7517 §5).
    Jwks,
    /// RFC 8414.
    Metadata,
    /// The revocation feed.
    Feed,
    /// The keys that sign it.
    FeedJwks,
}

/// The paths of a dialect, each beginning with `/`, no two alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The token endpoint's, the canonical one first.
    pub(super) token: Vec<String>,
    pub(super) vendor_revoke: Vec<String>,
    pub(super) revoke: String,
    pub(super) introspect: String,
    pub(super) jwks: String,
    pub(super) metadata: String,
    pub(super) feed: String,
    pub(super) feed_jwks: String,
}

impl Endpoints {
    /// What answers at `path`, which is the request's without the base URL's prefix; by exact comparison.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<Endpoint> {
        self.paths().find(|(_, there)| *there == path).map(|(endpoint, _)| endpoint)
    }

    /// Every path.
    pub fn paths(&self) -> impl Iterator<Item = (Endpoint, &str)> {
        let token = self.token.iter().map(|p| (Endpoint::Token, p.as_str()));
        let vendor = self.vendor_revoke.iter().map(|p| (Endpoint::VendorRevoke, p.as_str()));
        token.chain(vendor).chain([
            (Endpoint::Revoke, self.revoke.as_str()),
            (Endpoint::Introspect, self.introspect.as_str()),
            (Endpoint::Jwks, self.jwks.as_str()),
            (Endpoint::Metadata, self.metadata.as_str()),
            (Endpoint::Feed, self.feed.as_str()),
            (Endpoint::FeedJwks, self.feed_jwks.as_str()),
        ])
    }

    /// The canonical path of the token endpoint, as in the metadata.
    #[must_use]
    pub fn token(&self) -> &str {
        // The check leaves no dialect without one.
        self.token.first().map_or("", String::as_str)
    }

    /// The path of RFC 7009 revocation.
    #[must_use]
    pub fn revoke(&self) -> &str {
        &self.revoke
    }

    /// The path of RFC 7662 introspection.
    #[must_use]
    pub fn introspect(&self) -> &str {
        &self.introspect
    }

    /// The path of the JWK set.
    #[must_use]
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// The path of the revocation feed.
    #[must_use]
    pub fn feed(&self) -> &str {
        &self.feed
    }

    /// The path of the keys that sign the revocation feed.
    #[must_use]
    pub fn feed_jwks(&self) -> &str {
        &self.feed_jwks
    }

    /// The path of the metadata.
    #[must_use]
    pub fn metadata(&self) -> &str {
        &self.metadata
    }
}
