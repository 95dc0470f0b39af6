//! What a token that passed says.

use std::{fmt, sync::Arc};

use ficha_types::{Scope, ScopeSet, UnixSeconds};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::Rejection;

/// What a token says that passed every check; only [`Verifier::verify`](crate::Verifier::verify) makes one. A clone
/// shares everything.
#[derive(Clone)]
pub struct Claims(Arc<Checked>);

pub(crate) struct Checked {
    pub(crate) issuer: Arc<str>,
    pub(crate) scopes: ScopeSet,
    pub(crate) expires_at: Option<UnixSeconds>,
    pub(crate) issued_at: Option<UnixSeconds>,
    pub(crate) members: Map<String, Value>,
}

impl Claims {
    pub(crate) fn new(checked: Checked) -> Self {
        Self(Arc::new(checked))
    }

    /// The issuer, as the verifier was told it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// `sub`: whom the token stands for, a user or the client itself.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// `client_id` (RFC 9068 §2.2), else `azp`: which application sends it.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.text("client_id").or_else(|| self.text("azp"))
    }

    /// What it may be used for, of `scope`, else of `scp`: a text with spaces between or a list. Words that are no scope
    /// by RFC 6749 §3.3 are left out.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.0.scopes
    }

    /// `exp`; always there, except where an introspection did not give it.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixSeconds> {
        self.0.expires_at
    }

    /// `iat`: when it was issued.
    #[must_use]
    pub fn issued_at(&self) -> Option<UnixSeconds> {
        self.0.issued_at
    }

    /// `jti`: the token's own id.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.text("jti")
    }

    /// Every claim as it was written, those that this library does not know included.
    #[must_use]
    pub fn all(&self) -> &Map<String, Value> {
        &self.0.members
    }

    /// Whether it holds all of `needed`.
    ///
    /// # Errors
    /// [`Rejection::InsufficientScope`] that names `needed`.
    pub fn require(&self, needed: &ScopeSet) -> Result<(), Rejection> {
        match self.0.scopes.grant(needed) {
            Ok(_) => Ok(()),
            Err(_) => Err(Rejection::InsufficientScope(needed.clone())),
        }
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.0.members.get(claim).and_then(Value::as_str)
    }
}

impl fmt::Debug for Claims {
    /// The token's id and scopes alone: the rest may be about a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("jti", &self.token_id()).field("scopes", &self.0.scopes).finish_non_exhaustive()
    }
}

/// The members of a JSON object, each of which may be there once (RFC 7519 §4 leaves that to us; two readers of one token
/// must not read two things).
pub(crate) fn read_members(json: &[u8]) -> Result<Map<String, Value>, Rejection> {
    let text = str::from_utf8(json).map_err(|_| Rejection::MalformedClaims)?;
    serde_json::from_str::<Members>(text).map(|members| members.0).map_err(|_| Rejection::MalformedClaims)
}

/// The scopes of `scope` or `scp`.
pub(crate) fn scopes(members: &Map<String, Value>) -> Result<ScopeSet, Rejection> {
    let (name, value) = match (members.get("scope"), members.get("scp")) {
        (Some(value), _) => ("scope", value),
        (None, Some(value)) => ("scp", value),
        (None, None) => return Ok(ScopeSet::default()),
    };
    if let Some(text) = value.as_str() {
        Ok(text.split(' ').filter_map(|word| word.parse::<Scope>().ok()).collect())
    } else if let Some(list) = value.as_array() {
        Ok(list.iter().filter_map(|word| word.as_str()?.parse::<Scope>().ok()).collect())
    } else if value.is_null() {
        Ok(ScopeSet::default())
    } else {
        Err(Rejection::MalformedClaim(name))
    }
}

/// An instant of RFC 7519 §2, which may have a fraction; that is cut off.
pub(crate) fn instant(members: &Map<String, Value>, claim: &'static str) -> Result<Option<UnixSeconds>, Rejection> {
    let Some(value) = members.get(claim) else { return Ok(None) };
    if let Some(whole) = value.as_i64() {
        return Ok(Some(UnixSeconds(whole)));
    }
    #[expect(clippy::cast_possible_truncation, reason = "it saturates, and no instant is out there")]
    let seconds = value.as_f64().map(|seconds| seconds.floor() as i64);
    seconds.map(|seconds| Some(UnixSeconds(seconds))).ok_or(Rejection::MalformedClaim(claim))
}

struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members, M::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(Error::custom("a member twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(json: &str) -> Map<String, Value> {
        read_members(json.as_bytes()).unwrap()
    }

    #[test]
    fn scopes_come_as_a_text_or_a_list_under_either_name() {
        let two: ScopeSet = "a b".parse().unwrap();
        for json in [r#"{"scope":"b a"}"#, r#"{"scope":["a","b"]}"#, r#"{"scp":"a  b a"}"#, r#"{"scp":["b","a"]}"#] {
            assert_eq!(scopes(&members(json)).unwrap(), two, "{json}");
        }
        assert!(scopes(&members("{}")).unwrap().is_empty());
        assert_eq!(scopes(&members(r#"{"scope":7}"#)).unwrap_err(), Rejection::MalformedClaim("scope"));
    }

    #[test]
    fn a_list_entry_with_a_space_gives_no_scope() {
        assert_eq!(scopes(&members(r#"{"scope":["a b","c",7]}"#)).unwrap(), "c".parse().unwrap());
    }

    #[test]
    fn a_member_twice_is_no_set_of_claims() {
        assert_eq!(read_members(br#"{"aud":"a","aud":"b"}"#).unwrap_err(), Rejection::MalformedClaims);
        assert_eq!(read_members(b"[]").unwrap_err(), Rejection::MalformedClaims);
        assert_eq!(read_members(b"{} x").unwrap_err(), Rejection::MalformedClaims);
        assert_eq!(read_members(b"{\"a\":\"\xff\"}").unwrap_err(), Rejection::MalformedClaims);
    }

    #[test]
    fn an_instant_may_have_a_fraction_and_no_quotes() {
        let at = |json| instant(&members(json), "exp");
        assert_eq!(at(r#"{"exp":7}"#).unwrap(), Some(UnixSeconds(7)));
        assert_eq!(at(r#"{"exp":7.9}"#).unwrap(), Some(UnixSeconds(7)));
        assert_eq!(at(r#"{"exp":-7.5}"#).unwrap(), Some(UnixSeconds(-8)));
        assert_eq!(at(r#"{"exp":1e300}"#).unwrap(), Some(UnixSeconds(i64::MAX)));
        assert_eq!(at(r#"{"exp":18446744073709551615}"#).unwrap(), Some(UnixSeconds(i64::MAX)));
        assert_eq!(at("{}").unwrap(), None);
        for json in [r#"{"exp":"7"}"#, r#"{"exp":null}"#, r#"{"exp":[7]}"#] {
            assert_eq!(at(json).unwrap_err(), Rejection::MalformedClaim("exp"), "{json}");
        }
    }
}
