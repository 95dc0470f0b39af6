//! What a token that passed says.

use std::{fmt, sync::Arc};

use ficha_types::{Scope, ScopeSet, UnixSeconds};
use serde_json::{Map, Value};

use crate::{Rejection, revocations::Traits, rules::Times};

/// What a token says that passed every check; only [`Verifier::verify`](crate::Verifier::verify) makes one. A clone
/// shares everything.
#[derive(Clone)]
pub struct Claims {
    checked: Arc<Checked>,
    /// What of its scopes is not given, for the revocation feed is not fresh.
    withheld: Option<Arc<Withheld>>,
}

pub(crate) struct Checked {
    pub(crate) issuer: Arc<str>,
    pub(crate) scopes: ScopeSet,
    pub(crate) times: Times,
    pub(crate) members: Map<String, Value>,
    /// By what it can be dead, where somebody asks.
    pub(crate) traits: Option<Traits>,
}

struct Withheld {
    scopes: ScopeSet,
    left: ScopeSet,
}

impl Claims {
    pub(crate) fn new(checked: Checked) -> Self {
        Self { checked: Arc::new(checked), withheld: None }
    }

    /// The same without those of `scopes`, which may not be used at the moment.
    pub(crate) fn without(self, scopes: &ScopeSet) -> Self {
        let withheld = self.checked.scopes.intersection(scopes);
        if withheld.is_empty() {
            return self;
        }
        let left = self.checked.scopes.iter().filter(|scope| !withheld.contains(scope)).cloned().collect();
        Self { withheld: Some(Arc::new(Withheld { scopes: withheld, left })), ..self }
    }

    pub(crate) fn times(&self) -> &Times {
        &self.checked.times
    }

    pub(crate) fn traits(&self) -> Option<&Traits> {
        self.checked.traits.as_ref()
    }

    /// The issuer, as the verifier was told it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.checked.issuer
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
    /// by RFC 6749 §3.3 are left out; and those of
    /// [`FeedOptions::refuse_at_once`](crate::FeedOptions::refuse_at_once) while the feed is not fresh.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        self.withheld.as_ref().map_or(&self.checked.scopes, |withheld| &withheld.left)
    }

    /// `exp`; always there, except where an introspection did not give it.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixSeconds> {
        self.checked.times.expires_at
    }

    /// `iat`: when it was issued.
    #[must_use]
    pub fn issued_at(&self) -> Option<UnixSeconds> {
        self.checked.times.issued_at
    }

    /// `jti`: the token's own id.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.text("jti")
    }

    /// Every claim as it was written, those that this library does not know included.
    #[must_use]
    pub fn all(&self) -> &Map<String, Value> {
        &self.checked.members
    }

    /// Whether it holds all of `needed`.
    ///
    /// # Errors
    /// [`Rejection::InsufficientScope`] that names `needed`; [`Rejection::RevocationsUnavailable`] when it holds all of
    /// them, and one is of those that are refused while the revocation feed is not fresh.
    pub fn require(&self, needed: &ScopeSet) -> Result<(), Rejection> {
        if needed.iter().any(|scope| !self.checked.scopes.contains(scope)) {
            return Err(Rejection::InsufficientScope(needed.clone()));
        }
        match &self.withheld {
            Some(withheld) if needed.iter().any(|scope| withheld.scopes.contains(scope)) => {
                Err(Rejection::RevocationsUnavailable)
            }
            _ => Ok(()),
        }
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.checked.members.get(claim).and_then(Value::as_str)
    }
}

impl fmt::Debug for Claims {
    /// The token's id and scopes alone: the rest may be about a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("jti", &self.token_id()).field("scopes", self.scopes()).finish_non_exhaustive()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn members(json: &str) -> Map<String, Value> {
        crate::strict::members(json.as_bytes()).unwrap()
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
