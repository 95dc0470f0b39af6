//! The keys of the vectors: made once, and published with their private halves, so they protect nothing.

use std::{collections::HashMap, fs, path::Path};

use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_jose::{Compact, SigningKey, jws};
use ficha_types::Algorithm;
use serde_json::{Value, json};

/// Every key: its name, its algorithm.
const ALL: [(&str, Algorithm); 8] = [
    ("rs256", Algorithm::Rs256),
    ("ps256", Algorithm::Ps256),
    ("es256", Algorithm::Es256),
    ("ed25519", Algorithm::EdDsa),
    ("forger-rs256", Algorithm::Rs256),
    ("forger-es256", Algorithm::Es256),
    ("secret-1", Algorithm::Hs256),
    ("secret-2", Algorithm::Hs256),
];

pub(crate) struct Keys {
    keys: HashMap<&'static str, (SigningKey, Vec<u8>)>,
    /// Signatures that hold already, by what they sign: of ES256 and PS256 each one is another.
    signed: HashMap<String, Vec<String>>,
}

impl Keys {
    /// The keys of `keys.json` in `folder`, which is made when it is not there yet.
    pub(crate) fn of(folder: &Path, only_check: bool) -> Result<Self> {
        let file = folder.join("keys.json");
        if !file.exists() && !only_check {
            fs::write(&file, serde_json::to_string_pretty(&make()?)? + "\n")?;
        }
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let known: Value = serde_json::from_str(&text)?;
        let mut keys = HashMap::new();
        for (name, algorithm) in ALL {
            let private = known.pointer(&format!("/keys/{name}")).and_then(Value::as_str);
            let private = URL_SAFE_NO_PAD.decode(private.with_context(|| format!("keys.json has no {name}"))?)?;
            keys.insert(name, (SigningKey::from_private(algorithm, &private)?, private));
        }
        let mut signed: HashMap<String, Vec<String>> = HashMap::new();
        for name in ["algorithms", "structure", "claims", "kinds", "revocations"] {
            let Ok(text) = fs::read_to_string(folder.join(format!("{name}.json"))) else { continue };
            let file: Value = serde_json::from_str(&text)?;
            for case in file.pointer("/cases").and_then(Value::as_array).into_iter().flatten() {
                let token = case.pointer("/token").and_then(Value::as_str).unwrap_or_default();
                if let Some((input, _)) = token.rsplit_once('.') {
                    signed.entry(input.to_owned()).or_default().push(token.to_owned());
                }
            }
        }
        Ok(Self { keys, signed })
    }

    pub(crate) fn key(&self, name: &str) -> Result<&SigningKey> {
        self.keys.get(name).map(|(key, _)| key).with_context(|| format!("there is no key {name}"))
    }

    /// The bytes of a shared secret.
    pub(crate) fn secret(&self, name: &str) -> Result<&[u8]> {
        match self.keys.get(name) {
            Some((key, private)) if key.algorithm() == Algorithm::Hs256 => Ok(private),
            _ => bail!("there is no secret {name}"),
        }
    }

    /// The public half under this `kid`.
    pub(crate) fn jwk(&self, name: &str, kid: &str) -> Result<Value> {
        let jwk = self.key(name)?.public_jwk(kid).context("a secret has no public half")?;
        Ok(serde_json::to_value(jwk)?)
    }

    /// The token of these parts: the one that is there already when its signature holds.
    pub(crate) fn sign(&self, header: &str, payload: &[u8], name: &str) -> Result<String> {
        let key = self.key(name)?;
        let token = jws::compact(header.as_bytes(), payload, key)?;
        let input = token.rsplit_once('.').map_or("", |(input, _)| input);
        let holds = |known: &&String| {
            let signature = known.rsplit_once('.').and_then(|(_, last)| URL_SAFE_NO_PAD.decode(last).ok());
            signature.is_some_and(|signature| key.verifying().verify(input.as_bytes(), &signature))
        };
        Ok(self.signed.get(input).into_iter().flatten().find(holds).cloned().unwrap_or(token))
    }

    /// The parts of `token`, which must be one.
    pub(crate) fn apart(token: &str) -> Result<[&str; 3]> {
        Compact::parse(token)?;
        let mut parts = token.split('.');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(header), Some(payload), Some(signature)) => Ok([header, payload, signature]),
            _ => bail!("{token} has not three parts"),
        }
    }
}

fn make() -> Result<Value> {
    let mut keys = serde_json::Map::new();
    for (name, algorithm) in ALL {
        let (_, private) = SigningKey::generate(algorithm, 2048)?;
        keys.insert(name.to_owned(), URL_SAFE_NO_PAD.encode(&*private).into());
    }
    let about = "Private keys (PKCS#8) and secrets of the vectors, in base64url. They are public: never trust them.";
    Ok(json!({ "about": about, "keys": keys }))
}
