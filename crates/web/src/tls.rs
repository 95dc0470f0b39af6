//! Certificates: chosen by server name, loaded again when their files change.

use std::{
    collections::HashMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use ficha_telemetry::metrics::{Success, metrics};
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use tracing::{error, info, warn};
use x509_parser::{extensions::GeneralName, prelude::FromDer};
use zeroize::Zeroizing;

use crate::{Phase, Shutdown};

/// The files of one certificate, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, then those that vouch for it.
    pub chain: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub struct TlsError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: TlsProblem,
}

/// What can be wrong with the file of a certificate or key.
#[derive(Debug, thiserror::Error)]
pub enum TlsProblem {
    /// It can't be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// There is no certificate in it.
    #[error("holds no certificate in PEM (a block `BEGIN CERTIFICATE`)")]
    NoCertificate,
    /// There is no key in it.
    #[error("holds no private key in PEM (a block `BEGIN PRIVATE KEY`)")]
    NoKey,
    /// The key in it is locked by a password.
    #[error("holds a private key that is encrypted; store it without a password, readable for ficha alone")]
    EncryptedKey,
    /// Its PEM is broken.
    #[error("is not well-formed PEM: {0}")]
    Pem(String),
    /// The certificate in it can't be understood.
    #[error("holds a certificate that cannot be understood: {0}")]
    Certificate(String),
    /// The key in it is of a kind that TLS can't use here.
    #[error("holds a private key that cannot be used: {0}")]
    Key(String),
    /// Key and certificate are not a pair.
    #[error("holds a private key that does not belong to the certificate in {}", .0.display())]
    OtherKey(PathBuf),
    /// There is no file at all.
    #[error("no certificate is configured")]
    None,
}

/// A certificate as it was loaded, for whoever looks after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// Where it came from.
    pub chain: PathBuf,
    /// The host names it is for, in lower case, `*.` before those that stand for one more label.
    pub names: Vec<String>,
    /// When it ends: Unix seconds.
    pub not_after: i64,
    /// What a person should look at, though it works.
    pub warnings: Vec<String>,
}

/// The certificates of a listener.
pub struct CertStore {
    files: Vec<CertificateFiles>,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<Loaded>,
    /// How the files looked when they were last read, for good or ill.
    stamps: Mutex<Vec<Stamp>>,
}

struct Loaded {
    first: Arc<CertifiedKey>,
    /// By name; several of one name are of different kinds of key.
    by_name: HashMap<String, Vec<Arc<CertifiedKey>>>,
    info: Vec<CertificateInfo>,
}

impl CertStore {
    /// Loads `files`; the first is for clients that name no host, or one that none of them is for. An expired certificate or a
    /// key that everybody may read is only warned of.
    ///
    /// # Errors
    /// [`TlsError`]: the file and what is wrong with it.
    pub fn load(files: Vec<CertificateFiles>, now: SystemTime) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        // Looked at before they are read: what changes meanwhile is read again.
        let stamps = Mutex::new(stamps(&files));
        let loaded = load_all(&files, &provider, now)?;
        Ok(Arc::new(Self { files, provider, current: ArcSwap::from_pointee(loaded), stamps }))
    }

    /// Loads the files again if they have changed since they were last read; answers whether they were. When one is
    /// broken, the certificates at hand stay, and it is tried again once a file changes.
    ///
    /// # Errors
    /// [`TlsError`], once for each change: it has been logged and counted.
    pub fn reload_if_changed(&self, now: SystemTime) -> Result<bool, TlsError> {
        let mut known = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        let found = stamps(&self.files);
        if *known == found {
            return Ok(false);
        }
        *known = found;
        match load_all(&self.files, &self.provider, now) {
            Ok(loaded) => {
                self.current.store(Arc::new(loaded));
                metrics().certificate_reloads.count(Success::Ok);
                info!("the certificates were loaded again");
                Ok(true)
            }
            Err(e) => {
                metrics().certificate_reloads.count(Success::Failed);
                error!(error = %e, "changed certificates could not be loaded; the ones at hand stay in use");
                Err(e)
            }
        }
    }

    /// Looks for changed files `every` so often until the shutdown stops it.
    pub async fn keep_current(self: Arc<Self>, every: Duration, clock: fn() -> SystemTime, shutdown: Shutdown) {
        while tokio::time::timeout(every, shutdown.reached(Phase::Stopping)).await.is_err() {
            let store = Arc::clone(&self);
            // Its outcome has been logged and counted.
            let _ = tokio::task::spawn_blocking(move || store.reload_if_changed(clock())).await;
        }
    }

    /// The certificates in use.
    #[must_use]
    pub fn certificates(&self) -> Vec<CertificateInfo> {
        self.current.load().info.clone()
    }

    /// TLS 1.2 and 1.3 with these certificates, whichever are in use at the time, for HTTP/2, 1.1 and 1.0.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, rustls::Error> {
        let resolver: Arc<Self> = Arc::clone(self);
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec(), b"http/1.0".to_vec()];
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.send_tls13_tickets = 1;
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for CertStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertStore").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for CertStore {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let loaded = self.current.load();
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        let named = hello.server_name().and_then(|name| loaded.named(name));
        let chosen = named.and_then(|keys| keys.iter().find(fits).or(keys.first()));
        Some(Arc::clone(chosen.unwrap_or(&loaded.first)))
    }
}

impl Loaded {
    fn named(&self, name: &str) -> Option<&Vec<Arc<CertifiedKey>>> {
        let name = name.to_ascii_lowercase();
        // RFC 6125 §6.4.3: a wildcard stands for one label, the first.
        let wild = || self.by_name.get(&format!("*.{}", name.split_once('.')?.1));
        self.by_name.get(&name).or_else(wild)
    }
}

fn load_all(files: &[CertificateFiles], provider: &CryptoProvider, now: SystemTime) -> Result<Loaded, TlsError> {
    let mut by_name: HashMap<String, Vec<Arc<CertifiedKey>>> = HashMap::new();
    let (mut first, mut all) = (None, Vec::new());
    for files in files {
        let (key, info) = load_one(files, provider, now)?;
        for warning in &info.warnings {
            warn!(file = %files.chain.display(), "{warning}");
        }
        for name in &info.names {
            by_name.entry(name.clone()).or_default().push(Arc::clone(&key));
        }
        first.get_or_insert(key);
        all.push(info);
    }
    let first = first.ok_or(TlsError { file: PathBuf::new(), problem: TlsProblem::None })?;
    Ok(Loaded { first, by_name, info: all })
}

fn load_one(
    files: &CertificateFiles,
    provider: &CryptoProvider,
    now: SystemTime,
) -> Result<(Arc<CertifiedKey>, CertificateInfo), TlsError> {
    let CertificateFiles { chain: chain_file, key: key_file } = files;
    let chain = read_chain(chain_file).map_err(in_file(chain_file))?;
    let key = read_key(key_file).map_err(in_file(key_file))?;
    let key = provider.key_provider.load_private_key(key);
    let key = key.map_err(|e| TlsProblem::Key(e.to_string())).map_err(in_file(key_file))?;
    let (names, not_after) =
        chain.first().ok_or(TlsProblem::NoCertificate).and_then(facts).map_err(in_file(chain_file))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        Err(_) => return Err(in_file(key_file)(TlsProblem::OtherKey(chain_file.clone()))),
    }
    let mut warnings = Vec::new();
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    if not_after < now {
        warnings.push("the certificate has expired: clients will refuse it".into());
    }
    if names.is_empty() {
        warnings.push("the certificate names no host: clients will refuse it".into());
    }
    if everybody_may_read(key_file) {
        warnings.push(format!("everybody on this machine may read the key {}: chmod 600 it", key_file.display()));
    }
    Ok((Arc::new(certified), CertificateInfo { chain: chain_file.clone(), names, not_after, warnings }))
}

fn in_file(file: &Path) -> impl Fn(TlsProblem) -> TlsError + use<'_> {
    move |problem| TlsError { file: file.to_owned(), problem }
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsProblem> {
    let text = fs::read(file).map_err(TlsProblem::Unreadable)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|e| TlsProblem::Pem(e.to_string()))?;
    if chain.is_empty() { Err(TlsProblem::NoCertificate) } else { Ok(chain) }
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsProblem> {
    let text = Zeroizing::new(fs::read(file).map_err(TlsProblem::Unreadable)?);
    PrivateKeyDer::from_pem_slice(&text).map_err(|e| {
        if !matches!(e, pem::Error::NoItemsFound) {
            TlsProblem::Pem(e.to_string())
        } else if text.windows(9).any(|window| window == b"ENCRYPTED") {
            TlsProblem::EncryptedKey
        } else {
            TlsProblem::NoKey
        }
    })
}

/// The host names of a certificate and when it ends.
fn facts(certificate: &CertificateDer<'_>) -> Result<(Vec<String>, i64), TlsProblem> {
    let broken = |e: String| TlsProblem::Certificate(e);
    let (_, parsed) =
        x509_parser::certificate::X509Certificate::from_der(certificate).map_err(|e| broken(e.to_string()))?;
    let names = parsed.subject_alternative_name().map_err(|e| broken(e.to_string()))?;
    let dns = |name: &GeneralName<'_>| {
        if let GeneralName::DNSName(name) = name { Some(name.to_ascii_lowercase()) } else { None }
    };
    let names = names.map(|names| names.value.general_names.iter().filter_map(dns).collect()).unwrap_or_default();
    Ok((names, parsed.validity().not_after.timestamp()))
}

#[cfg(unix)]
fn everybody_may_read(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|meta| meta.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn everybody_may_read(_file: &Path) -> bool {
    false
}

/// How the files look from outside; `None` for one that isn't there.
type Stamp = [Option<Look>; 2];

fn stamps(files: &[CertificateFiles]) -> Vec<Stamp> {
    files.iter().map(|files| [look(&files.chain), look(&files.key)]).collect()
}

/// Device, inode, length, and when it was changed: the latter can't be set back by who writes it.
#[cfg(unix)]
type Look = (u64, u64, u64, (i64, i64));

#[cfg(unix)]
fn look(file: &Path) -> Option<Look> {
    use std::os::unix::fs::MetadataExt;
    let meta = fs::metadata(file).ok()?;
    Some((meta.dev(), meta.ino(), meta.len(), (meta.ctime(), meta.ctime_nsec())))
}

#[cfg(not(unix))]
type Look = (u64, Option<SystemTime>);

#[cfg(not(unix))]
fn look(file: &Path) -> Option<Look> {
    let meta = fs::metadata(file).ok()?;
    Some((meta.len(), meta.modified().ok()))
}
