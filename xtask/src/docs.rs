//! docs/reference is written from the code.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

pub(crate) fn write(root: &Path, only_check: bool) -> Result<()> {
    let file = root.join("docs/reference/configuration.md");
    let wanted = ficha_config::reference_markdown();
    if fs::read_to_string(&file).is_ok_and(|there| there == wanted) {
        println!("docs: current");
        return Ok(());
    }
    if only_check {
        bail!("docs/reference/configuration.md is not what the code says: cargo xtask docs");
    }
    fs::write(&file, wanted).with_context(|| file.display().to_string())
}
