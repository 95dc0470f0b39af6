//! The revocation feed: many followers over TLS on one node, what they take, and how long a revocation is on its way to all.

use std::{
    fs::{self, File},
    io::Write,
    net::TcpListener,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ficha_jose::{random, sha256};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    heard::Heard,
    process::{Cores, Process, pin_generator},
};

/// What `feed --help` prints.
const USAGE: &str =
    "usage: cargo xtask bench feed [--followers N] [--seconds S] [--per-second R] [--folder DIR] [--ficha FILE]

  --followers N   connections, all of one API, over TLS; 1,000
  --seconds S     for how long tokens are revoked; 20
  --per-second R  revocations a second; 100

More than a thousand followers need as many open files: ulimit -n 65536.";
/// The secret of the API and of the client.
const SECRET: &str = "bench-Jq4vN0aXh2mS7rTgYw1pLk9dFzC3uEbR";
/// Connections that are made at the same time.
const AT_ONCE: usize = 50;

struct Options {
    followers: usize,
    seconds: u64,
    per_second: u64,
    folder: PathBuf,
    ficha: PathBuf,
}

impl Options {
    fn read(args: &[String]) -> Result<Self> {
        let own = std::env::current_exe().context("where this program stands")?;
        let beside = own.parent().context("where this program stands")?.to_owned();
        let mut options =
            Self { followers: 1_000, seconds: 20, per_second: 100, ficha: beside.join("ficha"), folder: beside };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let value = args.next().with_context(|| format!("{arg} needs a value\n\n{USAGE}"))?;
            match arg.as_str() {
                "--followers" => options.followers = value.parse()?,
                "--seconds" => options.seconds = value.parse()?,
                "--per-second" => options.per_second = value.parse()?,
                "--folder" => options.folder = value.into(),
                "--ficha" => options.ficha = value.into(),
                other => bail!("`{other}` is unknown\n\n{USAGE}"),
            }
        }
        Ok(options)
    }
}

/// The server's things, and how it is reached.
struct Place {
    _folder: TempDir,
    config: PathBuf,
    log: PathBuf,
    port: u16,
    tls: TlsConnector,
}

/// Runs the part and prints what it found.
///
/// # Errors
/// A request is not answered as it must be, or not every revocation reached every follower.
pub(crate) fn run(args: &[String]) -> Result<()> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        println!("{USAGE}");
        return Ok(());
    }
    let options = Options::read(args)?;
    let place = Place::make(&options).context("the server's data can't be made")?;
    pin_generator(Cores::One)?;
    let server = Process::server(&options.ficha, &place.config, &place.log, Cores::One)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(&options, &place, &server))?;
    runtime.shutdown_background();
    server.stop()
}

async fn measure(options: &Options, place: &Place, server: &Process) -> Result<()> {
    let count = usize::try_from(options.seconds * options.per_second)?;
    let mut asker = place.connect().await?;
    let mut tokens = Vec::with_capacity(count);
    for _ in 0..count {
        tokens.push(token(&mut asker, place.port).await?);
    }
    let heard = Arc::new(Heard::of(&tokens)?);
    let empty = server.mebibytes()?;
    let connecting = Instant::now();
    let places = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    for _ in 0..options.followers {
        let permit = places.clone().acquire_owned().await?;
        let (tls, port, heard) = (place.tls.clone(), place.port, heard.clone());
        tokio::spawn(async move {
            if let Err(error) = follow(&tls, port, &heard, permit).await {
                eprintln!("a follower: {error:#}");
            }
            heard.lost.fetch_add(1, Relaxed);
        });
    }
    while heard.following.load(Relaxed) + heard.lost.load(Relaxed) < options.followers {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let connected = connecting.elapsed();
    // At rest: with heartbeats alone.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let full = server.mebibytes()?;
    let cpu = server.cpu()?;
    let began = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / options.per_second));
    for (number, (token, _)) in tokens.iter().enumerate() {
        ticks.tick().await;
        heard.asks(number);
        revoke(&mut asker, place.port, token).await?;
    }
    let revoking = began.elapsed();
    let expected = u64::try_from(count * options.followers)?;
    let until = Instant::now() + Duration::from_secs(15);
    while heard.total() < expected && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let busy = server.cpu()?.saturating_sub(cpu);
    let most = server.mebibytes()?;
    println!("followers over TLS                {}", options.followers);
    println!("connected within                  {:.1} s", connected.as_secs_f64());
    println!(
        "memory without and with them      {empty:.1} MiB, {full:.1} MiB; {:.1} KiB each",
        (full - empty) * 1024.0 / options.followers as f64
    );
    println!("memory after the revocations      {most:.1} MiB");
    println!("revocations                       {count}, {:.0} a second", count as f64 / revoking.as_secs_f64());
    println!(
        "heard                             {} of {expected}, {} followers lost",
        heard.total(),
        heard.lost.load(Relaxed)
    );
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("the last", 1.0)] {
        println!("from asking to hearing, {name:<9} {} ms", heard.wait(share));
    }
    println!("the server's share of a core      {:.0} %", busy.as_secs_f64() / revoking.as_secs_f64() * 100.0);
    if heard.total() < expected {
        bail!("not every revocation was heard by every follower");
    }
    Ok(())
}

impl Place {
    fn make(options: &Options) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("bench-feed-").tempdir_in(&options.folder)?;
        let path = |name: &str| folder.path().join(name);
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (mut ca, mut leaf) = (CertificateParams::default(), CertificateParams::new(vec!["localhost".to_owned()])?);
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        leaf.use_authority_key_identifier_extension = true;
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = leaf.signed_by(&key, &ca)?;
        fs::write(path("server.pem"), certificate.pem())?;
        let private = |name: &str, text: &str| -> Result<()> {
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(path(name))?;
            Ok(file.write_all(text.as_bytes())?)
        };
        private("server.key", &key.serialize_pem())?;
        let mut master = [0; 32];
        random::fill(&mut master);
        private("master.key", &STANDARD.encode(master))?;
        fs::create_dir(path("data"))?;
        let most = options.followers + 100;
        fs::write(
            path("ficha.toml"),
            format!(
                "[listen]\nhttps = [\"127.0.0.1:{port}\"]\nops = \"127.0.0.1:0\"\ndrain_s = 0\n\
                 [tls]\ncertificates = [{{ cert = \"server.pem\", key = \"server.key\" }}]\n\
                 [store]\ndata = \"data\"\n[keys]\nmaster_key_file = \"master.key\"\n\
                 [limits]\nconnections = {most}\nconnections_per_address = {most}\nfeed_followers = {most}\nfeed_followers_per_api = {most}\n"
            ),
        )?;
        let digest = sha256(SECRET.as_bytes()).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        fs::write(
            path("issuers.toml"),
            format!(
                "[[issuer]]\nname = \"feed\"\ndialect = \"standard\"\nbase_urls = [\"https://localhost:{port}\"]\nmax_revocations_per_client = 1000000\n\
                 [[issuer.api]]\nname = \"cards\"\naudience = \"https://cards.example\"\nscopes = [\"cards:read\"]\nsecrets = [\"sha256:{digest}\"]\n\
                 [[issuer.client]]\nid = \"app\"\nsecrets = [\"sha256:{digest}\"]\ngrants = [\"client_credentials\"]\nscopes = {{ cards = [\"cards:read\"] }}\n"
            ),
        )?;
        let mut apply = Command::new(&options.ficha);
        apply.arg("apply").arg("--config").arg(path("ficha.toml")).arg(path("issuers.toml"));
        let out = apply.stdin(Stdio::null()).output().with_context(|| options.ficha.display().to_string())?;
        if !out.status.success() {
            bail!("ficha apply: {}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        }
        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let client = client.with_root_certificates(roots).with_no_client_auth();
        let (config, log) = (path("ficha.toml"), path("server.log"));
        Ok(Self { _folder: folder, config, log, port, tls: Arc::new(client).into() })
    }

    async fn connect(&self) -> Result<BufReader<TlsStream<TcpStream>>> {
        connect(&self.tls, self.port).await
    }
}

async fn connect(tls: &TlsConnector, port: u16) -> Result<BufReader<TlsStream<TcpStream>>> {
    let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    tcp.set_nodelay(true)?;
    Ok(BufReader::with_capacity(4096, tls.connect(ServerName::try_from("localhost")?, tcp).await?))
}

fn basic(name: &str) -> String {
    STANDARD.encode(format!("{name}:{SECRET}"))
}

/// The body of the answer to a form, which must be 200.
async fn post(stream: &mut BufReader<TlsStream<TcpStream>>, (port, path): (u16, &str), body: &str) -> Result<Vec<u8>> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost:{port}\r\nauthorization: Basic {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        basic("app"),
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let (mut line, mut length, mut status) = (String::new(), 0, String::new());
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        if status.is_empty() {
            status.clone_from(&line);
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    if !status.contains(" 200 ") {
        bail!("{path} was answered {status}{}", String::from_utf8_lossy(&body));
    }
    Ok(body)
}

/// A new token and its `jti`.
async fn token(stream: &mut BufReader<TlsStream<TcpStream>>, port: u16) -> Result<(String, String)> {
    let body = post(stream, (port, "/oauth/token"), "grant_type=client_credentials").await?;
    let answer: serde_json::Value = serde_json::from_slice(&body)?;
    let token = answer.get("access_token").and_then(|t| t.as_str()).context("access_token")?.to_owned();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).context("claims")?)?;
    let claims: serde_json::Value = serde_json::from_slice(&claims)?;
    let jti = claims.get("jti").and_then(|t| t.as_str()).context("jti")?.to_owned();
    Ok((token, jti))
}

async fn revoke(stream: &mut BufReader<TlsStream<TcpStream>>, port: u16, token: &str) -> Result<()> {
    post(stream, (port, "/oauth/revoke"), &format!("token={token}")).await.map(drop)
}

/// Follows until the stream ends, which it must not.
async fn follow(
    tls: &TlsConnector,
    port: u16,
    heard: &Heard,
    connecting: tokio::sync::OwnedSemaphorePermit,
) -> Result<()> {
    let mut stream = connect(tls, port).await?;
    let request = format!(
        "GET /oauth/revocations HTTP/1.1\r\nhost: localhost:{port}\r\nauthorization: Basic {}\r\naccept: text/event-stream\r\n\r\n",
        basic("cards")
    );
    stream.write_all(request.as_bytes()).await?;
    let (mut line, mut begun) = (Vec::new(), false);
    let mut connecting = Some(connecting);
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            bail!("the stream ended");
        }
        if line.starts_with(b"HTTP/1.1 ") && !line.starts_with(b"HTTP/1.1 200") {
            bail!("{}", String::from_utf8_lossy(&line));
        }
        if let Some(event) = line.strip_prefix(b"data: ") {
            if !begun {
                begun = true;
                drop(connecting.take());
                heard.following.fetch_add(1, Relaxed);
            }
            heard.hears(event)?;
        }
    }
}
