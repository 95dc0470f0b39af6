//! JSON as a token may hold it: each member once at every level, and not deeper than any honest claim.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Levels of lists and objects, the outermost included.
const MAX_DEPTH: u8 = 16;

/// The members of a JSON object; none when it is no JSON object, has a member twice at any level (two readers of one token
/// must not read two things), or is deeper than [`MAX_DEPTH`].
pub(crate) fn members(json: &[u8]) -> Option<Map<String, Value>> {
    let text = str::from_utf8(json).ok()?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Level(MAX_DEPTH).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    match value {
        Value::Object(members) => Some(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// A value that may hold so many more levels.
struct Level(u8);

impl Level {
    fn below<E: Error>(&self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self.below()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(self.below()?)?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_member_twice_is_refused_at_every_level() {
        for json in [
            r#"{"aud":"a","aud":"b"}"#,
            r#"{"aud":"a","\u0061ud":"a"}"#,
            r#"{"x":{"a":1,"a":1}}"#,
            r#"{"x":[{"a":1,"a":2}]}"#,
        ] {
            assert_eq!(members(json.as_bytes()), None, "{json}");
        }
        assert!(members(br#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#).is_some());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for json in [&b""[..], b"[]", b"7", b"null", b"\"a\"", b"{", b"{} x", b"{\"a\":\"\xff\"}", b"{\"a\":1e999}"] {
            assert_eq!(members(json), None, "{}", String::from_utf8_lossy(json));
        }
    }

    #[test]
    fn depth_has_a_bound() {
        let nested = |levels: usize| {
            let lists = levels - 1;
            format!(r#"{{"x":{}{}}}"#, "[".repeat(lists), "]".repeat(lists))
        };
        assert!(members(nested(usize::from(MAX_DEPTH)).as_bytes()).is_some());
        assert!(members(nested(usize::from(MAX_DEPTH) + 1).as_bytes()).is_none());
        assert!(members(nested(30_000).as_bytes()).is_none());
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_serde_json_reads(texts in proptest::collection::vec(any::<String>(), 0..8), n: i64, f: f64) {
            let value = serde_json::json!({"n": n, "f": f, "texts": texts, "o": {"b": true, "u": null, "m": u64::MAX}});
            let read = members(value.to_string().as_bytes());
            prop_assert_eq!(read.map(Value::Object), serde_json::from_str(&value.to_string()).ok());
        }

        #[test]
        fn no_bytes_make_it_panic(json: Vec<u8>) {
            let _ = members(&json);
        }
    }
}
