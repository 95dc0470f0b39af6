//! Signed texts in the compact form (RFC 7515 §7.1): three parts in base64url with dots between them.

use std::fmt;

use base64::{Engine, encoded_len, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, Visitor},
};
use thiserror::Error;

use crate::{KeyError, SigningKey, VerifyingKey, signing::MAX_SIGNATURE};

/// Bytes that a text may have to be read at all.
pub const MAX_BYTES: usize = 64 * 1024;

/// Members that a header may have beside those that are known here.
const MAX_OTHERS: usize = 32;

/// `header_json` and `payload_json` signed by `key`, both as they are: what they say, `alg` too, is the caller's.
///
/// # Errors
/// [`KeyError::Library`] when the library could not sign.
pub fn compact(header_json: &[u8], payload_json: &[u8], key: &SigningKey) -> Result<String, KeyError> {
    let mut out = buffer(base64_len(header_json.len()), payload_json, key);
    URL_SAFE_NO_PAD.encode_string(header_json, &mut out);
    finish(out, payload_json, key)
}

/// As [`compact`], with a header that [`encode_header`] made beforehand.
///
/// # Errors
/// As [`compact`].
pub fn compact_with(encoded_header: &str, payload_json: &[u8], key: &SigningKey) -> Result<String, KeyError> {
    let mut out = buffer(encoded_header.len(), payload_json, key);
    out.push_str(encoded_header);
    finish(out, payload_json, key)
}

/// The first part of every text with this header.
#[must_use]
pub fn encode_header(header_json: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(header_json)
}

/// A compact text taken apart. Its signature is **not yet verified**: see [`verify_with`](Self::verify_with).
pub struct Compact<'t> {
    header: Header,
    signing_input: &'t str,
    /// Header, payload and signature, one after the other.
    decoded: Vec<u8>,
    payload_start: usize,
    signature_start: usize,
}

/// What the header of a text says. Whether that holds, the key says (RFC 8725 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `alg`: anything, `none` too.
    pub alg: Box<str>,
    /// `kid`: the name of the key that signed.
    pub kid: Option<Box<str>>,
    /// `typ`: what the whole is.
    pub typ: Option<Box<str>>,
    /// `cty`: what the payload is.
    pub cty: Option<Box<str>>,
}

/// Why a text is no compact JWS that is read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Longer than [`MAX_BYTES`].
    #[error("longer than 64 KiB")]
    TooLong,
    /// Not three parts.
    #[error("not three parts with dots between them")]
    Parts,
    /// A part that is not base64url, or has padding, or bits that belong to no byte.
    #[error("a part is not base64url without padding")]
    Base64,
    /// A header that is no JSON object with a text as `alg`, or with a member twice.
    #[error("the header is not a JSON object with `alg` and each member once")]
    Header,
    /// A header with `crit` (RFC 7515 §4.1.11): no extension is understood here.
    #[error("the header has `crit`, and no extension is understood")]
    Critical,
    /// A header with `b64` other than `true` (RFC 7797).
    #[error("the payload is not encoded")]
    Unencoded,
}

impl<'t> Compact<'t> {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// [`Malformed`]: which rule it breaks. Whether the signature holds is not looked at.
    pub fn parse(text: &'t str) -> Result<Self, Malformed> {
        if text.len() > MAX_BYTES {
            return Err(Malformed::TooLong);
        }
        let (signing_input, signature) = text.rsplit_once('.').ok_or(Malformed::Parts)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Malformed::Parts)?;
        if payload.contains('.') {
            return Err(Malformed::Parts);
        }
        let mut decoded = Vec::with_capacity(text.len() / 4 * 3 + 3);
        let mut decode = |part: &str| {
            URL_SAFE_NO_PAD.decode_vec(part, &mut decoded).map(|()| decoded.len()).map_err(|_| Malformed::Base64)
        };
        let (payload_start, signature_start, _) = (decode(header)?, decode(payload)?, decode(signature)?);
        let header = Header::parse(decoded.get(..payload_start).unwrap_or_default())?;
        Ok(Self { header, signing_input, decoded, payload_start, signature_start })
    }

    /// What the header says.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header as it was written.
    #[must_use]
    pub fn header_json(&self) -> &[u8] {
        self.decoded.get(..self.payload_start).unwrap_or_default()
    }

    /// The payload's bytes; nothing says that they are JSON.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.decoded.get(self.payload_start..self.signature_start).unwrap_or_default()
    }

    /// The signature's bytes, which may be none.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.decoded.get(self.signature_start..).unwrap_or_default()
    }

    /// What is signed: the first two parts with the dot.
    #[must_use]
    pub fn signing_input(&self) -> &'t str {
        self.signing_input
    }

    /// Whether the header names the key's algorithm, and the signature is the key's.
    #[must_use]
    pub fn verify_with(&self, key: &VerifyingKey) -> bool {
        *self.header.alg == *key.algorithm().as_str() && key.verify(self.signing_input.as_bytes(), self.signature())
    }
}

impl fmt::Debug for Compact<'_> {
    /// The header alone: the rest is as good as the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compact").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Header {
    fn parse(json: &[u8]) -> Result<Self, Malformed> {
        // As text first: serde_json looks at the bytes of values that it skips less closely.
        let json = str::from_utf8(json).map_err(|_| Malformed::Header)?;
        let Members { alg, kid, typ, cty, crit, encoded } =
            serde_json::from_str(json).map_err(|_| Malformed::Header)?;
        if crit {
            return Err(Malformed::Critical);
        }
        if !encoded {
            return Err(Malformed::Unencoded);
        }
        Ok(Self { alg: alg.ok_or(Malformed::Header)?, kid, typ, cty })
    }
}

fn buffer(header_len: usize, payload: &[u8], key: &SigningKey) -> String {
    String::with_capacity(header_len + base64_len(payload.len()) + base64_len(key.signature_len()) + 2)
}

fn finish(mut out: String, payload: &[u8], key: &SigningKey) -> Result<String, KeyError> {
    out.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut out);
    let mut place = [0; MAX_SIGNATURE];
    let signature = key.sign_into(out.as_bytes(), &mut place)?;
    out.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut out);
    Ok(out)
}

/// Characters of `bytes` bytes; 0 where no memory could hold them, so the buffer would grow by itself.
fn base64_len(bytes: usize) -> usize {
    encoded_len(bytes, false).unwrap_or_default()
}

/// The members of a header as they stand in the text.
struct Members {
    alg: Option<Box<str>>,
    kid: Option<Box<str>>,
    typ: Option<Box<str>>,
    cty: Option<Box<str>>,
    crit: bool,
    encoded: bool,
}

/// The name of a member.
enum Name {
    Alg,
    Kid,
    Typ,
    Cty,
    Crit,
    B64,
    Other(Box<str>),
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl Visitor<'_> for Names {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a member")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Name, E> {
                Ok(match name {
                    "alg" => Name::Alg,
                    "kid" => Name::Kid,
                    "typ" => Name::Typ,
                    "cty" => Name::Cty,
                    "crit" => Name::Crit,
                    "b64" => Name::B64,
                    other => Name::Other(other.into()),
                })
            }
        }
        deserializer.deserialize_str(Names)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members, M::Error> {
                let (mut alg, mut kid, mut typ, mut cty, mut crit, mut b64) = (None, None, None, None, None, None);
                let mut others: Vec<Box<str>> = Vec::new();
                while let Some(name) = map.next_key()? {
                    match name {
                        Name::Alg => once(&mut alg, map.next_value()?)?,
                        Name::Kid => once(&mut kid, map.next_value()?)?,
                        Name::Typ => once(&mut typ, map.next_value()?)?,
                        Name::Cty => once(&mut cty, map.next_value()?)?,
                        Name::Crit => once(&mut crit, map.next_value::<IgnoredAny>()?)?,
                        Name::B64 => once(&mut b64, map.next_value::<bool>()?)?,
                        Name::Other(name) if others.len() == MAX_OTHERS || others.contains(&name) => {
                            return Err(de::Error::custom("a member twice, or too many"));
                        }
                        Name::Other(name) => {
                            others.push(name);
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Members { alg, kid, typ, cty, crit: crit.is_some(), encoded: b64.unwrap_or(true) })
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Puts `value` into its `place`, which must be empty yet.
fn once<T, E: de::Error>(place: &mut Option<T>, value: T) -> Result<(), E> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom("a member twice")),
    }
}

#[cfg(test)]
mod tests {
    use ficha_types::Algorithm;
    use proptest::prelude::*;

    use super::*;
    use crate::signing::tests::KEYS;

    fn text(header: &str, payload: &str, signature: &[u8]) -> String {
        [header.as_bytes(), payload.as_bytes(), signature].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
    }

    fn header(json: &str) -> Result<Header, Malformed> {
        Compact::parse(&text(json, "{}", b"s")).map(|text| text.header)
    }

    #[test]
    fn what_is_signed_here_is_read_and_verified_here() {
        for (key, _) in KEYS.iter() {
            let header_json = format!(r#"{{"alg":"{}","typ":"at+jwt","kid":"k1"}}"#, key.algorithm());
            let signed = compact(header_json.as_bytes(), b"{\"sub\":\"a\"}", key).unwrap();
            let parsed = Compact::parse(&signed).unwrap();
            assert_eq!(parsed.header_json(), header_json.as_bytes());
            assert_eq!(parsed.payload(), b"{\"sub\":\"a\"}");
            assert_eq!(parsed.signature().len(), key.signature_len());
            assert_eq!(&*parsed.header().alg, key.algorithm().as_str());
            assert_eq!(parsed.header().kid.as_deref(), Some("k1"));
            assert_eq!(parsed.header().typ.as_deref(), Some("at+jwt"));
            assert_eq!(parsed.header().cty, None);
            assert!(parsed.verify_with(&key.verifying()), "{key:?}");
            for (other, _) in KEYS.iter().filter(|(other, _)| other.algorithm() != key.algorithm()) {
                assert!(!parsed.verify_with(&other.verifying()), "{key:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_header_encoded_beforehand_gives_the_same_text() {
        let (hs, _) = KEYS.iter().find(|(key, _)| key.algorithm() == Algorithm::Hs256).unwrap();
        let header = br#"{"alg":"HS256","typ":"JWT"}"#;
        assert_eq!(compact(header, b"{}", hs), compact_with(&encode_header(header), b"{}", hs));
    }

    #[test]
    fn a_text_is_written_into_one_buffer_of_the_right_size() {
        for (key, _) in KEYS.iter() {
            for payload in [&b"{}"[..], b"{ }", b"{  }", &[b' '; 1000]] {
                let signed = compact(br#"{"alg":"x"}"#, payload, key).unwrap();
                assert_eq!(signed.capacity(), signed.len(), "{key:?}");
            }
        }
    }

    #[test]
    fn the_header_must_name_the_algorithm_of_the_key() {
        for (key, _) in KEYS.iter() {
            for alg in ["none", "None", "", "HS512", "hs256", "RS256", "PS256", "ES256", "EdDSA", "HS256"] {
                let signed = compact(format!(r#"{{"alg":"{alg}"}}"#).as_bytes(), b"{}", key).unwrap();
                let holds = Compact::parse(&signed).unwrap().verify_with(&key.verifying());
                assert_eq!(holds, alg == key.algorithm().as_str(), "{key:?} {alg}");
            }
        }
    }

    #[test]
    fn alg_none_without_a_signature_verifies_with_no_key() {
        let unsigned = text(r#"{"alg":"none"}"#, r#"{"sub":"admin"}"#, b"");
        let parsed = Compact::parse(&unsigned).unwrap();
        assert_eq!(parsed.signature(), b"");
        for (key, _) in KEYS.iter() {
            assert!(!parsed.verify_with(&key.verifying()));
        }
    }

    #[test]
    fn a_public_key_is_no_shared_secret() {
        for (key, _) in KEYS.iter() {
            let Some(public) = key.public_jwk("k1") else { continue };
            let public = serde_json::to_vec(&public).unwrap();
            let attacker = SigningKey::from_private(Algorithm::Hs256, public.get(..32).unwrap()).unwrap();
            let longer = SigningKey::from_private(Algorithm::Hs256, &public).unwrap();
            for forger in [attacker, longer] {
                for alg in ["HS256", key.algorithm().as_str()] {
                    let forged = compact(format!(r#"{{"alg":"{alg}"}}"#).as_bytes(), b"{}", &forger).unwrap();
                    assert!(!Compact::parse(&forged).unwrap().verify_with(&key.verifying()), "{key:?} {alg}");
                }
            }
        }
    }

    #[test]
    fn every_altered_character_is_noticed() {
        for (key, _) in KEYS.iter() {
            let header_json = format!(r#"{{"alg":"{}"}}"#, key.algorithm());
            let signed = compact(header_json.as_bytes(), br#"{"sub":"a"}"#, key).unwrap();
            for at in 0..signed.len() {
                let mut altered = signed.clone().into_bytes();
                altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
                let altered = String::from_utf8(altered).unwrap();
                let holds = Compact::parse(&altered).is_ok_and(|text| text.verify_with(&key.verifying()));
                assert!(!holds, "{key:?}, character {at}");
            }
        }
    }

    #[test]
    fn exactly_three_parts_are_a_text() {
        let good = text(r#"{"alg":"HS256"}"#, "{}", b"s");
        assert!(Compact::parse(&good).is_ok());
        for bad in ["", ".", "e30", "e30.e30", "e30.e30.e30.e30", "e30.e30.e30.", ".e30.e30.e30", "e30.e30.e30.e30.e30"]
        {
            assert_eq!(Compact::parse(bad).unwrap_err(), Malformed::Parts, "{bad}");
        }
        assert_eq!(Compact::parse("..").unwrap_err(), Malformed::Header);
    }

    #[test]
    fn padding_white_space_and_the_other_alphabet_are_refused() {
        let good = text(r#"{"alg":"HS256"}"#, "{}", b"\xfb\xff");
        assert!(good.ends_with(".e30.-_8"));
        for bad in [
            good.replace(".e30.", ".e30=."),
            good.replace(".e30.", ".e30 ."),
            good.replace(".e30.", ".\ne30."),
            good.replace(".e30.", ".e3."),
            good.replace("-_8", "+/8"),
            good.replace("-_8", "-_9"),
            good.replace("-_8", "-_8="),
            good.replace("-_8", "-_8\u{e9}"),
            format!(" {good}"),
            format!("{good}\n"),
        ] {
            assert_eq!(Compact::parse(&bad).unwrap_err(), Malformed::Base64, "{bad:?}");
        }
    }

    #[test]
    fn a_text_beyond_the_bound_is_refused() {
        let head = text(r#"{"alg":"HS256"}"#, "", b"");
        let of = |length: usize| head.replacen("..", &format!(".{}.", "A".repeat(length - head.len())), 1);
        assert_eq!(of(MAX_BYTES).len(), MAX_BYTES);
        assert!(Compact::parse(&of(MAX_BYTES)).is_ok_and(|text| text.payload().len() > 48_000));
        assert_eq!(Compact::parse(&of(MAX_BYTES + 1)).unwrap_err(), Malformed::TooLong);
    }

    #[test]
    fn a_header_that_is_no_object_with_alg_is_refused() {
        for bad in [
            "",
            "null",
            "7",
            "[]",
            r#""alg""#,
            "{}",
            r#"{"typ":"JWT"}"#,
            r#"{"alg":null}"#,
            r#"{"alg":7}"#,
            r#"{"alg":["HS256"]}"#,
            r#"{"alg":"HS256","kid":7}"#,
            r#"{"alg":"HS256","typ":{}}"#,
            r#"{"alg":"HS256"} {}"#,
            r#"{"alg":"HS256",}"#,
            r#"{"alg":"HS256""#,
            "\u{feff}{\"alg\":\"HS256\"}",
        ] {
            assert_eq!(header(bad).unwrap_err(), Malformed::Header, "{bad}");
        }
        let not_utf8 = [&br#"{"alg":"HS256","x":""#[..], &[0xff], br#""}"#].concat();
        let not_utf8 = format!("{}.e30.e30", URL_SAFE_NO_PAD.encode(not_utf8));
        assert_eq!(Compact::parse(&not_utf8).unwrap_err(), Malformed::Header);
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused() {
        for bad in [
            r#"{"alg":"HS256","alg":"HS256"}"#,
            r#"{"alg":"HS256","\u0061lg":"none"}"#,
            r#"{"alg":"HS256","kid":"a","kid":"b"}"#,
            r#"{"alg":"HS256","b64":true,"b64":true}"#,
            r#"{"alg":"HS256","x":1,"y":2,"x":1}"#,
            r#"{"alg":"HS256","x":1,"\u0078":1}"#,
        ] {
            assert_eq!(header(bad).unwrap_err(), Malformed::Header, "{bad}");
        }
    }

    #[test]
    fn unknown_members_are_ignored_up_to_a_bound() {
        let of = |others: usize| {
            let others: Vec<_> = (0..others).map(|i| format!(r#","x{i}":{{"deep":[{i}]}}"#)).collect();
            header(&format!(r#"{{"alg":"HS256"{}}}"#, others.concat()))
        };
        assert!(of(MAX_OTHERS).is_ok());
        assert_eq!(of(MAX_OTHERS + 1).unwrap_err(), Malformed::Header);
    }

    #[test]
    fn an_extension_that_is_critical_is_refused() {
        for crit in [r#"["b64"]"#, r#"["exp"]"#, "[]", "null", "7"] {
            assert_eq!(
                header(&format!(r#"{{"alg":"HS256","crit":{crit}}}"#)).unwrap_err(),
                Malformed::Critical,
                "{crit}"
            );
        }
    }

    #[test]
    fn a_payload_that_is_not_encoded_is_refused() {
        assert_eq!(header(r#"{"alg":"HS256","b64":false}"#).unwrap_err(), Malformed::Unencoded);
        assert_eq!(header(r#"{"alg":"HS256","b64":"false"}"#).unwrap_err(), Malformed::Header);
        assert!(header(r#"{"alg":"HS256","b64":true}"#).is_ok());
    }

    #[test]
    fn deep_nesting_is_no_bomb() {
        let (open, close) = ("[".repeat(20_000), "]".repeat(20_000));
        assert!(header(&format!(r#"{{"alg":"HS256","x":{open}{close}}}"#)).is_ok());
        assert_eq!(header(&format!(r#"{{"alg":"HS256","x":{open}"#)).unwrap_err(), Malformed::Header);
        assert_eq!(header(&open).unwrap_err(), Malformed::Header);
        assert_eq!(header(&r#"{"alg":"#.repeat(4_000)).unwrap_err(), Malformed::Header);
    }

    #[test]
    fn a_text_prints_neither_payload_nor_signature() {
        let text = text(r#"{"alg":"HS256"}"#, "hunter2", b"hunter3");
        let shown = format!("{:?}", Compact::parse(&text).unwrap());
        assert!(shown.contains("HS256") && !shown.contains("hunter") && !shown.contains("104"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = Compact::parse(&text);
        }

        #[test]
        fn no_parts_make_it_panic(header: Vec<u8>, payload: Vec<u8>, signature: Vec<u8>) {
            let text = [&header, &payload, &signature].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
            let _ = Compact::parse(&text);
        }

        #[test]
        fn what_parses_gives_back_its_parts(header in "[ -~]{0,20}", payload: Vec<u8>, signature: Vec<u8>) {
            let header = format!(r#"{{"alg":{}}}"#, serde_json::to_string(&header).unwrap());
            let text = [header.as_bytes(), &payload, &signature].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
            let parsed = Compact::parse(&text).unwrap();
            prop_assert_eq!(parsed.payload(), payload);
            prop_assert_eq!(parsed.signature(), signature);
            prop_assert_eq!(parsed.header_json(), header.as_bytes());
            for (key, _) in KEYS.iter() {
                prop_assert!(!parsed.verify_with(&key.verifying()));
            }
        }
    }
}
