//! Where the keys are: given, or found through the issuer's metadata.

use serde::Deserialize;
use url::Url;

use crate::fetch::{Endpoint, FetchError, Fetcher};

/// Where a key set is.
pub(crate) enum KeysAt {
    /// At this URL.
    Given(Endpoint),
    /// Where the issuer's metadata says.
    Discovered(Discovery, Place),
}

/// What is looked for in an issuer's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The keys that sign tokens.
    Keys,
    /// The stream of revocations.
    Feed,
    /// The keys that sign it.
    FeedKeys,
}

/// The places where an issuer's metadata may be.
#[derive(Clone)]
pub(crate) struct Discovery {
    issuer: Box<str>,
    /// RFC 8414 §3.1, then OpenID Connect Discovery §4.
    places: [Endpoint; 2],
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Option<String>,
    revocation_feed_endpoint: Option<String>,
    revocation_feed_jwks_uri: Option<String>,
}

impl Discovery {
    /// Where the metadata of `issuer` may be, or what is wrong with it as a URL.
    pub(crate) fn of(issuer: &str) -> Result<Self, &'static str> {
        let url = Endpoint::parse(issuer)?.url().clone();
        if url.query().is_some() {
            return Err("an issuer with a query has no metadata");
        }
        let path = url.path().trim_end_matches('/').to_owned();
        let at = |path: String| {
            let mut url: Url = url.clone();
            url.set_path(&path);
            Endpoint::from_url(url)
        };
        let places = [
            at(format!("/.well-known/oauth-authorization-server{path}"))?,
            at(format!("{path}/.well-known/openid-configuration"))?,
        ];
        Ok(Self { issuer: issuer.into(), places })
    }

    /// The place that is asked first.
    pub(crate) fn first(&self) -> &Endpoint {
        let [first, _] = &self.places;
        first
    }

    /// Where the issuer says that `place` is.
    pub(crate) async fn find(&self, fetcher: &Fetcher, place: Place) -> Result<Endpoint, FetchError> {
        let [first, second] = &self.places;
        let answer = match fetcher.get(first).await {
            // It is there, and has no such page: perhaps it speaks OpenID Connect only.
            Err(FetchError::Status(_, status)) if status.is_client_error() => fetcher.get(second).await,
            other => other,
        }?;
        let metadata: Metadata = answer.json()?;
        // RFC 8414 §3.3: otherwise one issuer could speak for another.
        if metadata.issuer != *self.issuer {
            return Err(
                answer.unusable(format!("it is the metadata of {:?}, not of {:?}", metadata.issuer, self.issuer))
            );
        }
        let (name, url) = match place {
            Place::Keys => ("jwks_uri", metadata.jwks_uri),
            Place::Feed => ("revocation_feed_endpoint", metadata.revocation_feed_endpoint),
            Place::FeedKeys => ("revocation_feed_jwks_uri", metadata.revocation_feed_jwks_uri),
        };
        let url = url.ok_or_else(|| answer.unusable(format!("it has no {name}")))?;
        Endpoint::parse(&url).map_err(|why| answer.unusable(format!("its {name} is refused: {why}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(issuer: &str) -> [String; 2] {
        Discovery::of(issuer).unwrap().places.map(|place| place.url().to_string())
    }

    #[test]
    fn metadata_is_looked_for_where_the_standards_put_it() {
        assert_eq!(
            places("https://a.example"),
            [
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            places("https://a.example:8443/pomelo/"),
            [
                "https://a.example:8443/.well-known/oauth-authorization-server/pomelo",
                "https://a.example:8443/pomelo/.well-known/openid-configuration",
            ]
        );
    }

    #[test]
    fn an_issuer_that_is_no_url_has_no_metadata() {
        for bad in ["accounts", "http://a.example", "https://a.example?x=y"] {
            assert!(Discovery::of(bad).is_err(), "{bad}");
        }
    }
}
