//! TLS: versions, certificates by name, and their reloading.

use std::{net::TcpStream, sync::Arc};

use ficha_tests::{Config, Server, eventually};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, version};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};

use crate::{Site, site};

/// A handshake by that version and name: what was agreed, or what was wrong.
fn handshake(
    server: &Server,
    version: &'static rustls::SupportedProtocolVersion,
    name: &str,
) -> Result<(Option<ProtocolVersion>, Option<Vec<u8>>), String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(server.ca()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut tcp = TcpStream::connect(server.places.https).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut tcp).map_err(|e| e.to_string())?;
    }
    Ok((connection.protocol_version(), connection.alpn_protocol().map(<[u8]>::to_vec)))
}

#[test]
fn tls_1_2_and_1_3_are_spoken_with_http_2_preferred() {
    let site = site();
    for (asked, agreed) in [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)] {
        assert_eq!(handshake(&site.server, asked, "localhost"), Ok((Some(agreed), Some(b"h2".to_vec()))));
    }
}

#[test]
fn the_name_picks_the_certificate_and_an_unknown_one_gets_the_first() {
    let site = Site::with(Config::new().with_certificate("second", &["second.example", "*.wild.example"]));
    for good in ["localhost", "second.example", "a.wild.example"] {
        assert!(handshake(&site.server, &version::TLS13, good).is_ok(), "{good}");
    }
    for unknown in ["unknown.example", "127.0.0.1"] {
        let refused = handshake(&site.server, &version::TLS13, unknown).unwrap_err();
        assert!(refused.contains("localhost") && !refused.contains("second"), "{unknown}: {refused}");
    }
    // The Host alone picks the issuer, whatever the name in the handshake was.
    let door = site.server.https();
    door.host("second.example", "/a").get("/.well-known/jwks.json").expect(200);
    door.named("second.example").base("/a").get("/.well-known/jwks.json").expect(200);
}

#[test]
fn a_certificate_is_reloaded_when_its_files_change_and_open_connections_go_on() {
    let site = Site::with(Config::new());
    let (server, token) = (&site.server, site.token().bytes());
    let mut open = server.https().connect();
    open.write(&token).unwrap();
    open.read_answer(false).unwrap().expect(200);
    assert!(handshake(server, &version::TLS13, "renewed.example").is_err());

    server.authority().issue(&["localhost", "renewed.example"]).write(server.config().dir(), "server");
    eventually("the new certificate", || handshake(server, &version::TLS13, "renewed.example").is_ok());
    open.write(&token).unwrap();
    open.read_answer(false).unwrap().expect(200);

    // A broken file leaves the certificate at hand in use, with a word in the log.
    std::fs::write(server.config().dir().join("server.pem"), "nonsense").unwrap();
    eventually("a word about the broken file", || server.said("err").contains("server.pem"));
    assert!(handshake(server, &version::TLS13, "renewed.example").is_ok());
    server.authority().issue(&["localhost", "mended.example"]).write(server.config().dir(), "server");
    eventually("the mended certificate", || handshake(server, &version::TLS13, "mended.example").is_ok());
}
