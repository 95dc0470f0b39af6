//! Where Debian puts PostgreSQL's binaries.

use std::{fs, path::Path};

/// The binary `name` of the newest version that is installed, or of the search path.
pub(super) fn binary(name: &str) -> String {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|v| v.file_name().to_str()?.parse::<u32>().ok()).max();
    let debian = newest.map(|version| format!("/usr/lib/postgresql/{version}/bin/{name}"));
    debian.filter(|path| Path::new(path).exists()).unwrap_or_else(|| name.to_owned())
}
