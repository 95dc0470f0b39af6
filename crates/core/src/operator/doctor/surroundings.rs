//! What `doctor` finds in the configuration: the files, the certificates, and where the server listens.

use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc};

use ficha_types::{BaseUrl, Port, Seconds, UnixSeconds};

use super::{Findings, Severity};
use crate::records::Issuer;

/// A certificate that ends sooner is told: time enough to get another one.
const SOON: Seconds = Seconds::days(21);
/// Seconds of a day.
const DAY: i64 = 86_400;

/// What `doctor` is told of the process: it reads neither files nor the environment itself.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Whether this is `ficha dev`, where plain HTTP on the loopback is as it should be.
    pub dev: bool,
    /// Whether the master key came from the environment.
    pub master_from_environment: bool,
    /// Files that hold secrets and that others than their owner may read.
    pub readable_by_others: Vec<PathBuf>,
    /// Where the server listens, as configured.
    pub listening: Option<Listening>,
}

/// Where the server listens, and whom it believes.
#[derive(Debug, Clone)]
pub struct Listening {
    /// The ports of HTTPS; 0 is one that the system chooses.
    pub https: Vec<u16>,
    /// The ports of plain HTTP.
    pub http: Vec<u16>,
    /// The operations port.
    pub ops: Option<SocketAddr>,
    /// Whether proxies are trusted: then the names and ports that callers see are theirs.
    pub behind_proxies: bool,
    /// The certificates as they are now.
    pub certificates: Arc<dyn Certificates>,
}

/// Reads the certificates that are configured.
pub trait Certificates: fmt::Debug + Send + Sync {
    /// What is known of each. Blocks.
    ///
    /// # Errors
    /// The file and what is wrong with it, for a person to read.
    fn look(&self) -> Result<Vec<Certificate>, String>;
}

/// A certificate that a listener uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its file.
    pub file: PathBuf,
    /// The host names it is for, in lower case, `*.` before those that stand for one more label.
    pub names: Vec<String>,
    /// When it ends.
    pub not_after: UnixSeconds,
}

impl Certificate {
    fn covers(&self, host: &str) -> bool {
        let is = |name: &String| match name.strip_prefix("*.") {
            // RFC 6125 §6.4.3: a wildcard stands for one label, the first.
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
            None => name == host,
        };
        self.names.iter().any(is)
    }
}

impl Surroundings {
    /// What is found of the server as a whole; `certificates` are what was read of them.
    pub(super) fn findings(&self, found: &mut Findings, certificates: &[Certificate], now: UnixSeconds) {
        if self.master_from_environment {
            let texts = (
                "the environment of a process is seen by its children and often lands in logs and crash reports",
                "put the master key into a file of mode 0600 and name that in the configuration",
            );
            found.add(Severity::Warning, "the master key comes from the environment".into(), texts);
        }
        for path in &self.readable_by_others {
            let texts = ("it holds secrets", "chmod 600, and let the server's user own it");
            found.add(Severity::Error, format!("{} can be read by others than its owner", path.display()), texts);
        }
        for certificate in certificates {
            of_certificate(found, certificate, now);
        }
        if let Some(ops) = self.listening.as_ref().and_then(|l| l.ops).filter(|ops| !ops.ip().is_loopback()) {
            let texts = (
                "whoever reaches it reads the metrics, in plain HTTP and without a password",
                "[listen] ops at a loopback address, or let a firewall admit operators alone",
            );
            found.add(Severity::Warning, format!("the operations port listens at {ops}"), texts);
        }
    }
}

fn of_certificate(found: &mut Findings, certificate: &Certificate, now: UnixSeconds) {
    let (file, left) = (certificate.file.display(), certificate.not_after.0 - now.0);
    let way_out = "put a new one in its place: it is loaded without a restart";
    if left <= 0 {
        found.add(
            Severity::Error,
            format!("the certificate {file} has expired"),
            ("clients refuse the connection", way_out),
        );
    } else if left <= SOON.0 {
        let days = left / DAY;
        let when = if days == 0 { "within a day".to_owned() } else { format!("in {days} days") };
        let texts = ("clients refuse the connection from then on", way_out);
        found.add(Severity::Warning, format!("the certificate {file} expires {when}"), texts);
    }
}

impl Listening {
    /// What is found of an issuer's base URLs; no certificates: they could not be read.
    pub(super) fn of_base_urls(&self, found: &mut Findings, issuer: &Issuer, certificates: Option<&[Certificate]>) {
        if self.behind_proxies {
            return;
        }
        let urls = || issuer.places.iter().map(|place| &place.url);
        if let (Some(certificates), false) = (certificates, self.https.is_empty()) {
            let covered = |url: &&BaseUrl| certificates.iter().any(|c| c.covers(url.host()));
            let bare = urls().filter(|url| url.is_https() && !is_address(url.host()) && !covered(url));
            let mut hosts: Vec<_> = bare.map(|url| url.host().to_owned()).collect();
            hosts.sort();
            hosts.dedup();
            let texts = (
                "clients that call it refuse the connection",
                "add one for that host to [tls] certificates, or name the proxy that ends TLS in [listen] trusted_proxies",
            );
            found.for_all(Severity::Error, ("no certificate is for", &hosts), "", texts);
        }
        let unheard = |url: &&BaseUrl| match url.port() {
            Port::Any => false,
            Port::Is(port) => {
                let ports = if url.is_https() { &self.https } else { &self.http };
                !ports.iter().any(|p| *p == port || *p == 0)
            }
        };
        let unheard: Vec<_> = urls().filter(unheard).map(ToString::to_string).collect();
        let texts = (
            "requests arrive only if something before ficha hands them on from that port",
            "listen there ([listen]), or see that the port is forwarded here",
        );
        found.for_all(Severity::Note, ("nothing listens at the port of", &unheard), "", texts);
    }
}

/// Whether `host` is an IP address: which of them a certificate is for is not known here.
fn is_address(host: &str) -> bool {
    host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    #[derive(Debug)]
    struct NoCertificates;
    impl Certificates for NoCertificates {
        fn look(&self) -> Result<Vec<Certificate>, String> {
            Ok(Vec::new())
        }
    }

    fn certificate(names: &[&str], left: i64) -> Certificate {
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        Certificate { file: "a.pem".into(), names, not_after: UnixSeconds(NOW.0 + left) }
    }

    fn listening(ops: &str) -> Listening {
        let ops = Some(ops.parse().unwrap());
        Listening {
            https: vec![8443],
            http: Vec::new(),
            ops,
            behind_proxies: false,
            certificates: Arc::new(NoCertificates),
        }
    }

    fn told(tell: impl FnOnce(&mut Findings)) -> Vec<(Severity, String)> {
        let mut found = Findings { issuer: None, all: Vec::new() };
        tell(&mut found);
        found.all.into_iter().map(|f| (f.severity, f.what)).collect()
    }

    #[test]
    fn a_certificate_is_told_21_days_before_its_end_and_after_it() {
        let of = |left| told(|found| of_certificate(found, &certificate(&[], left), NOW));
        assert_eq!(of(0), [(Severity::Error, "the certificate a.pem has expired".into())]);
        assert_eq!(of(1), [(Severity::Warning, "the certificate a.pem expires within a day".into())]);
        assert_eq!(of(21 * DAY), [(Severity::Warning, "the certificate a.pem expires in 21 days".into())]);
        assert_eq!(of(21 * DAY + 1), []);
    }

    #[test]
    fn an_operations_port_for_all_is_told() {
        let of = |ops| {
            let around = Surroundings { listening: Some(listening(ops)), ..Surroundings::default() };
            told(|found| around.findings(found, &[], NOW))
        };
        assert_eq!(of("0.0.0.0:9090"), [(Severity::Warning, "the operations port listens at 0.0.0.0:9090".into())]);
        assert_eq!(of("[::1]:9090"), []);
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let wild = certificate(&["*.example.com", "other.example"], 0);
        assert!(wild.covers("auth.example.com") && wild.covers("other.example"));
        assert!(!wild.covers("example.com") && !wild.covers("a.b.example.com"));
    }

    #[test]
    fn base_urls_that_nobody_can_call_are_told_unless_proxies_stand_before_them() {
        let place = |url: &str| crate::records::Place { url: url.parse().unwrap(), dialect: None };
        let issuer = Issuer {
            name: "acme".parse().unwrap(),
            dialect: "standard".parse().unwrap(),
            places: ["https://auth.example.com:8443", "https://old.example.com/x", "https://10.0.0.1:*"]
                .map(place)
                .into(),
            default_api: None,
            allow_loopback_http: false,
            rsa_bits: 2048,
            password_refusal_after_ms: 300,
            max_revocations_per_client: 1,
            outage_grace: Seconds(0),
        };
        let certificates = [certificate(&["auth.example.com"], 1)];
        let direct = listening("127.0.0.1:9090");
        assert_eq!(
            told(|found| direct.of_base_urls(found, &issuer, Some(&certificates))),
            [
                (Severity::Error, "no certificate is for old.example.com".into()),
                (Severity::Note, "nothing listens at the port of https://old.example.com/x".into()),
            ]
        );
        let behind = Listening { behind_proxies: true, ..direct };
        assert_eq!(told(|found| behind.of_base_urls(found, &issuer, Some(&certificates))), []);
    }
}
