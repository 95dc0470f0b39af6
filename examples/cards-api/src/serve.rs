//! Serving: TLS, or plain HTTP on loopback; connections have a bound, and so has the time of a handshake and of a header.

use std::{path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
};
use ficha_verify::Transport;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

/// Connections at a time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 512;
/// Time for a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time until the header of a request is there.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// Pause after a connection could not be accepted, which is mostly for want of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What makes TLS of a connection, by these PEM files.
pub(crate) fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let at = |path: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).map_err(|why| at(cert, &why))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|why| at(key, &why))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|why| at(cert, &why))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves `router` on what `listener` accepts, for ever.
pub(crate) async fn serve(listener: TcpListener, acceptor: Option<TlsAcceptor>, router: Router) {
    let secure = acceptor.is_some();
    let router = router.layer(from_fn(move |request, next| marked(secure, request, next)));
    let turns = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // The semaphore is never closed.
    while let Ok(turn) = Arc::clone(&turns).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            let _turn = turn;
            match acceptor {
                None => converse(stream, router).await,
                Some(acceptor) => {
                    if let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                        converse(stream, router).await;
                    }
                }
            }
        });
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, router: Router) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(64);
    // A peer that goes away in the middle is nothing to tell.
    let _ = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
}

/// Says how the request came. What somebody forwarded may have come from anywhere.
async fn marked(secure: bool, mut request: Request, next: Next) -> axum::response::Response {
    let forwarded = request.headers().keys().any(|name| {
        let name = name.as_str();
        name == "forwarded" || name == "via" || name.starts_with("x-forwarded-")
    });
    let transport = match (secure, forwarded) {
        (true, _) => Transport::Https,
        (false, false) => Transport::LoopbackHttp,
        (false, true) => Transport::Http,
    };
    request.extensions_mut().insert(transport);
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use std::{fs, net::SocketAddr, process};

    use cards_api::PlainHttp;
    use ficha_verify::Verifier;
    use reqwest::{Certificate, Client};

    use super::*;

    async fn start(acceptor: Option<TlsAcceptor>) -> SocketAddr {
        let verifier = Verifier::builder("https://issuer.example", "api").shared_secret(&[1; 32]).build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, acceptor, cards_api::router(verifier, PlainHttp::OnLoopback)));
        address
    }

    #[tokio::test]
    async fn https_is_served_with_the_certificate_of_the_files() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = std::env::temp_dir().join(format!("cards-api-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        fs::write(&cert, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let port = start(Some(acceptor(&cert, &key).unwrap())).await.port();
        fs::remove_dir_all(&folder).unwrap();

        let root = Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
        let client = Client::builder().tls_certs_only([root]).build().unwrap();
        let answer = client.get(format!("https://localhost:{port}/cards/crd-1")).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (401, reqwest::Version::HTTP_2));
    }

    #[test]
    fn files_that_are_no_certificate_are_named() {
        let Err(why) = acceptor(Path::new("/nowhere/cert.pem"), Path::new("/nowhere/key.pem")) else {
            panic!("there are no such files")
        };
        assert!(why.starts_with("/nowhere/cert.pem: "), "{why}");
    }

    #[tokio::test]
    async fn plain_http_is_served_to_who_asks_directly() {
        let address = start(None).await;
        let request = || Client::new().get(format!("http://{address}/cards/crd-1"));
        assert_eq!(request().send().await.unwrap().status(), 401);
        for name in ["Forwarded", "X-Forwarded-For", "x-forwarded-proto", "Via"] {
            assert_eq!(request().header(name, "https").send().await.unwrap().status(), 400, "{name}");
        }
    }
}
