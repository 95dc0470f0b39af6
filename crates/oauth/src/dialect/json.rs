//! A JSON object of texts, read strictly: no member twice, nothing behind it.

use std::{cell::RefCell, fmt};

use ficha_core::Malformed;
use ficha_types::Secret;
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::fields::{Fields, MAX, Names, Param, Text};

/// Reads an object. Known members are texts (`null` counts as absent, `resource` may be a list of texts), unknown ones may be
/// anything and are ignored.
pub(super) fn read<'b>(body: &'b [u8], names: &Names) -> Result<Fields<'b>, Malformed> {
    // As text first: serde_json looks at the bytes of values that it skips less closely.
    let text = str::from_utf8(body).map_err(|_| Malformed::Json("it is not UTF-8"))?;
    let refused = RefCell::new(None);
    let mut json = serde_json::Deserializer::from_str(text);
    let object = Object { names, refused: &refused };
    let read = object.deserialize(&mut json).and_then(|fields| json.end().map(|()| fields));
    read.map_err(|e| {
        let otherwise = if e.is_eof() { "it ends too early" } else { "expected one object, with nothing behind it" };
        refused.take().unwrap_or(Malformed::Json(otherwise))
    })
}

/// The object. What is wrong with it goes to `refused`, since an error of serde holds but a text.
struct Object<'n> {
    names: &'n Names,
    refused: &'n RefCell<Option<Malformed>>,
}

impl Object<'_> {
    fn refuse<E: de::Error>(&self, why: Malformed) -> E {
        self.refused.replace(Some(why));
        E::custom("refused")
    }

    fn add<'b, E: de::Error>(&self, fields: &mut Fields<'b>, param: Param, value: Member<'b>) -> Result<(), E> {
        let expected = if param == Param::Resource { "a text or a list of texts" } else { "a text" };
        let mut add = |text| fields.add(self.names, param, text).map_err(|why| self.refuse(why));
        match value {
            Member::Null => Ok(()),
            Member::Text(text) => add(text),
            Member::Texts(texts) if param == Param::Resource => texts.into_iter().try_for_each(add),
            Member::Texts(_) | Member::Other => {
                Err(self.refuse(Malformed::Value(self.names.wire(param).to_owned(), expected)))
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Fields<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Fields<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::new();
        // A bit for each one that is known: also of those whose value counts as absent.
        let mut known = 0_u32;
        let mut others: Vec<Box<str>> = Vec::new();
        while let Some(key) = map.next_key_seed(Key(self.names))? {
            match key {
                Found::Known(param) => {
                    if known & 1 << param as u32 != 0 {
                        return Err(self.refuse(Malformed::Repeated(self.names.wire(param).to_owned())));
                    }
                    known |= 1 << param as u32;
                    self.add(&mut fields, param, map.next_value()?)?;
                }
                Found::Other(name) => {
                    if others.contains(&name) {
                        return Err(self.refuse(Malformed::Json("a member stands there twice")));
                    }
                    others.push(name);
                    map.next_value::<IgnoredAny>()?;
                }
            }
            if known.count_ones() as usize + others.len() > MAX {
                return Err(self.refuse(Malformed::Json("it has more than 64 members")));
            }
        }
        Ok(fields)
    }
}

/// A member's name.
enum Found {
    Known(Param),
    Other(Box<str>),
}

/// Reads a member's name, without a copy when it is a known one.
struct Key<'n>(&'n Names);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Found;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Found, E> {
        Ok(self.0.param(name).map_or_else(|| Found::Other(name.into()), Found::Known))
    }
}

/// A known member's value.
enum Member<'b> {
    Null,
    Text(Text<'b>),
    Texts(Vec<Text<'b>>),
    Other,
}

impl<'de> Deserialize<'de> for Member<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyMember)
    }
}

struct AnyMember;

impl<'de> Visitor<'de> for AnyMember {
    type Value = Member<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Member<'de>, E> {
        Ok(Member::Text(Text::AsSent(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Member<'de>, E> {
        Ok(Member::Text(Text::Decoded(Secret::new(text.to_owned()))))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Member<'de>, E> {
        Ok(Member::Null)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Member<'de>, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Member<'de>, E> {
        Ok(Member::Other)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Member<'de>, E> {
        Ok(Member::Other)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Member<'de>, E> {
        Ok(Member::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Member<'de>, A::Error> {
        let mut texts = Some(Vec::<Text<'de>>::new());
        while let Some(item) = seq.next_element::<Item<'de>>()? {
            texts = match (texts, item) {
                (Some(mut texts), Item(Some(text))) if texts.len() < MAX => {
                    texts.push(text);
                    Some(texts)
                }
                _ => None,
            };
        }
        Ok(texts.map_or(Member::Other, Member::Texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }
}

/// An element of a list: a text, or anything else.
struct Item<'b>(Option<Text<'b>>);

impl<'de> Deserialize<'de> for Item<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Member::deserialize(deserializer)? {
            Member::Text(text) => Self(Some(text)),
            Member::Null | Member::Texts(_) | Member::Other => Self(None),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names() -> Names {
        Names::registered(&Param::OF_TOKEN)
    }

    #[test]
    fn known_members_are_read_and_others_ignored() {
        let body = br#" {"grant_type":"client_credentials","x":{"a":[1,{"a":2}]},"y":null,"scope":null,"audience":"a\u00e1","password":"","client_secret":"s\"x"} "#;
        let mut fields = read(body, &names()).unwrap();
        assert_eq!(fields.take_plain(Param::GrantType).unwrap(), "client_credentials");
        assert_eq!(fields.take_plain(Param::Audience).unwrap(), "aá");
        assert_eq!(fields.take_plain(Param::ClientSecret).unwrap(), "s\"x");
        assert!(!fields.has(Param::Scope) && !fields.has(Param::Password));
    }

    #[test]
    fn resource_may_be_a_list_of_texts() {
        assert_eq!(read(br#"{"resource":["a","b"]}"#, &names()).unwrap().plain_all(Param::Resource), ["a", "b"]);
        assert_eq!(read(br#"{"resource":"a"}"#, &names()).unwrap().plain_all(Param::Resource), ["a"]);
        let mixed = read(br#"{"resource":["a",1]}"#, &names()).unwrap_err();
        assert_eq!(mixed, Malformed::Value("resource".into(), "a text or a list of texts"));
    }

    #[test]
    fn a_member_twice_is_a_repeated_parameter() {
        for name in ["grant_type", "scope", "resource"] {
            let body = format!(r#"{{"{name}":"a","{name}":"a"}}"#);
            assert_eq!(read(body.as_bytes(), &names()).unwrap_err(), Malformed::Repeated(name.into()));
        }
        let hidden = read(br#"{"scope":null,"sc\u006fpe":"a"}"#, &names()).unwrap_err();
        assert_eq!(hidden, Malformed::Repeated("scope".into()));
        assert_eq!(read(br#"{"x":1,"x":1}"#, &names()).unwrap_err(), Malformed::Json("a member stands there twice"));
    }

    #[test]
    fn a_known_member_is_a_text() {
        for value in ["1", "-1", "1.5", "true", "{}", "[]", r#"["a"]"#, "[[1],{}]"] {
            let body = format!(r#"{{"scope":{value}}}"#);
            let refused = read(body.as_bytes(), &names()).unwrap_err();
            assert_eq!(refused, Malformed::Value("scope".into(), "a text"), "{value}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in [
            &b""[..],
            b"[]",
            b"1",
            b"null",
            b"{",
            b"{}{}",
            b"{} x",
            b"{\"a\":1,}",
            b"{'a':1}",
            b"\xff",
            b"{\"a\":\"\xc3\x28\"}",
            b"\xef\xbb\xbf{}",
        ] {
            assert!(matches!(read(bad, &names()), Err(Malformed::Json(_))), "{bad:?}");
        }
        let many: Vec<String> = (0..=MAX).map(|i| format!(r#""m{i}":1"#)).collect();
        assert!(read(format!("{{{}}}", many[1..].join(",")).as_bytes(), &names()).is_ok());
        assert!(read(format!("{{{}}}", many.join(",")).as_bytes(), &names()).is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |name: &str| format!(r#"{{"{name}":{}{}}}"#, "[".repeat(30_000), "]".repeat(30_000));
        assert!(read(deep("scope").as_bytes(), &names()).is_err());
        let _ = read(deep("unknown").as_bytes(), &names());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(body: Vec<u8>, text in r#"[\{\}\[\]":,a-c\\u0-9 ]{0,60}"#) {
            let _ = read(&body, &names());
            let _ = read(text.as_bytes(), &names());
        }
    }
}
