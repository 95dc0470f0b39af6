//! Every secret, password and token that was used, and the search for them where none may be: in what a server writes to its
//! log and in its database.

use std::{
    collections::BTreeMap,
    fmt::Write,
    io::Read,
    path::Path,
    sync::{Mutex, PoisonError},
};

use aho_corasick::AhoCorasick;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

/// Each text with what it is. The demo data is public and not among them.
static NOTED: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// Fewer characters are not looked for: they are no secret.
const SHORTEST: usize = 12;

/// Random bytes of the system, as hexadecimal digits.
pub fn random(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut random).unwrap();
    random.iter().fold(String::new(), |mut out, b| {
        write!(out, "{b:02x}").unwrap();
        out
    })
}

/// A new secret of that kind, noted.
pub fn fresh(kind: &str) -> String {
    let secret = format!("mark-{}", random(16));
    note(kind, &secret);
    secret
}

/// From now on `secret` must not be found.
pub fn note(kind: &str, secret: &str) {
    if secret.len() >= SHORTEST {
        let mut noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner);
        noted.entry(secret.to_owned()).or_insert_with(|| kind.to_owned());
    }
}

/// Whether `secret` is one of those.
pub fn is_noted(secret: &str) -> bool {
    NOTED.lock().unwrap_or_else(PoisonError::into_inner).contains_key(secret)
}

/// The SHA-256 of a secret as a declaration takes it.
pub fn sha256(secret: &str) -> String {
    ficha_jose::sha256(secret.as_bytes()).iter().fold(String::new(), |mut out, b| {
        write!(out, "{b:02x}").unwrap();
        out
    })
}

/// What is looked for of each one: the text itself, the signature of a JWT alone, its bytes in base64, and its SHA-256, by which
/// a secret that somebody chose can be guessed.
fn needles(log: bool) -> Vec<(String, Vec<u8>)> {
    let mut needles = Vec::new();
    for (secret, kind) in &*NOTED.lock().unwrap_or_else(PoisonError::into_inner) {
        needles.push((kind.clone(), secret.clone().into_bytes()));
        if let [_, _, signature] = secret.split('.').collect::<Vec<_>>()[..] {
            needles.push((format!("the signature of {kind}"), signature.as_bytes().to_vec()));
        }
        if let Some(sealed) = secret.strip_prefix("frt_") {
            needles.push((format!("the bytes of {kind}"), URL_SAFE_NO_PAD.decode(sealed).unwrap()));
        }
        if !log && !secret.contains('.') {
            let sha = ficha_jose::sha256(secret.as_bytes());
            needles.push((format!("the SHA-256 of {kind}"), sha.to_vec()));
            needles.push((format!("the SHA-256 of {kind} in hexadecimal digits"), sha256(secret).into_bytes()));
            needles.push((format!("the SHA-256 of {kind} in base64"), STANDARD.encode(sha).into_bytes()));
        }
    }
    needles
}

/// Where secrets were found: a line for each kind and file.
pub fn found_in(files: &[(&Path, bool)]) -> Vec<String> {
    let mut found = Vec::new();
    for log in [true, false] {
        let needles = needles(log);
        let search = AhoCorasick::new(needles.iter().map(|(_, bytes)| bytes)).unwrap();
        for (path, _) in files.iter().filter(|(_, is_log)| *is_log == log) {
            let Ok(text) = std::fs::read(path) else { continue };
            let mut kinds = BTreeMap::new();
            for hit in search.find_overlapping_iter(&text) {
                kinds.entry(needles[hit.pattern().as_usize()].0.as_str()).or_insert(hit.start());
            }
            for (kind, at) in kinds {
                let around = String::from_utf8_lossy(&text[at.saturating_sub(300)..(at + 100).min(text.len())]);
                found.push(format!("{kind} in {} at {at}: …{around}…", path.display()));
            }
        }
    }
    found
}
