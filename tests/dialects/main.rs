//! Recorded cases: the bytes of a request and the whole answer, in `tests/dialects/VENDOR/*.http`. They are the tests of the
//! dialects, and their documentation.
//!
//! `FICHA_RECORD=1` writes the answers of cases that have none yet; read them before you keep them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking"
)]

mod case;
mod redact;

use std::{path::Path, sync::Arc};

use ficha_tests::{Addresses, Config, Door, Server, Shared};

static DEV: Shared<Server> = Shared::new();

fn dev() -> Arc<Server> {
    DEV.get(|| {
        let server = Server::dev(Addresses::Own);
        if std::env::var("NOAPPLY").is_err() {
            server.apply(include_str!("standard/issuer.toml"));
        }
        server
    })
}

/// Plays every case of the folder, by plain HTTP on the loopback and by TLS; one that says "only by http", by that.
fn play(vendor: &str, server: &Server) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialects").join(vendor);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "http"));
    files.sort();
    assert!(!files.is_empty(), "no cases in {}", folder.display());
    let mut failed = Vec::new();
    for file in &files {
        let doors: [Door; 2] = [server.http(), server.https()];
        let only_http = std::fs::read_to_string(file).unwrap().contains("only by http");
        for door in doors.into_iter().filter(|door| !only_http || door.scheme() == "http") {
            if let Err(why) = case::play(file, &door) {
                failed.push(format!("{} by {}: {why}", file.display(), door.scheme()));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), files.len() * 2, failed.join("\n\n"));
}

#[test]
fn leancore_answers_as_recorded() {
    play("leancore", &dev());
}

#[test]
fn deyel_answers_as_recorded() {
    play("deyel", &dev());
}

#[test]
fn pomelo_answers_as_recorded() {
    play("pomelo", &dev());
}

#[test]
fn standard_answers_as_recorded() {
    play("standard", &dev());
}

/// A dialect of a folder of one's own works like a built-in one.
#[test]
fn acme_that_is_a_file_in_a_folder_answers_as_recorded() {
    let config = Config::new().with("dialects", "folder = \"dialects\"");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/oauth/tests/dialects/acme");
    for name in ["acme.toml", "acme-eu.toml"] {
        config.file(&format!("dialects/{name}"), &std::fs::read_to_string(ours.join(name)).unwrap());
    }
    let server = Server::serve(config);
    server.file("ana.txt", "ana-password");
    server.apply(include_str!("acme/issuer.toml"));
    play("acme", &server);
}
