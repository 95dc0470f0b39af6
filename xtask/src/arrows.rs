//! The arrows between the crates point down only.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

/// The lines, top first; a crate may use those on lower lines.
const LINES: [&[&str]; 5] = [
    &["server"],
    &["oauth", "admin", "gate", "store"],
    &["core", "verify"],
    &["jose", "config", "web"],
    &["types", "telemetry"],
];

pub(crate) fn check(root: &Path) -> Result<()> {
    let mut wrong = Vec::new();
    let mut crates: Vec<_> = fs::read_dir(root.join("crates"))?.collect::<std::io::Result<_>>()?;
    crates.sort_by_key(fs::DirEntry::path);
    for dir in crates {
        let name = dir.file_name().to_string_lossy().into_owned();
        let manifest = dir.path().join("Cargo.toml");
        let text = fs::read_to_string(&manifest).with_context(|| manifest.display().to_string())?;
        let manifest: toml::Table = text.parse().with_context(|| manifest.display().to_string())?;
        let ours = |section: &str| {
            let table = manifest.get(section).and_then(toml::Value::as_table);
            let names = table.into_iter().flat_map(toml::Table::keys);
            names.filter_map(|n| n.strip_prefix("ficha-")).map(str::to_owned).collect::<Vec<_>>()
        };
        if name == "testkit" {
            wrong.extend(
                ours("dependencies")
                    .iter()
                    .filter(|d| line(d) < line("core"))
                    .map(|d| format!("testkit uses {d}, which stands above core")),
            );
            continue;
        }
        let Some(own) = line(&name) else {
            wrong.push(format!("crates/{name} stands on no line: add it to xtask/src/arrows.rs and CONTRIBUTING.md"));
            continue;
        };
        for used in ours("dependencies").into_iter().chain(ours("build-dependencies")) {
            if line(&used).is_none_or(|l| l <= own) {
                wrong.push(format!("{name} uses {used}, which does not stand on a lower line"));
            }
        }
        wrong.extend(
            ours("dev-dependencies")
                .iter()
                .filter(|d| *d != "testkit" && line(d).is_none_or(|l| l <= own))
                .map(|d| format!("the tests of {name} use {d}, which does not stand on a lower line")),
        );
    }
    if wrong.is_empty() {
        println!("arrows: all point down");
        return Ok(());
    }
    bail!("arrows that do not point down:\n  {}", wrong.join("\n  "))
}

fn line(name: &str) -> Option<usize> {
    LINES.iter().position(|crates| crates.contains(&name))
}
