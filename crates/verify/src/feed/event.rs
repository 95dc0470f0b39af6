//! One event of the feed: what it says, once its signature holds.

use ficha_types::UnixSeconds;
use serde::Deserialize;

use crate::{Revocations, revocations::Full};

/// The `typ` of an event's header: no token is one, and no event a token.
pub(super) const TYP: &str = "ficha-revocations+jwt";

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// All that is dead now, or a part of that.
    Snapshot,
    /// What died since the event before.
    Batch,
    /// Nothing died, and that is known at `at`.
    Heartbeat,
}

impl Kind {
    /// The name of the event in the stream.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Batch => "batch",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// The payload of an event. A member twice is refused, one that is not known is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Event {
    pub(super) iss: String,
    pub(super) aud: String,
    pub(super) kind: Kind,
    pub(super) from: u64,
    pub(super) to: u64,
    /// Milliseconds since 1970, when the node knew that it holds everything up to `to`.
    pub(super) at: i64,
    #[serde(default = "one")]
    pub(super) part: u32,
    #[serde(default = "one")]
    pub(super) parts: u32,
    #[serde(default)]
    pub(super) events: Vec<Entry>,
}

fn one() -> u32 {
    1
}

/// What died.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Members")]
pub(super) enum Entry {
    Token(String, UnixSeconds),
    Family(String, UnixSeconds),
    Client(String, UnixSeconds),
    User(String, UnixSeconds),
    Issuer(UnixSeconds),
    Key(String),
}

/// An entry as it is written. What is not known here can't be applied, so it must not be passed over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    token: Option<String>,
    family: Option<String>,
    client: Option<String>,
    user: Option<String>,
    issuer: Option<bool>,
    key: Option<String>,
    until: Option<UnixSeconds>,
    not_before: Option<UnixSeconds>,
}

impl TryFrom<Members> for Entry {
    type Error = &'static str;

    fn try_from(members: Members) -> Result<Self, &'static str> {
        let Members { token, family, client, user, issuer, key, until, not_before } = members;
        match (token, family, client, user, issuer, key, until, not_before) {
            (Some(id), None, None, None, None, None, Some(until), None) => Ok(Self::Token(id, until)),
            (None, Some(id), None, None, None, None, Some(until), None) => Ok(Self::Family(id, until)),
            (None, None, Some(id), None, None, None, None, Some(mark)) => Ok(Self::Client(id, mark)),
            (None, None, None, Some(id), None, None, None, Some(mark)) => Ok(Self::User(id, mark)),
            (None, None, None, None, Some(true), None, None, Some(mark)) => Ok(Self::Issuer(mark)),
            (None, None, None, None, None, Some(kid), None, None) => Ok(Self::Key(kid)),
            _ => Err("an entry that says what died is not understood"),
        }
    }
}

impl Entry {
    /// From now on it is known to be dead.
    pub(super) fn apply(&self, known: &Revocations) -> Result<(), Full> {
        match self {
            Self::Token(jti, until) => known.token(jti, *until),
            Self::Family(family, until) => known.family(family, *until),
            Self::Client(client_id, mark) => known.client(client_id, *mark),
            Self::User(subject, mark) => known.user(subject, *mark),
            Self::Issuer(mark) => {
                known.issuer(*mark);
                Ok(())
            }
            Self::Key(kid) => known.key(kid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> Option<Entry> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn every_kind_of_entry_is_read() {
        let at = UnixSeconds(7);
        for (json, read) in [
            (r#"{"token":"t","until":7}"#, Entry::Token("t".into(), at)),
            (r#"{"family":"f","until":7}"#, Entry::Family("f".into(), at)),
            (r#"{"client":"c","not_before":7}"#, Entry::Client("c".into(), at)),
            (r#"{"user":"u","not_before":7}"#, Entry::User("u".into(), at)),
            (r#"{"issuer":true,"not_before":7}"#, Entry::Issuer(at)),
            (r#"{"key":"k"}"#, Entry::Key("k".into())),
        ] {
            assert_eq!(entry(json), Some(read), "{json}");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_passed_over() {
        for json in [
            "{}",
            r#"{"token":"t"}"#,
            r#"{"token":"t","not_before":7}"#,
            r#"{"token":"t","family":"f","until":7}"#,
            r#"{"client":"c","until":7}"#,
            r#"{"issuer":false,"not_before":7}"#,
            r#"{"scope":"s","not_before":7}"#,
            r#"{"token":"t","until":7,"more":1}"#,
            r#"{"token":"t","token":"u","until":7}"#,
            r#"{"token":"t","until":"7"}"#,
            r#"{"key":"k","until":7}"#,
        ] {
            assert_eq!(entry(json), None, "{json}");
        }
    }

    #[test]
    fn a_member_twice_is_no_event() {
        let json = r#"{"iss":"i","aud":"a","kind":"batch","from":1,"to":2,"at":3,"events":[]}"#;
        assert!(serde_json::from_str::<Event>(json).is_ok_and(|event| (event.part, event.parts) == (1, 1)));
        assert!(serde_json::from_str::<Event>(&json.replace(r#""to":2"#, r#""to":2,"to":3"#)).is_err());
        assert!(serde_json::from_str::<Event>(&json.replace("batch", "Batch")).is_err());
        assert!(serde_json::from_str::<Event>(&json.replace(r#""from":1"#, r#""from":-1"#)).is_err());
    }
}
