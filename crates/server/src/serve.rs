//! `ficha serve`: production.

use std::{io::Write, path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use ficha_config::{Config, LogFormat, read_secret_file};
use ficha_core::{revocation_feed::FeedLimits, views::CacheSizes};
use ficha_gate::{Check, Gate, OwnIssuer, Rulebook, rules::Tokens};
use ficha_oauth::FaceOptions;
use ficha_store::{OpenOptions, PostgresOptions};
use ficha_telemetry::{LogOptions, logging};
use ficha_web::{BodyLimits, CertStore, CertificateFiles, Http2Limits, Limits, Listener, Shutdown, TrustedProxies};

use crate::{
    clock, gate, master, run, surroundings,
    wire::{self, Engine, Opener, Opening, Sizes},
};

/// The options of `ficha serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// The configuration file.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
}

/// Nothing is bound before everything is checked.
pub(crate) async fn serve(args: ServeArgs) -> Result<()> {
    let Some(path) = args.config else {
        return Err(wire::WrongUse("a configuration is needed: ficha serve --config ficha.toml (to look around with nothing set up: ficha dev)".into()).into());
    };
    let config = wire::load_config(&path)?;
    let problems = config.check_files();
    if !problems.is_empty() {
        return Err(wire::WrongUse::of(&problems).into());
    }
    let _log = logging::init(LogOptions {
        filter: config.telemetry.log.clone(),
        format: log_format(config.telemetry.format),
        access: config.telemetry.access_log,
        buffer: config.telemetry.buffer_bytes,
        ..LogOptions::new(clock::wall)
    })?;
    let shutdown = Shutdown::new();
    let certificates = certificates(&config)?;
    let book = config.gate.rules.as_deref().map(gate::load_rules).transpose()?;
    let parts = wire::open(opening(&config, Opener::Serve)?).await?;
    let (limits, proxies) = (limits(&config.limits), TrustedProxies::new(config.listen.trusted_proxies.clone()));
    let bind = |address| {
        Ok::<_, std::io::Error>(
            Listener::bind(address, &shutdown)?.with_limits(limits.clone()).with_proxies(proxies.clone()),
        )
    };
    let mut clients = Vec::new();
    for address in &config.listen.https {
        let listener = bind(*address)?;
        clients.push(match &certificates {
            Some(certificates) => listener.with_tls(certificates.clone()),
            None => listener,
        });
    }
    for address in &config.listen.http {
        clients.push(bind(*address)?);
    }
    let ops = config.listen.ops.map(bind).transpose()?;
    let proxies_before_apis = TrustedProxies::new(config.gate.trusted_proxies.clone());
    let mut for_proxies = Vec::new();
    for address in &config.gate.listen {
        for_proxies.push(bind(*address)?.with_proxies(proxies_before_apis.clone()));
    }
    let mut bound = Vec::new();
    for listener in clients.iter().chain(ops.as_ref()).chain(&for_proxies) {
        bound.push(listener.local_addr()?.to_string());
    }
    let plan = run::Plan {
        data: config.store.data.clone(),
        clients,
        ops,
        gate: book.map(|book| (for_proxies, own_gate(&parts, book, proxies_before_apis))),
        others: Vec::new(),
        certificates,
        reload: config.tls.reload_s,
        face: FaceOptions {
            proxies,
            body: body(&config.limits),
            places: config.limits.cached_places,
            feed: feed(&config.limits),
        },
        drain: config.listen.drain_s,
        finish: config.listen.shutdown_s,
        admin: ficha_admin::router(wire::operator(&parts, surroundings::of(&config))),
    };
    let up = || {
        let mut out = std::io::stdout().lock();
        writeln!(out, "listening at {}\nficha is ready", bound.join(", "))?;
        Ok(out.flush()?)
    };
    run::run(&parts, plan, (shutdown, up)).await
}

/// What answers proxies within this process.
fn own_gate(parts: &wire::Parts, book: Rulebook, proxies: TrustedProxies) -> Gate {
    let own = |tokens: &Tokens| {
        Arc::new(OwnIssuer::new(parts.rules.clone(), &tokens.issuer, &tokens.audience)) as Arc<dyn Check>
    };
    let checks = book.apis().iter().map(|api| api.tokens.as_ref().map(own)).collect();
    Gate::new(book, checks, proxies)
}

/// How a line of the log is written.
pub(crate) fn log_format(format: LogFormat) -> ficha_telemetry::Format {
    match format {
        LogFormat::Json => ficha_telemetry::Format::Json,
        LogFormat::Text => ficha_telemetry::Format::Text,
    }
}

/// What a configuration says about opening the store.
pub(crate) fn opening(config: &Config, opener: Opener) -> Result<Opening> {
    Ok(Opening {
        opener,
        data: config.store.data.clone(),
        masters: master::of(&config.keys)?,
        dialects: config.dialects.folder.clone(),
        sizes: sizes(config),
        node: config.cluster.node.clone(),
        store: engine(&config.store)?,
    })
}

fn engine(store: &ficha_config::Store) -> Result<Engine> {
    let url = match (&store.url, &store.url_file) {
        (Some(url), _) => url.clone(),
        (None, Some(path)) => {
            let url = read_secret_file(path).map_err(|e| wire::WrongUse(format!("{}: {e}", path.display())))?;
            url.expose().to_owned()
        }
        (None, None) => {
            let options = OpenOptions { readers: store.readers, queue: store.queue, ..OpenOptions::default() };
            return Ok(Engine::Embedded(options));
        }
    };
    Ok(Engine::Postgres(PostgresOptions {
        direct_url: store.direct_url.clone(),
        root_ca: store.root_ca.clone(),
        pool: store.pool,
        queue: store.queue,
        prepared: store.prepared,
        ..PostgresOptions::new(&url)
    }))
}

fn sizes(config: &Config) -> Sizes {
    let limits = &config.limits;
    let seconds = |span: std::time::Duration| ficha_types::Seconds(i64::try_from(span.as_secs()).unwrap_or(i64::MAX));
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let or = |n: usize, otherwise: usize| if n == 0 { otherwise } else { n };
    Sizes {
        caches: CacheSizes { clients: limits.cached_clients, users: limits.cached_users },
        introspections: limits.cached_introspections,
        failures: limits.failure_counters,
        signing: (or(limits.signing_threads, cores), limits.signing_queue),
        // A hash takes tens of milliseconds: a core without one answers what takes microseconds.
        hashing: (or(limits.hashing_threads, (cores - 1).max(1)), limits.hashing_queue),
        rules: ficha_core::Limits {
            mark_wait: limits.mark_wait_s,
            verifier_leeway: seconds(limits.verifier_leeway_s),
            max_clock_skew: seconds(config.cluster.max_clock_skew_s),
        },
    }
}

fn certificates(config: &Config) -> Result<Option<Arc<CertStore>>> {
    if config.listen.https.is_empty() {
        return Ok(None);
    }
    Ok(Some(CertStore::load(certificate_files(config), clock::wall()).context("[tls] certificates")?))
}

/// The files of the certificates.
pub(crate) fn certificate_files(config: &Config) -> Vec<CertificateFiles> {
    let files = config.tls.certificates.iter();
    files.map(|c| CertificateFiles { chain: c.cert.clone(), key: c.key.clone() }).collect()
}

fn body(limits: &ficha_config::Limits) -> BodyLimits {
    BodyLimits { bytes: limits.body_bytes, within: limits.body_timeout_s, ..BodyLimits::default() }
}

fn feed(limits: &ficha_config::Limits) -> FeedLimits {
    FeedLimits { followers: limits.feed_followers, followers_per_api: limits.feed_followers_per_api }
}

fn limits(limits: &ficha_config::Limits) -> Limits {
    Limits {
        connections: limits.connections,
        connections_per_address: limits.connections_per_address,
        handshake: limits.handshake_timeout_s,
        header_read: limits.header_timeout_s,
        header_bytes: limits.header_bytes,
        idle: limits.idle_timeout_s,
        request: limits.request_timeout_s,
        answer_taken: limits.answer_timeout_s,
        requests_per_connection: limits.requests_per_connection,
        http2: Http2Limits { concurrent_streams: limits.http2_streams, ..Http2Limits::default() },
    }
}
