//! A case as it is written down here.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::keys::Keys;

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "https://api.example.com";
/// 2027-01-15T08:00:00Z, when the tokens are issued and looked at.
pub(crate) const NOON: i64 = 1_800_000_000;

/// A token, who looks at it and when, and what is to be said.
pub(crate) struct Draft {
    pub(crate) name: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) verdict: &'static str,
    pub(crate) verifier: &'static str,
    pub(crate) at: i64,
    text: Text,
}

enum Text {
    /// Signed by this key, and altered afterwards.
    Signed { header: String, payload: Vec<u8>, key: &'static str, altered: Altered },
    /// As it is.
    Plain(String),
}

/// What is done to a token after it was signed.
type Altered = fn(&Keys, &str) -> Result<String>;

/// A case of a good token, for this verdict: `ok` or the code of the refusal.
pub(crate) fn case(name: &'static str, rule: &'static str, verdict: &'static str) -> Draft {
    let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": "rs256"}).to_string();
    let payload = members(&json!({})).to_string().into_bytes();
    let text = Text::Signed { header, payload, key: "rs256", altered: |_, token| Ok(token.to_owned()) };
    Draft { name, rule, verdict, verifier: "usual", at: NOON, text }
}

/// The claims of a good token with these instead; `null` takes one out.
pub(crate) fn members(instead: &Value) -> Value {
    let mut claims = Map::new();
    let usual = json!({
        "iss": ISSUER, "sub": "user-1", "aud": AUDIENCE, "client_id": "app", "iat": NOON, "exp": NOON + 3600,
        "jti": "token-1", "scope": "cards:get users:get",
    });
    let pairs = |value: &Value| value.as_object().cloned().unwrap_or_default();
    claims.extend(pairs(&usual));
    for (name, value) in pairs(instead) {
        if value.is_null() {
            claims.shift_remove(&name);
        } else {
            claims.insert(name, value);
        }
    }
    Value::Object(claims)
}

impl Draft {
    /// Another header, signed by this key.
    pub(crate) fn header(self, new: &Value, by: &'static str) -> Self {
        self.header_text(&new.to_string(), by)
    }

    pub(crate) fn header_text(mut self, new: &str, by: &'static str) -> Self {
        if let Text::Signed { header, key, .. } = &mut self.text {
            new.clone_into(header);
            *key = by;
        }
        self
    }

    /// Other claims; `null` takes one out.
    pub(crate) fn claims(self, instead: &Value) -> Self {
        let text = members(instead).to_string();
        self.payload(text.as_bytes())
    }

    pub(crate) fn payload(mut self, new: &[u8]) -> Self {
        if let Text::Signed { payload, .. } = &mut self.text {
            *payload = new.to_vec();
        }
        self
    }

    /// Altered after it was signed.
    pub(crate) fn then(mut self, alter: Altered) -> Self {
        if let Text::Signed { altered, .. } = &mut self.text {
            *altered = alter;
        }
        self
    }

    /// This and nothing else.
    pub(crate) fn text(self, text: &str) -> Self {
        Self { text: Text::Plain(text.to_owned()), ..self }
    }

    /// Seen by another verifier.
    pub(crate) fn to(self, verifier: &'static str) -> Self {
        Self { verifier, ..self }
    }

    /// Seen so many seconds later.
    pub(crate) fn after(self, seconds: i64) -> Self {
        Self { at: NOON + seconds, ..self }
    }

    pub(crate) fn token(&self, keys: &Keys) -> Result<String> {
        match &self.text {
            Text::Plain(text) => Ok(text.clone()),
            Text::Signed { header, payload, key, altered } => altered(keys, &keys.sign(header, payload, key)?),
        }
    }
}
