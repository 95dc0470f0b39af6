//! Checks access tokens.

use std::{fmt, sync::Arc};

use ficha_jose::jws;

use crate::{
    Builder, Claims, FeedStatus, Rejection, Revocations,
    asked::Asked,
    clock::Clocks,
    feed::Feed,
    rules::Rules,
    signed::{Common, Keys, Signed},
};

/// Checks access tokens of one issuer for one API. A clone shares everything.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) rules: Rules,
    pub(crate) source: Source,
    pub(crate) clocks: Clocks,
    pub(crate) revocations: Option<Revocations>,
    pub(crate) feed: Option<Arc<Feed>>,
}

/// Where the word about a token comes from.
pub(crate) enum Source {
    Signed(Signed),
    Asked(Asked),
}

impl Verifier {
    /// Begins a verifier for tokens that say `issuer` in `iss`, and `audience` in `aud` (alone or in a list): both exactly.
    pub fn builder(issuer: &str, audience: &str) -> Builder {
        Builder::new(issuer.to_owned(), audience.to_owned())
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// What `token` says, when it is an access token of the issuer for this API that is valid now.
    ///
    /// # Errors
    /// [`Rejection`]: why not. [`Rejection::KeysUnavailable`], [`Rejection::IntrospectionUnavailable`] and
    /// [`Rejection::RevocationsUnavailable`] say nothing about the token.
    pub async fn verify(&self, token: &str) -> Result<Claims, Rejection> {
        if token.len() > jws::MAX_BYTES {
            return Err(Rejection::TooLong);
        }
        let Inner { rules, source, clocks, revocations, feed } = &*self.0;
        let common = Common { rules, revocations: revocations.as_ref(), clocks };
        let claims = match source {
            Source::Signed(signed) => signed.claims(token, common).await?,
            Source::Asked(asked) => asked.claims(token, feed.as_deref(), common).await?,
        };
        if let (Some(known), Some(traits)) = (revocations, claims.traits()) {
            known.check(traits)?;
        }
        match (feed, source) {
            (Some(feed), Source::Signed(_)) => feed.admit(claims),
            // Who was asked just now knows of every revocation.
            (Some(_), Source::Asked(_)) | (None, _) => Ok(claims),
        }
    }

    /// Has what it needs to check tokens: fetches the keys when there are none, and waits for the first revocations when
    /// the feed is followed. Worth a call before a server is ready; a verifier that was never asked fetches with the first
    /// token.
    ///
    /// # Errors
    /// [`Rejection::KeysUnavailable`], [`Rejection::RevocationsUnavailable`].
    pub async fn ready(&self) -> Result<(), Rejection> {
        if let Source::Signed(Signed { keys: Keys::Fetched(cache), .. }) = &self.0.source {
            cache.current().await?;
        }
        match &self.0.feed {
            Some(feed) => feed.ready().await,
            None => Ok(()),
        }
    }

    /// How the revocation feed is being followed; none when it is not.
    #[must_use]
    pub fn feed_status(&self) -> Option<FeedStatus> {
        self.0.feed.as_ref().map(|feed| feed.status())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(feed) = &self.feed {
            feed.stop();
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rules { issuer, audience, .. } = &self.0.rules;
        f.debug_struct("Verifier").field("issuer", issuer).field("audience", audience).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use ficha_jose::{JwkSet, SigningKey, jws};
    use ficha_types::{Algorithm, UnixSeconds};

    use super::*;

    fn kept(verifier: &Verifier) -> usize {
        match &verifier.0.source {
            Source::Signed(signed) => signed.seen.len(),
            Source::Asked(asked) => asked.answers.len(),
        }
    }

    #[tokio::test]
    async fn a_flood_of_bad_tokens_leaves_nothing_behind() {
        let (key, _) = SigningKey::generate(Algorithm::EdDsa, 2048).unwrap();
        let (forger, _) = SigningKey::generate(Algorithm::EdDsa, 2048).unwrap();
        let set = JwkSet::new(vec![key.public_jwk("k").unwrap()]);
        let verifier = Verifier::builder("i", "a").keys(set).clock(|| UnixSeconds(100)).build().unwrap();
        let token = |n: u32, kid: &str, exp: u32, key| {
            let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#);
            let claims = format!(r#"{{"iss":"i","aud":"a","exp":{exp},"jti":"{n}"}}"#);
            jws::compact(header.as_bytes(), claims.as_bytes(), key).unwrap()
        };
        for n in 0..1000 {
            let bad = [
                format!("{n}"),
                token(n, &n.to_string(), 200, &key),
                token(n, "k", 200, &forger),
                token(n, "k", 70, &key),
                token(n, "k", 200, &key) + "A",
            ];
            for bad in bad {
                assert!(verifier.verify(&bad).await.is_err(), "{bad}");
            }
        }
        assert_eq!(kept(&verifier), 0);
        assert!(verifier.verify(&token(1, "k", 200, &key)).await.is_ok());
        assert_eq!(kept(&verifier), 1);
    }
}
