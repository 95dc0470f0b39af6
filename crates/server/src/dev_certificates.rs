//! The development CA and its certificate: made once, kept in the data folder.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::clock;

/// The CA's certificate, for `--cacert`.
pub(crate) const CA: &str = "ca.pem";
/// The server's certificate chain.
pub(crate) const CHAIN: &str = "server.pem";
/// The server's key.
pub(crate) const KEY: &str = "server.key";

/// How long both last. The CA's key is thrown away: it can sign nothing more.
const LASTS: Duration = Duration::from_hours(24 * 365);
/// When older they are made anew.
const OLD: Duration = Duration::from_hours(24 * 335);

/// Makes CA and certificate for `names` in `data`, unless they are there and last.
pub(crate) fn ensure(data: &Path, names: &[String]) -> Result<()> {
    let made = data.join(CHAIN);
    let age = fs::metadata(&made).and_then(|m| m.modified()).ok().and_then(|at| clock::wall().duration_since(at).ok());
    let there = [CA, CHAIN, KEY].iter().all(|f| data.join(f).exists());
    if there && age.is_some_and(|age| age < OLD) && names_its_authority(&made) {
        return Ok(());
    }
    let not_after = (clock::wall() + LASTS).into();
    let not_before = (clock::wall() - Duration::from_hours(1)).into();
    let mut ca = CertificateParams::default();
    ca.distinguished_name = name("ficha development CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (ca.not_before, ca.not_after) = (not_before, not_after);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
    let mut server = CertificateParams::new(names)?;
    server.distinguished_name = name("ficha dev");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // RFC 5280 §4.2.1.1. Strict verifiers refuse a certificate without it: Python from 3.13 on.
    server.use_authority_key_identifier_extension = true;
    (server.not_before, server.not_after) = (not_before, not_after);
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &ca)?;
    write(&data.join(CA), &ca.pem(), 0o644)?;
    write(&data.join(KEY), &key.serialize_pem(), 0o600)?;
    write(&made, &certificate.pem(), 0o644)
}

/// Whether the certificate has an authority key identifier (2.5.29.35): those of earlier versions had none.
fn names_its_authority(chain: &Path) -> bool {
    const ID: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 0x23];
    let certificate = CertificateDer::from_pem_file(chain);
    certificate.is_ok_and(|certificate| certificate.windows(ID.len()).any(|part| part == ID))
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

/// Writes beside and moves into place: whoever reads sees all of it or what was there before.
pub(crate) fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let attempt = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    attempt().with_context(|| format!("{} can't be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_names_its_authority_and_one_that_does_not_is_made_anew() {
        let data = tempfile::tempdir().unwrap();
        let chain = data.path().join(CHAIN);
        let names = ["localhost".to_owned()];
        ensure(data.path(), &names).unwrap();
        assert!(names_its_authority(&chain));
        let made = fs::read_to_string(&chain).unwrap();
        ensure(data.path(), &names).unwrap();
        assert_eq!(fs::read_to_string(&chain).unwrap(), made, "it is kept");
        // The CA's own names none: it is signed by itself.
        fs::copy(data.path().join(CA), &chain).unwrap();
        ensure(data.path(), &names).unwrap();
        assert!(names_its_authority(&chain));
    }
}
