//! What is said on the feed, and how it is signed.

use ficha_jose::KeyError;
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};

use crate::{ports::Against, views::IssuerView};

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Everything that stands, to begin with.
    Snapshot,
    /// What came since.
    Batch,
    /// Nothing came.
    Heartbeat,
}

impl Kind {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Batch => "batch",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// An event, signed.
#[derive(Debug)]
pub struct Signed {
    /// What it is.
    pub kind: Kind,
    /// The number up to which it tells everything.
    pub to: i64,
    /// The compact JWS.
    pub jws: String,
}

/// An event that is not signed yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) kind: Kind,
    /// It covers what came after `from` up to `to`.
    pub(super) from: i64,
    pub(super) to: i64,
    /// Which part of how many, for a snapshot.
    pub(super) part: Option<(u64, u64)>,
    /// When the node knew that it holds everything up to `to`; milliseconds since 1970.
    pub(super) at: i64,
    pub(super) facts: &'a [Against],
}

/// Bytes that the list of an event may have. With everything else, in base64, an event stays below 64 KiB: more than that no
/// follower has to take.
const ROOM: usize = 40_000;

/// Cuts `facts` where an event would become too long; none make one piece without any.
pub(super) fn cut<T>(facts: &[T], against: impl Fn(&T) -> &Against) -> Vec<&[T]> {
    let (mut pieces, mut rest) = (Vec::new(), facts);
    loop {
        let mut room = ROOM;
        let fits = rest.iter().take_while(|fact| {
            let left = room.checked_sub(size(against(fact)));
            room = left.unwrap_or(0);
            left.is_some()
        });
        let (piece, more) = rest.split_at(fits.count().max(1).min(rest.len()));
        pieces.push(piece);
        rest = more;
        if rest.is_empty() {
            return pieces;
        }
    }
}

/// Bytes that a fact takes at most.
fn size(against: &Against) -> usize {
    // Every character of an id may have to be escaped.
    let id = match against {
        Against::Token(id, _) => id.as_str().len(),
        Against::Family(id, _) => id.as_str().len(),
        Against::Client(id, _) => id.as_str().len() * 2,
        Against::User(sub, _) => sub.as_str().len() * 2,
        Against::Issuer(_) => 4,
        Against::Key(kid) => kid.as_str().len() * 2,
    };
    id + 60
}

/// The payload; the order of its members is part of the format.
#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    aud: &'a str,
    kind: &'static str,
    from: i64,
    to: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<u64>,
    at: i64,
    #[serde(serialize_with = "events")]
    events: &'a [Against],
}

/// Signs what is said to the API `audience` of an issuer.
///
/// # Errors
/// [`KeyError`] when there is no key of the feed, or the library could not sign.
pub(super) fn sign(view: &IssuerView, audience: &str, said: Said<'_>) -> Result<Signed, KeyError> {
    let payload = Payload {
        iss: &view.iss,
        aud: audience,
        kind: said.kind.as_str(),
        from: said.from,
        to: said.to,
        part: said.part.map(|(part, _)| part),
        parts: said.part.map(|(_, parts)| parts),
        at: said.at,
        events: said.facts,
    };
    let payload = serde_json::to_vec(&payload).expect("a struct of texts and numbers is always JSON");
    let key = view.feed_key().ok_or(KeyError::Library("finding the feed's key"))?;
    Ok(Signed { kind: said.kind, to: said.to, jws: key.sign(&payload)? })
}

fn events<S: Serializer>(facts: &[Against], s: S) -> Result<S::Ok, S::Error> {
    let mut all = s.serialize_seq(Some(facts.len()))?;
    for fact in facts {
        all.serialize_element(&Event(fact))?;
    }
    all.end()
}

struct Event<'a>(&'a Against);

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        match self.0 {
            Against::Token(id, until) => {
                map.serialize_entry("token", id)?;
                map.serialize_entry("until", &until.0)?;
            }
            Against::Family(id, until) => {
                map.serialize_entry("family", id)?;
                map.serialize_entry("until", &until.0)?;
            }
            Against::Client(id, at) => {
                map.serialize_entry("client", id)?;
                map.serialize_entry("not_before", &at.0)?;
            }
            Against::User(sub, at) => {
                map.serialize_entry("user", sub)?;
                map.serialize_entry("not_before", &at.0)?;
            }
            Against::Issuer(at) => {
                map.serialize_entry("issuer", &true)?;
                map.serialize_entry("not_before", &at.0)?;
            }
            Against::Key(kid) => map.serialize_entry("key", kid)?,
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use ficha_types::UnixSeconds;

    use super::*;

    #[test]
    fn an_event_stays_below_what_a_follower_must_take() {
        let long: ficha_types::ClientId = "\"".repeat(255).parse().unwrap();
        let facts = vec![Against::Client(long, UnixSeconds(i64::MAX)); 1_000];
        let pieces = cut(&facts, |fact| fact);
        assert_eq!(pieces.iter().map(|piece| piece.len()).sum::<usize>(), 1_000);
        for piece in pieces {
            let events = piece.iter().map(|fact| serde_json::to_string(&Event(fact)).unwrap().len() + 1);
            assert!(events.sum::<usize>() <= ROOM);
        }
        assert_eq!(cut(&[], |fact: &Against| fact), [&[] as &[Against]]);
    }

    #[test]
    fn an_event_is_written_as_the_format_says() {
        let facts = [
            Against::Token("AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(), UnixSeconds(5)),
            Against::Family("BBBBBBBBBBBBBBBBBBBBBB".parse().unwrap(), UnixSeconds(6)),
            Against::Client("app".parse().unwrap(), UnixSeconds(7)),
            Against::User("u1".parse().unwrap(), UnixSeconds(8)),
            Against::Issuer(UnixSeconds(9)),
            Against::Key("k1".parse().unwrap()),
        ];
        let payload = Payload {
            iss: "https://a.example",
            aud: "https://api.example",
            kind: Kind::Snapshot.as_str(),
            from: 0,
            to: 12,
            part: Some(1),
            parts: Some(2),
            at: 1_800_000_000_123,
            events: &facts,
        };
        assert_eq!(
            serde_json::to_string(&payload).unwrap(),
            concat!(
                r#"{"iss":"https://a.example","aud":"https://api.example","kind":"snapshot","from":0,"to":12,"part":1,"parts":2,"#,
                r#""at":1800000000123,"events":[{"token":"AAAAAAAAAAAAAAAAAAAAAA","until":5},"#,
                r#"{"family":"BBBBBBBBBBBBBBBBBBBBBB","until":6},{"client":"app","not_before":7},{"user":"u1","not_before":8},"#,
                r#"{"issuer":true,"not_before":9},{"key":"k1"}]}"#
            )
        );
    }
}
