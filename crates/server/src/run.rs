//! Serving: the listeners, the administration socket, the upkeep, and going down in good order.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use axum::Router;
use ficha_gate::Gate;
use ficha_oauth::{Face, FaceOptions};
use ficha_telemetry::metrics;
use ficha_web::{CertStore, Listener, Serving, Shutdown, wind_down};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    admin_socket::AdminSocket,
    clock,
    ops::{self, Ready},
    upkeep, wire,
};

/// What is served.
pub(crate) struct Plan {
    /// The data folder, for the administration socket.
    pub(crate) data: PathBuf,
    /// The bound listeners for clients, with TLS where they have it.
    pub(crate) clients: Vec<Listener>,
    /// The bound listener of the operations port.
    pub(crate) ops: Option<Listener>,
    /// The bound listeners for proxies, and what answers them.
    pub(crate) gate: Option<(Vec<Listener>, Gate)>,
    /// Further listeners with what they serve: the example API of `dev`.
    pub(crate) others: Vec<(Listener, Router)>,
    /// The certificates, to be reloaded when their files change.
    pub(crate) certificates: Option<Arc<CertStore>>,
    /// How often to look at those files.
    pub(crate) reload: Duration,
    /// What the face for clients is told.
    pub(crate) face: FaceOptions,
    /// How long to go on serving once told to stop.
    pub(crate) drain: Duration,
    /// How long what was begun may take after that.
    pub(crate) finish: Duration,
    /// The routes for administrators.
    pub(crate) admin: Router,
}

/// Serves until SIGTERM or SIGINT; `up` is called once everything answers.
pub(crate) async fn run(
    parts: &wire::Parts,
    plan: Plan,
    (shutdown, up): (Shutdown, impl FnOnce() -> Result<()>),
) -> Result<()> {
    let stop = CancellationToken::new();
    let (ready, exporter) = (Ready::default(), metrics::install());
    let mut ending = Ending::new()?;
    let face = Face::new(parts.rules.clone(), parts.dialects.clone(), plan.face);
    let socket = AdminSocket::bind(&plan.data)
        .with_context(|| format!("the administration socket in {}", plan.data.display()))?;
    let mut servings: Vec<Serving> = Vec::new();
    for listener in plan.clients {
        servings.push(listener.serve(face.clone())?);
    }
    if let Some((listeners, gate)) = plan.gate {
        for listener in listeners {
            servings.push(listener.serve(gate.clone())?);
        }
    }
    for (listener, router) in plan.others {
        servings.push(listener.serve(router)?);
    }
    // The operations port answers to the end: who watches must see that the node goes down.
    let ops_shutdown = Shutdown::new();
    let ops = plan.ops.map(|l| l.serve(ops::router(ready.clone(), exporter.clone()))).transpose()?;
    let admin = tokio::spawn(socket.serve(plan.admin, stop.clone()));
    let upkeep = tokio::spawn(upkeep::run((parts.rules.clone(), face.clone()), ready.clone(), exporter, stop.clone()));
    if let Some(certificates) = plan.certificates {
        tokio::spawn(certificates.keep_current(plan.reload, clock::wall, shutdown.clone()));
    }
    let follow = tokio::spawn({
        let rules = parts.rules.clone();
        async move { rules.feed.follow(&rules).await }
    });
    let ends_early = tokio::select! {
        () = upkeep::until_ready(&parts.rules, &ready) => false,
        () = ending.wait() => true,
    };
    if !ends_early {
        up()?;
        ending.wait().await;
    }
    tracing::info!(drain_s = plan.drain.as_secs(), "going down: unready now, what was begun is finished");
    ready.go();
    face.close_feeds().await;
    if !wind_down(&shutdown, &servings, plan.drain, plan.finish).await {
        tracing::warn!("some requests took too long and were dropped");
    }
    stop.cancel();
    let _ = admin.await;
    let _ = upkeep.await;
    follow.abort();
    if let Some(ops) = ops {
        wind_down(&ops_shutdown, std::slice::from_ref(&ops), Duration::ZERO, Duration::ZERO).await;
    }
    Ok(())
}

/// The signals that end a server.
pub(crate) struct Ending {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Ending {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
