//! Where the keys are: given, or found through the issuer's metadata.

use serde::Deserialize;
use url::Url;

use crate::fetch::{Endpoint, FetchError, Fetcher};

/// Where a key set is.
pub(crate) enum KeysAt {
    /// At this URL.
    Given(Endpoint),
    /// Where the issuer's metadata says.
    Discovered(Discovery),
}

/// The places where an issuer's metadata may be.
pub(crate) struct Discovery {
    issuer: Box<str>,
    /// RFC 8414 §3.1, then OpenID Connect Discovery §4.
    places: [Endpoint; 2],
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
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

    /// Where the issuer says that its keys are.
    pub(crate) async fn find(&self, fetcher: &Fetcher) -> Result<Endpoint, FetchError> {
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
        Endpoint::parse(&metadata.jwks_uri).map_err(|why| answer.unusable(format!("its jwks_uri is refused: {why}")))
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
