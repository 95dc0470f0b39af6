//! `ficha gate`: a small process beside a proxy that only checks tokens. It keeps nothing and signs nothing.

use std::{fs, io::Write, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use ficha_config::GateConfig;
use ficha_core::ports::Clock;
use ficha_gate::{Check, Checkable, Gate, Rulebook, Verifying, VerifyingOptions, verifying};
use ficha_telemetry::{LogOptions, logging, metrics, metrics::MetricsHandle};
use ficha_types::Seconds;
use ficha_web::{Listener, Serving, Shutdown, TrustedProxies, wind_down};
use futures_util::future::join_all;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{self, SystemClock},
    commands::gate::GateCommand,
    ops::{self, Readiness, Ready},
    run::Ending,
    serve,
    wire::{self, WrongUse},
};

/// How often it is looked whether tokens can be checked.
const LOOK: Duration = Duration::from_secs(1);
/// How many looks later what the metrics keep is tidied up.
const TIDY: u32 = 5;

/// The options of `ficha gate`.
#[derive(Debug, clap::Args)]
pub(crate) struct GateArgs {
    /// The file of rules. With it no configuration is needed.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) rules: Option<PathBuf>,
    /// Where proxies ask.
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,
    /// Where the operations port is, or `off`.
    #[arg(long, value_name = "ADDR|off")]
    ops: Option<String>,
    /// Root certificates (PEM) that are trusted beside the system's when an issuer is asked.
    #[arg(long, value_name = "FILE")]
    root_ca: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<GateCommand>,
}

impl GateArgs {
    /// The options that were given, under the names of their variables: like those, they stand above the file.
    fn given(&self) -> Vec<(&'static str, String)> {
        let path = |path: &PathBuf| path.display().to_string();
        let mut given = Vec::new();
        given.extend(self.rules.as_ref().map(|rules| ("FICHA_GATE__RULES", path(rules))));
        if !self.listen.is_empty() {
            let all: Vec<_> = self.listen.iter().map(ToString::to_string).collect();
            given.push(("FICHA_GATE__LISTEN", all.join(",")));
        }
        given.extend(self.ops.clone().map(|ops| ("FICHA_GATE__OPS", ops)));
        given.extend(self.root_ca.as_ref().map(|ca| ("FICHA_TOKENS__ROOT_CA", path(ca))));
        given
    }
}

/// Nothing is bound before everything is checked.
pub(crate) async fn gate(args: GateArgs, config: Option<PathBuf>) -> Result<()> {
    let config = wire::load_gate_config(config.as_deref(), &args.given())?;
    let book = load_rules(&config.gate.rules)?;
    let checks = verifying(&book, &options(&config)?).map_err(|problems| WrongUse::of(&problems))?;
    let _log = logging::init(LogOptions {
        filter: config.telemetry.log.clone(),
        format: serve::log_format(config.telemetry.format),
        access: config.telemetry.access_log,
        buffer: config.telemetry.buffer_bytes,
        ..LogOptions::new(clock::wall)
    })?;
    let proxies = TrustedProxies::new(config.gate.trusted_proxies.clone());
    let (shutdown, ops_shutdown) = (Shutdown::new(), Shutdown::new());
    let mut listeners = Vec::new();
    for address in &config.gate.listen {
        listeners.push(Listener::bind(*address, &shutdown)?.with_proxies(proxies.clone()));
    }
    let ops = config.gate.ops.map(|address| Listener::bind(address, &ops_shutdown)).transpose()?;
    let mut bound = Vec::new();
    for listener in listeners.iter().chain(ops.as_ref()) {
        bound.push(listener.local_addr()?.to_string());
    }
    let (ready, exporter, mut ending) = (Ready::default(), metrics::install(), Ending::new()?);
    let verifiers: Vec<Arc<Verifying>> = checks.iter().flatten().cloned().collect();
    let gate = Gate::new(book, checks.into_iter().map(|check| check.map(|c| c as Arc<dyn Check>)).collect(), proxies);
    let mut servings: Vec<Serving> = Vec::new();
    for listener in listeners {
        servings.push(listener.serve(gate.clone())?);
    }
    let ops = ops.map(|listener| listener.serve(ops::router(ready.clone(), exporter.clone()))).transpose()?;
    look(&verifiers, &ready).await;
    let stop = CancellationToken::new();
    let looking = tokio::spawn(keep_looking(verifiers, ready.clone(), exporter, stop.clone()));
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening at {}\nficha is ready", bound.join(", "))?;
    out.flush()?;
    drop(out);
    ending.wait().await;
    stop.cancel();
    let _ = looking.await;
    ready.go();
    if !wind_down(&shutdown, &servings, config.gate.drain_s, config.gate.shutdown_s).await {
        tracing::warn!("some requests took too long and were dropped");
    }
    if let Some(ops) = ops {
        wind_down(&ops_shutdown, std::slice::from_ref(&ops), Duration::ZERO, Duration::ZERO).await;
    }
    Ok(())
}

/// The rules at `path`.
pub(crate) fn load_rules(path: &std::path::Path) -> Result<Rulebook, WrongUse> {
    ficha_gate::rules::load(path).map_err(|problems| WrongUse::of(&problems))
}

fn options(config: &GateConfig) -> Result<VerifyingOptions> {
    let seconds = |span: Duration| Seconds(i64::try_from(span.as_secs()).unwrap_or(i64::MAX));
    let tokens = &config.tokens;
    let read = |path: &PathBuf| {
        let why = |e| WrongUse(format!("[tokens] root_ca: {} cannot be read: {e}", path.display()));
        fs::read(path).map_err(why)
    };
    let clock = SystemClock::new();
    Ok(VerifyingOptions {
        clock: Arc::new(move || clock.now()),
        leeway: seconds(tokens.leeway_s),
        keys_kept_for: seconds(tokens.keys_kept_for_s),
        timeout: tokens.timeout_s,
        feed_stale_for: seconds(tokens.feed_stale_for_s),
        introspection_cache: tokens.introspection_cache_s,
        root_ca: tokens.root_ca.as_ref().map(read).transpose().context("what issuers are trusted by")?,
    })
}

async fn keep_looking(verifiers: Vec<Arc<Verifying>>, ready: Ready, exporter: MetricsHandle, stop: CancellationToken) {
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks: u32 = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        look(&verifiers, &ready).await;
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(TIDY) {
            exporter.run_upkeep();
        }
    }
}

/// Readiness follows the issuers: when no token can be checked, only public rules pass.
async fn look(verifiers: &[Arc<Verifying>], ready: &Ready) {
    let looked = join_all(verifiers.iter().map(|verifier| verifier.look())).await;
    let are = |what: Checkable| looked.iter().filter(|look| **look == what).count();
    let (good, late) = (are(Checkable::Yes), are(Checkable::Late));
    let now = if good == looked.len() {
        Readiness::Ready
    } else if good + late > 0 {
        Readiness::Degraded
    } else {
        Readiness::Unready
    };
    if ready.get() != now {
        tracing::info!(apis = looked.len(), good, late, "tokens can be checked of so many APIs");
    }
    ready.change(now);
}
