//! Certificates: choice, loading, reloading.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::http::StatusCode;
use ficha_web::{CertStore, CertificateFiles, Limits, Phase, tls::TlsProblem};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs::default_provider,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::support::{LONG, Options, SOON, Wire, ask, http2, patient, start};

/// Takes any certificate whose key is of these kinds: the tests look at it themselves.
#[derive(Debug)]
struct Any(&'static [SignatureScheme]);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, &algorithms)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.to_vec()
    }
}

/// A client's side: what it speaks, and whether it names the host.
#[derive(Clone, Copy)]
struct Client {
    /// The one version that it speaks; both when `None`.
    only: Option<&'static SupportedProtocolVersion>,
    schemes: &'static [SignatureScheme],
    alpn: &'static [&'static str],
    sni: bool,
}

const ECDSA: &[SignatureScheme] = &[SignatureScheme::ECDSA_NISTP256_SHA256];
const PLAIN: Client = Client { only: None, schemes: ECDSA, alpn: &[], sni: true };

impl Client {
    async fn connect(self, address: SocketAddr, name: &str) -> TlsStream<TcpStream> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let versions = self.only.map_or(rustls::ALL_VERSIONS.to_vec(), |version| vec![version]);
        let builder = builder.with_protocol_versions(&versions).unwrap().dangerous();
        let mut config = builder.with_custom_certificate_verifier(Arc::new(Any(self.schemes))).with_no_client_auth();
        config.alpn_protocols = self.alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        config.enable_sni = self.sni;
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }
}

/// The certificate that was shown.
fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// Writes a new certificate for `names` and its key into `dir`.
fn write(dir: &Path, file: &str, names: &[&str]) -> (CertificateFiles, CertificateDer<'static>) {
    write_kind(dir, file, names, &PKCS_ECDSA_P256_SHA256)
}

fn write_kind(
    dir: &Path,
    file: &str,
    names: &[&str],
    kind: &'static rcgen::SignatureAlgorithm,
) -> (CertificateFiles, CertificateDer<'static>) {
    let key = KeyPair::generate_for(kind).unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let files = CertificateFiles { chain: dir.join(format!("{file}.pem")), key: dir.join(format!("{file}.key")) };
    fs::write(&files.chain, certificate.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    private(&files.key, 0o600);
    (files, certificate.der().clone())
}

fn private(file: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

/// A time at which the certificates of these tests are valid.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(24 * 365 * 56)
}

fn store(files: Vec<CertificateFiles>) -> Arc<CertStore> {
    CertStore::load(files, now()).unwrap()
}

#[tokio::test]
async fn the_certificate_is_chosen_by_the_name_that_the_client_says() {
    let dir = TempDir::new().unwrap();
    let (first_files, first) = write(dir.path(), "first", &["first.example"]);
    let (wild_files, wild) = write(dir.path(), "wild", &["*.example.com", "Example.com"]);
    let (exact_files, exact) = write(dir.path(), "exact", &["auth.example.com"]);
    let site = start(Options { tls: Some(store(vec![first_files, wild_files, exact_files])), ..Options::default() });
    for (name, expected) in [
        ("first.example", &first),
        ("auth.example.com", &exact),
        ("AUTH.example.com", &exact),
        ("other.example.com", &wild),
        ("example.com", &wild),
        ("a.b.example.com", &first),
        ("unknown.example", &first),
        ("127.0.0.1", &first),
    ] {
        assert_eq!(&shown(&PLAIN.connect(site.address, name).await), expected, "{name}");
    }
    let silent = Client { sni: false, ..PLAIN };
    assert_eq!(shown(&silent.connect(site.address, "auth.example.com").await), first);
}

#[tokio::test]
async fn of_two_certificates_of_a_name_the_client_gets_the_one_it_can_check() {
    let dir = TempDir::new().unwrap();
    let (edwards_files, edwards) = write_kind(dir.path(), "ed", &["a.example"], &PKCS_ED25519);
    let (nist_files, nist) = write(dir.path(), "ec", &["a.example"]);
    let site = start(Options { tls: Some(store(vec![edwards_files, nist_files])), ..Options::default() });
    let modern = Client { schemes: &[SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256], ..PLAIN };
    assert_eq!(shown(&modern.connect(site.address, "a.example").await), edwards);
    assert_eq!(shown(&PLAIN.connect(site.address, "a.example").await), nist);
}

#[tokio::test]
async fn who_agreed_on_http2_and_begins_otherwise_is_sent_away() {
    let dir = TempDir::new().unwrap();
    let (files, _) = write(dir.path(), "a", &["a.example"]);
    let site = start(Options { tls: Some(store(vec![files])), ..Options::default() });
    let stream = Client { alpn: &["h2"], ..PLAIN }.connect(site.address, "a.example").await;
    let mut wire = Wire(stream);
    wire.send("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let answer = wire.end_bytes().await;
    assert!(!String::from_utf8_lossy(&answer).contains("hello"), "{answer:?}");
}

#[tokio::test]
async fn both_versions_of_tls_and_of_http_are_spoken_and_arrive_as_secure() {
    let dir = TempDir::new().unwrap();
    let (files, _) = write(dir.path(), "a", &["a.example"]);
    let site = start(Options { tls: Some(store(vec![files])), ..Options::default() });
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = Client { only: Some(version), alpn: &["http/1.1"], ..PLAIN };
        let answer = Wire(client.connect(site.address, "a.example").await).get("/arrival").await;
        assert!(answer.ends_with(" true a.example"), "{answer}");
        let stream = Client { alpn: &["h2", "http/1.1"], ..client }.connect(site.address, "a.example").await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2" as &[u8]));
        let (mut send, _connection) = http2(stream).await;
        let (status, body) = ask(&mut send, "GET", "/arrival", b"").await;
        assert!(status == StatusCode::OK && body.ends_with(" true a.example"), "{body}");
    }
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_dropped() {
    let dir = TempDir::new().unwrap();
    let (files, _) = write(dir.path(), "a", &["a.example"]);
    for says_goodbye in [true, false] {
        let mut site = start(Options { tls: Some(store(vec![files.clone()])), ..Options::default() });
        let mut wire = Wire(PLAIN.connect(site.address, "a.example").await);
        wire.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n").await;
        site.begun.recv().await.unwrap();
        if says_goodbye {
            wire.0.shutdown().await.unwrap();
        }
        drop(wire);
        site.shutdown.advance(Phase::Stopping);
        tokio::time::timeout(LONG, site.serving.finished()).await.expect("the request has ended");
    }
}

#[tokio::test]
async fn changed_files_are_loaded_and_broken_ones_leave_what_is_in_use() {
    let dir = TempDir::new().unwrap();
    let (files, old) = write(dir.path(), "a", &["a.example"]);
    let store = store(vec![files.clone()]);
    let site = start(Options { tls: Some(Arc::clone(&store)), ..Options::default() });
    let served = async || shown(&PLAIN.connect(site.address, "a.example").await);
    assert!(!store.reload_if_changed(now()).unwrap());
    assert_eq!(served().await, old);

    fs::write(&files.chain, "-----BEGIN CERTIFICATE-----\nhalf").unwrap();
    let broken = store.reload_if_changed(now()).unwrap_err();
    assert_eq!(broken.file, files.chain);
    assert!(!store.reload_if_changed(now()).unwrap(), "told once");
    assert_eq!(served().await, old);

    let (_, new) = write(dir.path(), "a", &["a.example"]);
    assert!(store.reload_if_changed(now()).unwrap());
    assert_eq!(served().await, new);

    fs::remove_file(&files.key).unwrap();
    assert!(matches!(store.reload_if_changed(now()).unwrap_err().problem, TlsProblem::Unreadable(_)));
    assert_eq!(served().await, new);
}

#[tokio::test]
async fn who_does_not_shake_hands_is_cut_off() {
    let dir = TempDir::new().unwrap();
    let (files, _) = write(dir.path(), "a", &["a.example"]);
    let limits = Some(Limits { handshake: SOON, ..patient() });
    let site = start(Options { limits, tls: Some(store(vec![files])), ..Options::default() });
    assert_eq!(Wire::to(site.address).await.end().await, "");
    let mut plain = Wire::to(site.address).await;
    plain.send("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert!(!plain.end_bytes().await.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn a_broken_file_is_named_with_what_is_wrong_with_it() {
    let dir = TempDir::new().unwrap();
    let (good, _) = write(dir.path(), "good", &["a.example"]);
    let (other, _) = write(dir.path(), "other", &["a.example"]);
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let key = fs::read_to_string(&good.key).unwrap();
    let encrypted = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    let bad_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let bad_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let chain = |chain| CertificateFiles { chain, key: good.key.clone() };
    let keyed = |key| CertificateFiles { chain: good.chain.clone(), key };
    for (files, at_chain, expected) in [
        (chain(dir.path().join("absent")), true, "cannot be read: No such file"),
        (chain(file("empty", "")), true, "holds no certificate in PEM"),
        (chain(file("bad", bad_certificate)), true, "holds a certificate that cannot be understood"),
        (chain(file("cut", "-----BEGIN CERTIFICATE-----\nAAAA")), true, "is not well-formed PEM"),
        (keyed(dir.path().join("absent")), false, "cannot be read: No such file"),
        (keyed(good.chain.clone()), false, "holds no private key in PEM"),
        (keyed(file("encrypted", &encrypted)), false, "holds a private key that is encrypted"),
        (keyed(file("bad_key", bad_key)), false, "holds a private key that cannot be used"),
        (keyed(other.key.clone()), false, "holds a private key that does not belong to the certificate"),
    ] {
        let culprit = if at_chain { &files.chain } else { &files.key }.clone();
        let error = CertStore::load(vec![files], now()).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{}: {expected}", culprit.display())), "{error}");
    }
    assert!(matches!(CertStore::load(vec![], now()).unwrap_err().problem, TlsProblem::None));
}

#[test]
fn what_works_but_should_be_looked_at_is_warned_of() {
    let dir = TempDir::new().unwrap();
    let (files, _) = write(dir.path(), "a", &["A.example", "*.example"]);
    let info = store(vec![files.clone()]).certificates().remove(0);
    assert_eq!(info.names, ["a.example", "*.example"]);
    assert_eq!(info.warnings, [""; 0]);
    private(&files.key, 0o644);
    let end = UNIX_EPOCH + Duration::from_secs(u64::try_from(info.not_after).unwrap() + 1);
    let warnings = CertStore::load(vec![files], end).unwrap().certificates().remove(0).warnings;
    assert!(warnings[0].contains("has expired") && warnings[1].contains("chmod 600"), "{warnings:?}");
}
