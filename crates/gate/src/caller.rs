//! Whose request it is, in the headers of the answer.

use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The client's id.
pub(crate) const CLIENT_ID: HeaderName = HeaderName::from_static("x-client-id");
/// The token's scopes, with spaces between.
pub(crate) const SCOPE: HeaderName = HeaderName::from_static("x-scope");
/// Whom the token stands for.
pub(crate) const SUBJECT: HeaderName = HeaderName::from_static("x-subject");

/// Whose request it is: what an upstream is told, percent-encoded; empty where there is nothing to tell.
#[derive(Debug, Clone)]
pub struct Caller {
    client_id: HeaderValue,
    scope: HeaderValue,
    subject: HeaderValue,
}

impl Caller {
    /// The holder of a token with these scopes, which stand with spaces between.
    #[must_use]
    pub fn new(client_id: Option<&str>, scope: &str, subject: Option<&str>) -> Self {
        Self {
            client_id: encoded(client_id.unwrap_or_default(), false),
            scope: encoded(scope, true),
            subject: encoded(subject.unwrap_or_default(), false),
        }
    }

    /// Nobody in particular: of a rule that is open to everybody.
    #[must_use]
    pub fn nobody() -> Self {
        Self::new(None, "", None)
    }

    /// Writes the three headers, always all of them: a proxy that copies what is there must not leave the caller's own.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        headers.insert(CLIENT_ID, self.client_id);
        headers.insert(SCOPE, self.scope);
        headers.insert(SUBJECT, self.subject);
    }

    /// The client's id, as it is told.
    pub(crate) fn client_id(&self) -> &str {
        self.client_id.to_str().unwrap_or_default()
    }
}

/// `text` with everything encoded that is no visible ASCII, and `%`, `"`, `,` and `\`, which mean something in headers;
/// `words`: spaces stand between words and stay.
fn encoded(text: &str, words: bool) -> HeaderValue {
    let plain = |b: u8| matches!(b, 0x21..=0x7e) && !matches!(b, b'%' | b'"' | b',' | b'\\') || (words && b == b' ');
    if text.bytes().all(plain) {
        return HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    }
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string never fails.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    HeaderValue::try_from(out).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(caller: Caller) -> [String; 3] {
        let mut headers = HeaderMap::new();
        caller.write(&mut headers);
        [CLIENT_ID, SCOPE, SUBJECT].map(|name| headers[name].to_str().unwrap().to_owned())
    }

    #[test]
    fn what_is_told_is_encoded_and_empty_where_there_is_nothing() {
        assert_eq!(
            told(Caller::new(Some("my app"), "arg:cards:get-card b", Some("año, \"x\"\r\n%41"))),
            ["my%20app", "arg:cards:get-card b", "a%C3%B1o%2C%20%22x%22%0D%0A%2541"]
        );
        assert_eq!(told(Caller::nobody()), ["", "", ""]);
    }

    proptest! {
        #[test]
        fn whatever_it_is_it_reads_back(text in any::<String>()) {
            let [told, ..] = told(Caller::new(Some(&text), "", None));
            prop_assert!(told.bytes().all(|b| matches!(b, 0x21..=0x7e)));
            let read: Vec<u8> = url::form_urlencoded::parse(told.replace('+', "%2B").replace(['&', '='], "?").as_bytes())
                .next().map(|(name, _)| name.into_owned().into_bytes()).unwrap_or_default();
            prop_assert_eq!(String::from_utf8(read).unwrap(), text.replace(['&', '='], "?"));
        }
    }
}
