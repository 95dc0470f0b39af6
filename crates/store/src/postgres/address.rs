//! Where a database is, and whether the way there is safe.

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio_postgres::{
    Config,
    config::{Host, SslMode, TargetSessionAttrs},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{PostgresOptions, failure::PostgresFailure};

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// How long a peer may say nothing until it is asked whether it is there, and how long the answer may take in all.
const IDLE: Duration = Duration::from_secs(10);

/// A database's URL, read and made safe.
pub(super) fn config(url: &str) -> Result<Config, PostgresFailure> {
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(PostgresFailure::Url("it does not begin with postgres://".to_owned()));
    }
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        // Its source names the option, never a value.
        let source = std::error::Error::source(&error).map(ToString::to_string);
        PostgresFailure::Url(source.unwrap_or_else(|| "it is malformed".to_owned()))
    })?;
    let elsewhere = elsewhere(&config);
    match (&elsewhere, config.get_ssl_mode()) {
        (Some(host), SslMode::Disable) => return Err(PostgresFailure::Insecure(host.clone())),
        // "Preferred" means that whoever stands between decides.
        (Some(_), _) | (None, SslMode::Require) => config.ssl_mode(SslMode::Require),
        (None, _) => config.ssl_mode(SslMode::Disable),
    };
    // A server that only reads lags behind the one that writes: what was taken away would still stand there.
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    config.connect_timeout(CONNECT).keepalives_idle(IDLE).keepalives_interval(Duration::from_secs(3));
    config.keepalives_retries(3).tcp_user_timeout(IDLE);
    if config.get_application_name().is_none() {
        config.application_name("ficha");
    }
    Ok(config)
}

/// The first host that is not this machine.
fn elsewhere(config: &Config) -> Option<String> {
    let hosts = config.get_hosts().iter().find_map(|host| match host {
        Host::Unix(_) => None,
        Host::Tcp(name) => {
            let loopback = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
            (!loopback).then(|| name.clone())
        }
    });
    let addresses = || config.get_hostaddrs().iter().find(|address| !address.is_loopback()).map(ToString::to_string);
    hosts.or_else(addresses)
}

/// Hosts, ports and name of the database.
pub(super) fn place(config: &Config) -> String {
    let mut hosts: Vec<_> = config
        .get_hosts()
        .iter()
        .map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    if hosts.is_empty() {
        hosts = config.get_hostaddrs().iter().map(ToString::to_string).collect();
    }
    let ports = config.get_ports();
    let hosts: Vec<_> = hosts
        .iter()
        .enumerate()
        .map(|(n, host)| format!("{host}:{}", ports.get(n).or_else(|| ports.first()).copied().unwrap_or(5432)))
        .collect();
    let name = config.get_dbname().or_else(|| config.get_user()).unwrap_or_default();
    format!("{}/{name}", hosts.join(","))
}

/// How TLS is spoken: the server's certificate is for its name, and an authority vouches for it.
pub(super) fn tls(options: &PostgresOptions) -> Result<MakeRustlsConnect, PostgresFailure> {
    let roots = match &options.root_ca {
        Some(path) => authorities(path)?,
        None => system(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| PostgresFailure::Authorities(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn authorities(path: &Path) -> Result<RootCertStore, PostgresFailure> {
    let failed = |why: &dyn std::fmt::Display| PostgresFailure::Authorities(format!("{}: {why}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| failed(&e))? {
        roots.add(certificate.map_err(|e| failed(&e))?).map_err(|e| failed(&e))?;
    }
    if roots.is_empty() { Err(failed(&"no certificate stands in it")) } else { Ok(roots) }
}

/// The system's authorities: none where it has none, which the first handshake then says.
fn system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Result<SslMode, String> {
        config(url).map(|config| config.get_ssl_mode()).map_err(|e| e.to_string())
    }

    #[test]
    fn another_machine_is_spoken_to_by_tls_alone() {
        for url in [
            "postgres://u:secret@db.example/ficha",
            "postgres://u:secret@192.0.2.1/ficha?sslmode=prefer",
            "postgres://u:secret@localhost,db.example/ficha",
            "postgres://u:secret@db.example/ficha?hostaddr=127.0.0.1",
            "postgres://u:secret@localhost/ficha?sslmode=require",
        ] {
            assert_eq!(mode(url), Ok(SslMode::Require), "{url}");
        }
        let refused = mode("postgres://u:secret@db.example/ficha?sslmode=disable").unwrap_err();
        assert!(refused.starts_with("db.example is another machine"), "{refused}");
    }

    #[test]
    fn this_machine_is_spoken_to_in_the_clear() {
        for url in [
            "postgres://u@localhost/ficha",
            "postgres://u@127.0.0.1:6432/ficha",
            "postgresql://u@[::1]/ficha",
            "postgres://u@%2Frun%2Fpostgresql/ficha",
        ] {
            assert_eq!(mode(url), Ok(SslMode::Disable), "{url}");
        }
    }

    #[test]
    fn what_is_said_of_a_url_holds_neither_user_nor_password() {
        let place_of = |url| place(&config(url).unwrap());
        assert_eq!(
            place_of("postgres://ana:secret@a.example,b.example:5433/ficha"),
            "a.example:5432,b.example:5433/ficha"
        );
        assert_eq!(place_of("postgres://ana:secret@%2Frun%2Fpg:6000/ficha"), "/run/pg:6000/ficha");
        for url in [
            "mysql://ana:secret@db.example/ficha",
            "postgres://ana:secret@db.example:port/ficha",
            "postgres://ana:secret@db.example/ficha?colour=secret",
            "postgres://ana:secret@db.example/ficha?sslmode=secret",
        ] {
            let refused = config(url).map(drop).unwrap_err().to_string();
            assert!(!refused.contains("secret") && !refused.contains("ana"), "{refused}");
        }
    }
}
