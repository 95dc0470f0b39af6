//! What answers the requests of a listener.

use std::future::Future;

use axum::{Router, response::Response};
use http::Request;
use hyper::body::Incoming;
use tower::ServiceExt;

use crate::Arrival;

/// Answers requests; cheap to clone. It is no `tower::Service`, whose futures have names: one that waits for the store would have
/// to be boxed for each request.
pub trait Answering: Clone + Send + 'static {
    /// The answer to a request that came as `arrival` tells.
    fn answer(self, request: Request<Incoming>, arrival: Arrival) -> impl Future<Output = Response> + Send + 'static;
}

/// Handlers of a router find the [`Arrival`] among the request's extensions.
impl Answering for Router {
    fn answer(
        self,
        mut request: Request<Incoming>,
        arrival: Arrival,
    ) -> impl Future<Output = Response> + Send + 'static {
        request.extensions_mut().insert(arrival);
        let answered = self.oneshot(request);
        async { answered.await.unwrap_or_else(|never| match never {}) }
    }
}
