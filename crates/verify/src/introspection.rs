//! Asking the issuer about each token (RFC 7662): for opaque ones, for HS256, and where a revocation counts at once.

use ficha_types::Secret;
use serde_json::{Map, Value};
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    Rejection,
    fetch::{Endpoint, FetchError, Fetcher},
    strict,
};

/// Questions under way at a time; further ones wait, as long as a question may take.
const MAX_AT_ONCE: usize = 256;

/// The issuer's introspection endpoint, and this API's name and secret there.
pub(crate) struct Introspection {
    at: Endpoint,
    name: Box<str>,
    secret: Secret,
    fetcher: Fetcher,
    turns: Semaphore,
}

impl Introspection {
    pub(crate) fn new(at: Endpoint, name: Box<str>, secret: Secret, fetcher: Fetcher) -> Self {
        Self { at, name, secret, fetcher, turns: Semaphore::new(MAX_AT_ONCE) }
    }

    /// What the issuer says about `token` when it is active.
    pub(crate) async fn ask(&self, token: &str) -> Result<Map<String, Value>, Rejection> {
        let members = self.answer(token).await.map_err(|why| {
            tracing::warn!(error = %why, "the issuer could not be asked about a token");
            Rejection::IntrospectionUnavailable
        })?;
        match members.get("active") {
            Some(Value::Bool(true)) => Ok(members),
            _ => Err(Rejection::Inactive),
        }
    }

    async fn answer(&self, token: &str) -> Result<Map<String, Value>, Failure> {
        let Ok(Ok(_turn)) = timeout(self.fetcher.timeout(), self.turns.acquire()).await else {
            return Err(Failure::Busy);
        };
        let form = [("token", token), ("token_type_hint", "access_token")];
        let answer = self.fetcher.post(&self.at, (&self.name, self.secret.expose()), &form).await?;
        strict::members(&answer.body).ok_or_else(|| answer.unusable("its answer is no JSON object".into()).into())
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{MAX_AT_ONCE} questions are under way, and none has ended")]
    Busy,
    #[error(transparent)]
    Fetch(#[from] FetchError),
}
