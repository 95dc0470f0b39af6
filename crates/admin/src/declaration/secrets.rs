//! Secrets of a declaration: a digest, a hash, or a file that holds them. Never the secret itself.

use ficha_core::{
    operator::{DeclaredPassword, DeclaredSecret, is_generated},
    records::PasswordHash,
};
use ficha_jose::sha256;
use ficha_types::Secret;
use toml::de::DeValue;

use super::{
    OpenSecret,
    section::{Section, Value},
};

const SECRET: &str =
    "expected { sha256 = \"…\" }, \"sha256:…\" or { file = \"…\" }: a secret never stands in the file itself";
const PASSWORD: &str =
    "expected { hash = \"$…\" }, \"$…\" (a hash) or { file = \"…\" }: a password never stands in the file itself";
const DIGEST: &str = "expected the SHA-256 of the secret: 64 hexadecimal digits";

/// The secrets under `secrets`.
pub(super) fn secrets(section: &Section<'_>, open: OpenSecret<'_>) -> Vec<DeclaredSecret> {
    let items = section.value("secrets").map(|value| section.list(value, "secrets")).unwrap_or_default();
    items.into_iter().filter_map(|item| secret(section, item, open)).collect()
}

fn secret(section: &Section<'_>, value: Value<'_>, open: OpenSecret<'_>) -> Option<DeclaredSecret> {
    if let DeValue::String(text) = value.get_ref() {
        let digest = text.strip_prefix("sha256:").map(hex_32);
        if digest.is_none_or(|d| d.is_none()) {
            section.wrong(value, "secrets", if digest.is_some() { DIGEST } else { SECRET });
        }
        return Some(DeclaredSecret { id: None, sha256: digest??, generated: false });
    }
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        section.wrong(value, "secrets", SECRET);
        return None;
    }
    let inner = section.below(value, "secrets")?;
    let id = inner.value("id").and_then(|id| inner.text(id, "id")).map(str::to_owned);
    let (digest, file) = (inner.value("sha256"), inner.value("file"));
    let generated = inner.flag("generated");
    let found = match (digest, file) {
        (Some(digest), None) => {
            let bytes = inner.text(digest, "sha256").and_then(hex_32);
            if bytes.is_none() {
                inner.wrong(digest, "sha256", DIGEST);
            }
            bytes.map(|bytes| (bytes, generated))
        }
        (None, Some(file)) => from_file(&inner, file, open)
            .map(|secret| (sha256(secret.expose().as_bytes()), is_generated(secret.expose()))),
        (None, None) | (Some(_), Some(_)) => {
            section.wrong(value, "secrets", SECRET);
            None
        }
    };
    inner.finish();
    let (sha256, generated) = found?;
    Some(DeclaredSecret { id, sha256, generated })
}

/// The password under `password`.
pub(super) fn password(section: &Section<'_>, open: OpenSecret<'_>) -> Option<DeclaredPassword> {
    let value = section.need("password", "{ hash = \"$…\" } or { file = \"…\" }")?;
    let hash = |text: &str| DeclaredPassword::Hash(PasswordHash::new(text.to_owned()));
    if let DeValue::String(text) = value.get_ref() {
        if !text.starts_with('$') {
            section.wrong(value, "password", PASSWORD);
            return None;
        }
        return Some(hash(text));
    }
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        section.wrong(value, "password", PASSWORD);
        return None;
    }
    let inner = section.below(value, "password")?;
    let found = match (inner.value("hash"), inner.value("file")) {
        (Some(value), None) => inner.text(value, "hash").map(hash),
        (None, Some(file)) => from_file(&inner, file, open).map(DeclaredPassword::Plain),
        (None, None) | (Some(_), Some(_)) => {
            section.wrong(value, "password", PASSWORD);
            None
        }
    };
    inner.finish();
    found
}

/// What the file holds, without the line's end.
fn from_file<'t>(section: &Section<'t>, value: Value<'t>, open: OpenSecret<'_>) -> Option<Secret> {
    let path = section.file.resolve(section.text(value, "file")?);
    match open(&path) {
        Ok(secret) if secret.expose().is_empty() => {
            section.wrong(value, "file", format!("{} is empty", path.display()));
            None
        }
        Ok(secret) => Some(secret),
        Err(message) => {
            section.wrong(value, "file", format!("{}: {message}", path.display()));
            None
        }
    }
}

/// 64 hexadecimal digits.
fn hex_32(text: &str) -> Option<[u8; 32]> {
    let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect();
    bytes.filter(|_| rest.is_empty())?.try_into().ok()
}
