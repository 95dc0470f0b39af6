//! `ficha dev`: everything at once with nothing set up.

use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use ficha_core::operator::{Actor, Operator, Surroundings};
use ficha_oauth::FaceOptions;
use ficha_telemetry::{LogOptions, logging};
use ficha_verify::{FeedOptions, Transport, Verifier};
use ficha_web::{Arrival, CertStore, CertificateFiles, Listener, Shutdown};

use crate::{
    clock,
    dev_certificates::{self, CA, CHAIN, KEY},
    master, run, serve,
    wire::{self, Opener},
};

/// The demo issuers, with `{https}` and `{http}` for the ports.
const DEMO: &str = include_str!("../demo/issuers.toml");
/// What is printed once everything answers.
const WELCOME: &str = include_str!("../demo/welcome.txt");
/// The issuer and the audience that the example API trusts.
const EXAMPLE: (&str, &str) = ("pomelo", "https://auth-dev.pomelo.la");
/// Its name and the secret by which it follows the revocation feed; public, as everything of the demo.
const EXAMPLE_SECRET: (&str, &str) = ("cards", "the-example-api");

/// The options of `ficha dev`.
#[derive(Debug, clap::Args)]
pub(crate) struct DevArgs {
    /// The data folder.
    #[arg(long, default_value = "ficha-dev")]
    pub(crate) data: PathBuf,
    /// Where HTTPS answers; loopback only.
    #[arg(long, default_value = "127.0.0.1:8443")]
    pub(crate) https: SocketAddr,
    /// Where plain HTTP answers; loopback only.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) http: SocketAddr,
    /// Where the example API answers, by HTTPS; loopback only.
    #[arg(long, default_value = "127.0.0.1:8444")]
    pub(crate) api: SocketAddr,
    /// Where the operations port answers, or `off`.
    #[arg(long, default_value = "127.0.0.1:9090")]
    pub(crate) ops: String,
    /// What to log: a level, or `target=level` pairs with commas.
    #[arg(long, default_value = "info")]
    pub(crate) log: String,
}

/// Sets everything up that is not there yet, and serves.
pub(crate) async fn dev(args: DevArgs) -> Result<()> {
    for address in [args.https, args.http, args.api] {
        if !address.ip().is_loopback() {
            let message =
                format!("`ficha dev` listens on the loopback only, its secrets are public: {address} is not there");
            return Err(wire::WrongUse(message).into());
        }
    }
    let ops = ops(&args.ops)?;
    let _log = logging::init(LogOptions { filter: args.log.clone(), ..LogOptions::new(clock::wall) })?;
    let shutdown = Shutdown::new();
    let bind = |address| Listener::bind(address, &shutdown);
    let (https, http, api) = (bind(args.https)?, bind(args.http)?, bind(args.api)?);
    let ops = ops.map(bind).transpose()?;
    let ports =
        Ports { https: https.local_addr()?.port(), http: http.local_addr()?.port(), api: api.local_addr()?.port() };
    let data = folder(&args.data)?;
    wire::check_dev(&data).await?;
    prepare(&data)?;
    let node = wire::open(serve::opening(&wire::dev_config(&data)?, Opener::Dev)?).await?;
    let operator = wire::operator(&node, Surroundings { dev: true, ..Surroundings::default() });
    declare_demo(&operator, ports.fill(DEMO, &data)).await?;
    let files = CertificateFiles { chain: data.join(CHAIN), key: data.join(KEY) };
    let certificates = CertStore::load(vec![files], clock::wall())?;
    let plan = run::Plan {
        data: data.clone(),
        clients: vec![https.with_tls(certificates.clone()), http],
        ops,
        gate: None,
        others: vec![(api.with_tls(certificates.clone()), example_api(&ports, &data)?)],
        certificates: Some(certificates),
        reload: Duration::from_mins(1),
        face: FaceOptions::default(),
        drain: Duration::ZERO,
        finish: Duration::from_secs(5),
        admin: ficha_admin::router(operator),
    };
    let up = || {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}\nficha is ready", ports.fill(WELCOME, &args.data).trim_end())?;
        Ok(out.flush()?)
    };
    run::run(&node, plan, (shutdown, up)).await
}

/// The ports, as they were bound.
struct Ports {
    https: u16,
    http: u16,
    api: u16,
}

impl Ports {
    fn fill(&self, text: &str, data: &Path) -> String {
        let ca = data.join(CA);
        let shown = if ca.is_relative() { format!("./{}", ca.display()) } else { ca.display().to_string() };
        let plain = shown.bytes().all(|b| b.is_ascii_alphanumeric() || b"./_-+".contains(&b));
        let shown = if plain { shown } else { format!("'{}'", shown.replace('\'', r"'\''")) };
        text.replace("{https}", &self.https.to_string())
            .replace("{http}", &self.http.to_string())
            .replace("{api}", &self.api.to_string())
            .replace("{ca}", &shown)
    }
}

/// Declares the demo issuers, at the ports that were bound; what is there already stays.
async fn declare_demo(operator: &Operator, text: String) -> Result<()> {
    let no_files = |_: &Path| Err("the demo names no files".to_owned());
    let declaration = ficha_admin::declaration::read(&[("demo".into(), text)], &no_files)
        .map_err(|problems| wire::WrongUse::of(&problems))?;
    operator.apply(&Actor::itself(), &declaration, true).await.context("the demo issuers")?;
    Ok(())
}

/// Where the operations port answers; `None`: `off`.
fn ops(given: &str) -> Result<Option<SocketAddr>, wire::WrongUse> {
    if given == "off" {
        return Ok(None);
    }
    let address = given.parse();
    address.map(Some).map_err(|_| wire::WrongUse(format!("--ops {given}: expected an address and a port, or off")))
}

/// The data folder, made where there is none.
fn folder(data: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("the data folder {}", data.display()))?;
    Ok(data.canonicalize()?)
}

/// Puts a master key, a CA and a certificate into the data folder.
fn prepare(data: &Path) -> Result<()> {
    master::ensure_file(&data.join("master.key"))?;
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    names.extend(demo_hosts());
    dev_certificates::ensure(data, &names)
}

/// The hosts by which the demo issuers answer without a prefix: what the vendors' pages call.
fn demo_hosts() -> impl Iterator<Item = String> {
    let aliases = DEMO.split('"').filter_map(|word| word.strip_prefix("https://")?.strip_suffix(":*"));
    aliases.map(str::to_owned)
}

fn example_api(ports: &Ports, data: &Path) -> Result<axum::Router> {
    let (issuer, audience) = EXAMPLE;
    let ca = std::fs::read(data.join(CA))?;
    let url = format!("https://localhost:{}/{issuer}", ports.https);
    let (name, secret) = EXAMPLE_SECRET;
    let feed = FeedOptions::with_secret(name, ficha_types::Secret::new(secret.into()));
    let verifier = Verifier::builder(&url, audience).root_ca_pem(&ca).follow(feed).build()?;
    let router = cards_api::router(verifier, cards_api::PlainHttp::Refused);
    Ok(router.layer(axum::middleware::map_request(|mut request: axum::extract::Request| async move {
        let secure = request.extensions().get::<Arrival>().is_some_and(|a| a.tls);
        request.extensions_mut().insert(if secure { Transport::Https } else { Transport::Http });
        request
    })))
}
