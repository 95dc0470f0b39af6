//! What `doctor` is told of the process: its configuration, its files, its certificates.

use std::{net::SocketAddr, os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc};

use ficha_config::{Config, MasterKeySource};
use ficha_core::operator::{Certificate, Certificates, Listening, Surroundings};
use ficha_types::UnixSeconds;
use ficha_web::{CertStore, CertificateFiles};

use crate::{clock, serve, wire};

/// What `doctor` is told of the process.
pub(crate) fn of(config: &Config) -> Surroundings {
    let mut secrets: Vec<_> = config.tls.certificates.iter().map(|c| c.key.clone()).collect();
    secrets.push(config.store.url_file.clone().unwrap_or_else(|| config.store.data.join(wire::DATABASE)));
    let others_may_read = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o004 != 0);
    Surroundings {
        dev: false,
        master_from_environment: matches!(config.keys.master, MasterKeySource::Environment { .. }),
        readable_by_others: secrets.into_iter().filter(others_may_read).collect(),
        listening: Some(listening(config)),
    }
}

fn listening(config: &Config) -> Listening {
    let ports = |addresses: &[SocketAddr]| addresses.iter().map(SocketAddr::port).collect();
    let listen = &config.listen;
    Listening {
        https: ports(&listen.https),
        http: ports(&listen.http),
        ops: listen.ops,
        behind_proxies: !listen.trusted_proxies.is_empty(),
        certificates: Arc::new(OnDisk(serve::certificate_files(config))),
    }
}

/// Certificates as their files are now.
#[derive(Debug)]
struct OnDisk(Vec<CertificateFiles>);

impl Certificates for OnDisk {
    fn look(&self) -> Result<Vec<Certificate>, String> {
        let loaded = CertStore::load(self.0.clone(), clock::wall()).map_err(|error| error.to_string())?;
        let all = loaded.certificates().into_iter();
        Ok(all.map(|c| Certificate { file: c.chain, names: c.names, not_after: UnixSeconds(c.not_after) }).collect())
    }
}
