//! The issuer is believed by its certificate alone.

use std::sync::Arc;

use axum::Router;
use ficha_verify::{Rejection, Verifier};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{
    issuer::{AUDIENCE, PATIENCE, Shared, TestClock, app},
    vouch::{claims, set, token},
};

/// An issuer behind TLS on localhost: its URL, and the certificate of the authority that vouches for it.
async fn start() -> (String, String) {
    serve(app(Shared::new(set(&["k"])))).await
}

/// Serves `routes` behind TLS on localhost.
pub(crate) async fn serve(routes: Router) -> (String, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();

    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, routes) = (acceptor.clone(), routes.clone());
            tokio::spawn(async move {
                // A client that does not trust the certificate ends the handshake.
                if let Ok(stream) = acceptor.accept(stream).await {
                    let service = TowerToHyperService::new(routes);
                    let _ =
                        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                }
            });
        }
    });
    (url, authority.pem())
}

fn verifier(url: &str, ca: Option<&str>) -> Verifier {
    let builder = Verifier::builder(url, AUDIENCE).clock(TestClock::at_noon().reading()).timeout(PATIENCE);
    let builder = builder.jwks_url(&format!("{url}/jwks"));
    match ca {
        Some(pem) => builder.root_ca_pem(pem.as_bytes()).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

#[tokio::test]
async fn an_authority_of_its_own_is_trusted_when_it_is_given() {
    let (url, ca) = start().await;
    assert!(verifier(&url, Some(&ca)).verify(&token("k", &claims(&url))).await.is_ok());
}

#[tokio::test]
async fn an_issuer_without_a_trusted_certificate_gives_no_keys() {
    let (url, _) = start().await;
    let (_, other_ca) = start().await;
    for ca in [None, Some(other_ca.as_str())] {
        let refused = verifier(&url, ca).verify(&token("k", &claims(&url))).await.unwrap_err();
        assert_eq!(refused, Rejection::KeysUnavailable);
    }
}
