//! `Authorization: Basic` (RFC 7617), as clients and APIs authenticate (RFC 6749 §2.3.1).

use base64::{Engine, engine::general_purpose::STANDARD};
use ficha_core::{
    ClientFailure, Malformed, Refusal,
    token::{Credentials, Reading},
};
use ficha_types::{AuthMethod, Secret};
use http::{HeaderMap, header::AUTHORIZATION};
use memchr::memchr2;

use super::form;

/// What `Authorization` says: nothing, an id with an empty secret, or an id and a secret, as they stand and, when they hold
/// `%` or `+`, form-decoded.
///
/// # Errors
/// [`Refusal::Malformed`] when it is there twice or not of its grammar; [`Refusal::Client`] for another scheme than Basic.
pub fn credentials(headers: &HeaderMap) -> Result<Credentials, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(Credentials::None),
        (Some(value), None) => value.as_bytes(),
        (Some(_), Some(_)) => return Err(malformed("it must not be repeated")),
    };
    let Some(encoded) = after_scheme(value) else {
        return Err(Refusal::Client(ClientFailure::Method));
    };
    let decoded = STANDARD.decode(encoded).map_err(|_| malformed("what follows Basic is not base64"))?;
    let decoded = Secret::new(String::from_utf8(decoded).map_err(|_| malformed("the credentials are not UTF-8"))?);
    let Some((id, secret)) = decoded.expose().split_once(':') else {
        return Err(malformed("there is no colon between id and secret"));
    };
    Ok(pair(id, secret))
}

/// Whether the client tried Basic, well-formed or not (RFC 6749 §5.2 wants it named in the answer then).
#[must_use]
pub fn was_tried(headers: &HeaderMap) -> bool {
    headers.get_all(AUTHORIZATION).iter().any(|v| after_scheme(v.as_bytes()).is_some())
}

/// What follows the scheme Basic, in whatever case it is written (RFC 9110 §11.1).
fn after_scheme(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(5)?;
    let follows = rest.is_empty() || rest.starts_with(b" ");
    (scheme.eq_ignore_ascii_case(b"basic") && follows).then(|| rest.trim_ascii())
}

fn pair(id: &str, secret: &str) -> Credentials {
    if secret.is_empty() {
        return Credentials::Id(id.to_owned());
    }
    let mut readings = vec![Reading { id: id.to_owned(), secret: Secret::new(secret.to_owned()) }];
    let may_be_encoded = |text: &str| memchr2(b'%', b'+', text.as_bytes()).is_some();
    if may_be_encoded(id) || may_be_encoded(secret) {
        // What can't be decoded was not encoded: it has one reading.
        let decoded = (form::decode(id.as_bytes()), form::decode(secret.as_bytes()));
        if let (Ok(id), Ok(secret)) = decoded
            && !secret.is_empty()
        {
            readings.push(Reading { id: id.into_owned(), secret: Secret::new(secret.into_owned()) });
        }
    }
    Credentials::Secret { method: AuthMethod::ClientSecretBasic, readings }
}

fn malformed(what: &'static str) -> Refusal {
    Malformed::Authorization(what).into()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn sent(value: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        headers
    }

    fn read(value: &str) -> Result<Vec<(String, String)>, Refusal> {
        Ok(match credentials(&sent(value.as_bytes()))? {
            Credentials::None => Vec::new(),
            Credentials::Id(id) => vec![(id, String::new())],
            Credentials::Secret { method, readings } => {
                assert_eq!(method, AuthMethod::ClientSecretBasic);
                readings.into_iter().map(|r| (r.id, r.secret.expose().to_owned())).collect()
            }
        })
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn the_credentials_of_the_vendors_pages_are_read() {
        assert_eq!(read("Basic dXNlcm5hbWU6cGFzc3dvcmQ=").unwrap(), pairs(&[("username", "password")]));
        assert_eq!(read("bAsIc REVZRUxCT1Q6Qk9UREVZRUwzMTIh").unwrap(), pairs(&[("DEYELBOT", "BOTDEYEL312!")]));
        assert!(matches!(credentials(&HeaderMap::new()), Ok(Credentials::None)));
    }

    #[test]
    fn the_first_colon_splits() {
        assert_eq!(read(&basic("a:b:c")).unwrap(), pairs(&[("a", "b:c")]));
    }

    #[test]
    fn an_empty_secret_is_the_id_alone() {
        assert!(
            matches!(credentials(&sent(basic("DEYELBOT:").as_bytes())), Ok(Credentials::Id(id)) if id == "DEYELBOT")
        );
    }

    #[test]
    fn credentials_that_may_be_encoded_have_two_readings() {
        assert_eq!(read(&basic("a%3Ab:c+d")).unwrap(), pairs(&[("a%3Ab", "c+d"), ("a:b", "c d")]));
        assert_eq!(read(&basic("a:50%")).unwrap(), pairs(&[("a", "50%")]));
        assert_eq!(read(&basic("a:%ff")).unwrap(), pairs(&[("a", "%ff")]));
    }

    #[test]
    fn what_is_no_basic_is_malformed() {
        for bad in [
            "Basic",
            "Basic ",
            "Basic ?",
            "Basic dXNlcm5hbWU6cGFzc3dvcmQ",
            "Basic dXNlcm5hbWU",
            "Basic /zo6",
            "Basic YTpi YTpi",
        ] {
            assert!(matches!(read(bad), Err(Refusal::Malformed(Malformed::Authorization(_)))), "{bad}");
            assert!(was_tried(&sent(bad.as_bytes())), "{bad}");
        }
        let mut twice = sent(basic("a:b").as_bytes());
        twice.append(AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
        assert!(matches!(credentials(&twice), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn another_scheme_is_a_refused_client() {
        for other in ["Bearer abc", "Basics YTpi", "", "x"] {
            assert!(matches!(read(other), Err(Refusal::Client(ClientFailure::Method))), "{other}");
            assert!(!was_tried(&sent(other.as_bytes())), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, text in "(?i)basic[ ]{0,2}[A-Za-z0-9+/=]{0,24}") {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(AUTHORIZATION, value);
                let _ = credentials(&headers);
            }
            let _ = read(&text);
        }

        #[test]
        fn what_is_sent_is_a_reading(id in "[^:]{0,12}", secret in ".{1,20}") {
            let readings = read(&basic(&format!("{id}:{secret}"))).unwrap();
            prop_assert!(readings.contains(&(id.clone(), secret.clone())));
            let encode = |s: &str| url::form_urlencoded::byte_serialize(s.as_bytes()).collect::<String>();
            let readings = read(&basic(&format!("{}:{}", encode(&id), encode(&secret)))).unwrap();
            prop_assert!(readings.contains(&(id, secret)));
        }
    }
}
