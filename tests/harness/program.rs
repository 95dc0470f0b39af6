//! The program under test: built when it is missing or older than its sources.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// The path of `ficha`. `FICHA_TEST_BINARY` names another one.
pub fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| match std::env::var("FICHA_TEST_BINARY") {
        Ok(path) => path.into(),
        Err(_) => built(),
    });
    &PROGRAM
}

/// Beside the tests' own executables, which lie in `deps`.
fn built() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(Path::parent).unwrap();
    let path = folder.join("ficha");
    if is_stale(&path) {
        let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        cargo.args(["build", "--quiet", "-p", "ficha", "--bin", "ficha"]);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
        assert!(status.success(), "ficha does not build");
    }
    path
}

/// Whether it is missing, or one of the sources that cargo lists beside it is younger.
fn is_stale(path: &Path) -> bool {
    let age = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    let (Some(made), Ok(list)) = (age(path), std::fs::read_to_string(path.with_extension("d"))) else { return true };
    let sources = list.split_once(": ").map_or("", |(_, sources)| sources);
    sources.split_whitespace().any(|source| age(Path::new(source)).is_none_or(|written| written > made))
}
