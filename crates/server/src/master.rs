//! Where the master key comes from.

use std::path::Path;

use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD};
use ficha_config::{Keys, read_master_key};
use ficha_core::master::MasterKeys;

use crate::dev_certificates::write;

/// The master keys that a configuration names.
pub(crate) fn of(keys: &Keys) -> Result<MasterKeys> {
    let current = read_master_key(&keys.master)?;
    let previous = keys.previous.as_ref().map(read_master_key).transpose()?;
    Ok(MasterKeys::new(current.expose(), previous.as_ref().map(ficha_config::MasterKey::expose)))
}

/// Makes a master key for `ficha dev` where there is none.
pub(crate) fn ensure_file(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let key = zeroize::Zeroizing::new(ficha_jose::random::bytes::<32>());
    let text = zeroize::Zeroizing::new(STANDARD.encode(*key) + "\n");
    write(path, &text, 0o600)
}
