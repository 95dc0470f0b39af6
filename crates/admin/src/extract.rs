//! What is taken out of a request: who asks, names in the path, a page, a body.

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::request::Parts,
};
use ficha_core::{operator::Actor, ports::Page};
use serde::{Deserialize, de::DeserializeOwned};

use crate::Failure;

/// Who administers, as whoever serves the routes has found out. Without that nothing is done: no act goes without a name.
pub(crate) struct Who(pub(crate) Actor);

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let actor = parts.extensions.get::<Actor>().cloned();
        actor.map(Self).ok_or_else(|| Failure::fault("it is not known who asks"))
    }
}

/// The names in the path.
pub(crate) struct Named<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(names)| Self(names)).map_err(|e| Failure::malformed(e.body_text()))
    }
}

/// `?after=NAME&limit=N`: 100 rows when no number is given.
pub(crate) struct Paged(pub(crate) Page);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    #[serde(default)]
    after: String,
    limit: Option<u32>,
}

impl<S: Send + Sync> FromRequestParts<S> for Paged {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let query = Query::<PageQuery>::from_request_parts(parts, state).await;
        let Query(PageQuery { after, limit }) = query.map_err(|e| Failure::malformed(e.body_text()))?;
        match limit.unwrap_or(100) {
            limit @ 1..=1000 => Ok(Self(Page { after, limit })),
            _ => Err(Failure::malformed("limit: expected 1 to 1000")),
        }
    }
}

/// The body as JSON. What is wrong with it is told by its place alone: it may hold a password.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let bytes = bytes::Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|e| Failure::malformed(e.body_text()))?;
        serde_json::from_slice(&bytes).map(Self).map_err(|e| {
            Failure::malformed(format!(
                "the body is not what this route takes (line {}, column {})",
                e.line(),
                e.column()
            ))
        })
    }
}
