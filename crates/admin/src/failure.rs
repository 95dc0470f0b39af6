//! Refusals as they are answered.

use axum::{
    Json,
    extract::{MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use ficha_core::{
    operator::{OperatorError, Problem},
    ports::StoreError,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A word for programs: `not_found`, `refused`, `declaration`, `conflict`, `busy`, `unavailable`, `malformed`.
    pub error: String,
    /// What is wrong, for a person.
    pub message: String,
    /// What to do about it; empty when the message says all.
    pub hint: String,
    /// What is wrong with a declaration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// A refusal on its way out.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    body: ErrorBody,
}

impl Failure {
    /// The request is not of its grammar.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message.into(), String::new())
    }

    /// Nothing is there, or nothing that takes this method.
    pub(crate) fn no_route(status: StatusCode) -> Self {
        let hint = "the command and the server may be of different versions".to_owned();
        Self::new(status, "not_found", "there is no such route".into(), hint)
    }

    /// A fault of this program.
    pub(crate) fn fault(message: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", message.into(), String::new())
    }

    /// What is answered by `action` within a body that was begun already, without its status; a failure of ours is logged.
    pub(crate) fn into_body(self, action: &str) -> ErrorBody {
        if let Some(cause) = self.cause() {
            cause.log(action);
        }
        self.body
    }

    /// Why it failed, where that is ours.
    fn cause(&self) -> Option<Cause> {
        self.status.is_server_error().then(|| Cause(self.body.message.clone()))
    }

    fn new(status: StatusCode, error: &str, message: String, hint: String) -> Self {
        Self { status, body: ErrorBody { error: error.to_owned(), message, hint, problems: Vec::new() } }
    }
}

impl From<OperatorError> for Failure {
    fn from(error: OperatorError) -> Self {
        let (status, code) = match &error {
            OperatorError::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found"),
            OperatorError::Refused { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "refused"),
            OperatorError::Declaration(_) => (StatusCode::UNPROCESSABLE_ENTITY, "declaration"),
            OperatorError::Contended | OperatorError::Store(StoreError::Conflict(_)) => {
                (StatusCode::CONFLICT, "conflict")
            }
            OperatorError::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            OperatorError::Store(StoreError::Unreachable(_) | StoreError::OutcomeUnknown(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
            OperatorError::Keys(_) => (StatusCode::INTERNAL_SERVER_ERROR, "keys"),
        };
        let mut failure = Self::new(status, code, error.to_string(), error.hint());
        if let OperatorError::Declaration(problems) = error {
            failure.body.problems = problems;
        }
        failure
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let cause = self.cause();
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(cause) = cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

/// Why a request failed that should not have; travels beside the answer to where it is logged.
#[derive(Debug, Clone)]
struct Cause(String);

impl Cause {
    fn log(&self, action: &str) {
        tracing::error!(error = %self.0, action, "a request of administration failed");
    }
}

/// Logs a failure of ours once, with the method and the route that were asked for.
pub(crate) async fn log(path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let response = next.run(request).await;
    if let Some(cause) = response.extensions().get::<Cause>() {
        cause.log(&format!("{method} {}", path.as_ref().map_or("", MatchedPath::as_str)));
    }
    response
}
