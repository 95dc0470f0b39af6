//! The operations port: `/livez`, `/readyz`, `/metrics`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, Ordering},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use ficha_telemetry::metrics::{MetricsHandle, metrics};

/// Whether this node can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Readiness {
    /// It takes no requests: starting, or going down.
    Unready = 0,
    /// The store does not take writes: only what needs none goes on.
    Degraded = 1,
    /// All of it.
    Ready = 2,
}

/// The readiness of the node, for all who set and ask it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ready(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    readiness: AtomicU8,
    going: AtomicBool,
}

impl Ready {
    /// It is as `to` says, unless it goes down.
    pub(crate) fn change(&self, to: Readiness) {
        self.0.readiness.store(to as u8, Ordering::Release);
        metrics().ready.set((), f64::from(self.get() as u8) / 2.0);
    }

    /// It goes down, and stays unready.
    pub(crate) fn go(&self) {
        self.0.going.store(true, Ordering::Release);
        metrics().ready.set((), 0.0);
    }

    /// Whether it goes down.
    pub(crate) fn is_going(&self) -> bool {
        self.0.going.load(Ordering::Acquire)
    }

    pub(crate) fn get(&self) -> Readiness {
        match self.0.readiness.load(Ordering::Acquire) {
            _ if self.is_going() => Readiness::Unready,
            0 => Readiness::Unready,
            1 => Readiness::Degraded,
            _ => Readiness::Ready,
        }
    }
}

/// The routes of the operations port.
pub(crate) fn router(ready: Ready, exporter: MetricsHandle) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz).with_state(ready))
        .route("/metrics", get(show).with_state(exporter))
}

async fn readyz(State(ready): State<Ready>) -> impl IntoResponse {
    match ready.get() {
        Readiness::Ready => (StatusCode::OK, "ready\n"),
        Readiness::Degraded => (StatusCode::OK, "degraded\n"),
        Readiness::Unready => (StatusCode::SERVICE_UNAVAILABLE, "unready\n"),
    }
}

async fn show(State(exporter): State<MetricsHandle>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], exporter.render())
}
