//! `[tls]`

use std::{path::PathBuf, time::Duration};

use super::section;
use crate::{
    document::{Node, Value},
    kinds::{FilePath, Kind, List, seconds},
    nearest::did_you_mean,
    reader::{Complaints, Reader},
};

section! {
    /// The certificates for HTTPS. TLS 1.2 and 1.3.
    pub struct Tls = "tls" {
        /// The certificates, each a chain (its own certificate first) and its private key, in PEM, the key without a password. The
        /// client's server name picks among them; the first is for clients that name none or an unknown one. Needed when
        /// `[listen] https` has an address. ECDSA keys (P-256) cost a third of RSA ones.
        certificates: Vec<CertificateFiles> = List(Certificate), "[]";
        /// How often the files are looked at; changed ones are loaded without a restart. A broken one leaves the certificate at
        /// hand in use.
        reload_s: Duration = seconds(1..=86_400), "60";
    }
}

/// The files of one certificate, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, then those that vouch for it.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Tls {
    /// Notes what is missing for `https` addresses.
    pub(crate) fn check(&self, https: bool, reader: &mut Reader<'_>) {
        if https && self.certificates.is_empty() {
            let message = "HTTPS needs one: expected [{ cert = \"FILE\", key = \"FILE\" }], or no address in [listen] https (`ficha dev` makes a certificate of its own)";
            reader.contradiction(("tls", "certificates"), message);
        }
    }
}

/// `{ cert = "FILE", key = "FILE" }`
struct Certificate;

impl Kind for Certificate {
    type Value = CertificateFiles;
    fn takes(&self) -> String {
        "{ cert = \"FILE\", key = \"FILE\" }".into()
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<CertificateFiles> {
        let Value::Table(entries) = &node.value else { return say.expected(&self.takes(), node) };
        for entry in entries.iter().filter(|e| e.key != "cert" && e.key != "key") {
            let near = did_you_mean(&entry.key, ["cert", "key"]);
            say.wrong(&entry.place, format!("unknown key {:?}{near} (there are cert, key)", entry.key));
        }
        let mut file = |key: &str| {
            let Some(entry) = entries.iter().find(|e| e.key == key) else {
                say.wrong(&node.place, format!("{key} is missing: expected {}", self.takes()));
                return None;
            };
            FilePath("the path of a file").take(&entry.node, say)
        };
        let (cert, key) = (file("cert"), file("key"));
        Some(CertificateFiles { cert: cert?, key: key? })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::CertificateFiles;
    use crate::load::tests::{complaints, complaints_of, config_of};

    #[test]
    fn certificates_stand_in_the_folder_of_the_file_unless_they_say_otherwise() {
        let text = "[[tls.certificates]]\ncert = \"a.pem\"\nkey = \"/k/a.key\"\n[tls]\nreload_s = \"5m\"";
        let read = config_of(
            "/etc/ficha/ficha.toml",
            &format!("{text}\n[store]\ndata = \"/d\"\n[keys]\nmaster_key_file = \"/m\""),
        );
        assert_eq!(read.tls.reload_s.as_secs(), 300);
        let files = CertificateFiles { cert: "/etc/ficha/a.pem".into(), key: "/k/a.key".into() };
        assert_eq!(read.tls.certificates, [files]);
    }

    #[test]
    fn a_certificate_needs_its_key_and_nothing_else() {
        let text = "[tls]\ncertificates = [\n{ cert = \"a.pem\", kye = \"a.key\" },\n\"b.pem\"]";
        assert_eq!(
            complaints(text),
            [
                "ficha.toml:3: [tls] certificates: unknown key \"kye\", did you mean key? (there are cert, key)",
                "ficha.toml:3: [tls] certificates: key is missing: expected { cert = \"FILE\", key = \"FILE\" }",
                "ficha.toml:4: [tls] certificates: expected { cert = \"FILE\", key = \"FILE\" }; found \"b.pem\"",
            ]
        );
    }

    #[test]
    fn https_needs_a_certificate_and_plain_http_none() {
        let rest = "[store]\ndata = \"/d\"\n[keys]\nmaster_key_file = \"/m\"\n";
        assert_eq!(
            complaints_of(rest, &[]),
            [
                "ficha.toml: [tls] certificates: HTTPS needs one: expected [{ cert = \"FILE\", key = \"FILE\" }], or no address in [listen] https (`ficha dev` makes a certificate of its own)"
            ]
        );
        let plain = config_of("ficha.toml", &format!("{rest}[listen]\nhttps = []\nhttp = [\"127.0.0.1:8080\"]"));
        assert!(plain.tls.certificates.is_empty());
    }

    #[test]
    fn in_the_environment_certificates_are_written_as_in_toml() {
        let value = "[{ cert = 'a.pem', key = 'a.key' }]";
        let rest = "[store]\ndata = \"/d\"\n[keys]\nmaster_key_file = \"/m\"\n";
        let read = crate::read("ficha.toml", rest, [("FICHA_TLS__CERTIFICATES", value)]).unwrap();
        assert_eq!(read.tls.certificates.first().unwrap().key, PathBuf::from("a.key"));
        let said = complaints_of(rest, &[("FICHA_TLS__CERTIFICATES", "[{ cert = }]")]);
        assert!(
            said[0].starts_with("environment variable FICHA_TLS__CERTIFICATES: [tls] certificates: expected a list"),
            "{said:?}"
        );
    }
}
