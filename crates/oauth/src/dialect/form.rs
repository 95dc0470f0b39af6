//! `application/x-www-form-urlencoded`, read strictly (RFC 6749 appendix B).

use std::{borrow::Cow, iter};

use ficha_core::Malformed;
use ficha_types::Secret;
use memchr::{memchr, memchr2};

use super::fields::{Fields, MAX, Names, Text};

const NOT_UTF8: Malformed = Malformed::Form("it is not UTF-8");

/// Reads a form. Unknown parameters are ignored, but have to be of the grammar.
pub(super) fn read<'b>(body: &'b [u8], names: &Names) -> Result<Fields<'b>, Malformed> {
    let mut fields = Fields::new();
    let pairs = pairs(body).filter(|pair| !pair.is_empty());
    for (i, pair) in pairs.enumerate() {
        if i == MAX {
            return Err(Malformed::Form("it has more than 64 parameters"));
        }
        let (name, value) = split(pair);
        let (name, value) = (decode(name)?, text(decode(value)?));
        if let Some(param) = names.param(&name) {
            fields.add(names, param, value)?;
        }
    }
    Ok(fields)
}

/// Whether the query of a URL holds a credential. Never fails: what can't be decoded is looked at as it stands.
pub(super) fn holds_credentials(query: &str, names: &Names) -> bool {
    pairs(query.as_bytes()).any(|pair| {
        let (name, _) = split(pair);
        let decoded = decode(name).unwrap_or_else(|_| String::from_utf8_lossy(name));
        names.is_credential(&decoded)
    })
}

/// Decodes one half of a pair: `+` is a space, `%` and two hexadecimal digits a byte, all of it UTF-8.
pub(super) fn decode(text: &[u8]) -> Result<Cow<'_, str>, Malformed> {
    match memchr2(b'%', b'+', text) {
        Some(_) => String::from_utf8(unescape(text)?).map(Cow::Owned).map_err(|_| NOT_UTF8),
        None => str::from_utf8(text).map(Cow::Borrowed).map_err(|_| NOT_UTF8),
    }
}

fn text(decoded: Cow<'_, str>) -> Text<'_> {
    match decoded {
        Cow::Borrowed(text) => Text::AsSent(text),
        Cow::Owned(text) => Text::Decoded(Secret::new(text)),
    }
}

fn unescape(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    const BROKEN: Malformed = Malformed::Form("a percent sign is not followed by two hexadecimal digits");
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = bytes.next().and_then(|b| hex(*b)).ok_or(BROKEN)?;
                let low = bytes.next().and_then(|b| hex(*b)).ok_or(BROKEN)?;
                high << 4 | low
            }
            other => *other,
        });
    }
    Ok(out)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// What stands between `&` and `&`.
fn pairs(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    iter::from_fn(move || {
        let text = rest.take()?;
        let Some((pair, after)) = memchr(b'&', text).and_then(|at| text.split_at_checked(at)) else {
            return Some(text);
        };
        rest = after.get(1..);
        Some(pair)
    })
}

/// Name and value; a pair without `=` has an empty value.
fn split(pair: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b'=', pair) {
        Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
        None => (pair, &[]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::fields::Param, *};

    fn names() -> Names {
        Names::registered(&Param::OF_TOKEN)
    }

    #[test]
    fn a_form_is_decoded_and_what_is_unknown_ignored() {
        let mut fields =
            read(b"grant_type=password&&username=Jos%C3%A9+M%2b&x=1&x=2&password=&flag", &names()).unwrap();
        assert_eq!(fields.take_plain(Param::Username).unwrap(), "José M+");
        assert_eq!(fields.take_plain(Param::GrantType).unwrap(), "password");
        assert!(fields.take(Param::Password).is_none());
    }

    #[test]
    fn a_known_parameter_stands_there_once_even_when_empty() {
        let twice = read(b"scope=&scope=a", &names()).unwrap_err();
        assert_eq!(twice, Malformed::Repeated("scope".into()));
        let resources = read(b"resource=a&resource=b", &names()).unwrap();
        assert_eq!(resources.plain_all(Param::Resource), ["a", "b"]);
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for bad in [&b"a=%"[..], b"a=%1", b"a=%zz", b"%=1", b"a=%+1", b"unknown=%C3%28", b"a=\xff"] {
            assert!(matches!(read(bad, &names()), Err(Malformed::Form(_))), "{bad:?}");
        }
        let many = "a=1&".repeat(MAX);
        assert!(read(many.as_bytes(), &names()).is_ok());
        assert!(read(format!("{many}b=1").as_bytes(), &names()).is_err());
    }

    #[test]
    fn credentials_in_a_query_are_seen_however_they_are_written() {
        for query in ["client_secret=x", "a=1&client%5Fsecret=x", "password", "x=%zz&refresh_token=1", "client_id=a"] {
            assert!(holds_credentials(query, &names()), "{query}");
        }
        for query in ["", "a=client_secret", "tenant=1&scope=a", "%zz=1"] {
            assert!(!holds_credentials(query, &names()), "{query}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(body: Vec<u8>, query: String) {
            let _ = read(&body, &names());
            let _ = holds_credentials(&query, &names());
        }

        #[test]
        fn what_is_encoded_reads_back(user: String, secret: String) {
            let body: String = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("username", &user).append_pair("password", &secret).finish();
            let mut fields = read(body.as_bytes(), &names()).unwrap();
            prop_assert_eq!(fields.take_plain(Param::Username).unwrap_or_default(), user);
            prop_assert_eq!(fields.take_plain(Param::Password).unwrap_or_default(), secret);
        }
    }
}
