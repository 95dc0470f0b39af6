//! How this API says no, beside what the token's check says.

use axum::{
    Json,
    extract::{
        FromRequest, Request,
        rejection::{JsonRejection, QueryRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use serde_json::json;

/// Why an operation was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such thing.
    NotFound,
    /// The request is of the right form and says something that can't be.
    Invalid(&'static str),
    /// The request is not of its form; status and reason.
    Malformed(StatusCode, String),
    /// No more fits into memory.
    Full,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error, why) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "there is nothing of this id".to_owned()),
            Self::Invalid(why) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", why.to_owned()),
            Self::Malformed(status, why) => (status, "malformed", why),
            Self::Full => (StatusCode::INSUFFICIENT_STORAGE, "full", "this example keeps 1000 of each".to_owned()),
        };
        (status, Json(json!({"error": error, "error_description": why}))).into_response()
    }
}

impl From<QueryRejection> for Refusal {
    fn from(why: QueryRejection) -> Self {
        Self::Malformed(why.status(), why.body_text())
    }
}

/// A body of JSON, or a [`Refusal`] as JSON.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let refused = |why: JsonRejection| Refusal::Malformed(why.status(), why.body_text());
        Json::from_request(request, state).await.map(|Json(body)| Self(body)).map_err(refused)
    }
}
