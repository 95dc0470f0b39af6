//! What a proxy asks: may this request of another pass?

use ficha_web::BadForwarding;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

const METHOD: [HeaderName; 2] =
    [HeaderName::from_static("x-original-method"), HeaderName::from_static("x-forwarded-method")];
const URI: [HeaderName; 2] = [HeaderName::from_static("x-original-uri"), HeaderName::from_static("x-forwarded-uri")];

/// Why it can't be told what the request is that a proxy asks about. The proxy is set up wrongly, or lets the caller's own
/// headers through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// No header tells it.
    #[error("the proxy does not say the {0} of the request, in X-Original- or X-Forwarded- headers")]
    Missing(&'static str),
    /// Two headers tell it, differently, or one twice.
    #[error("the {0} of the request is told twice")]
    Repeated(&'static str),
    /// It is no method.
    #[error("the method of the request is none")]
    Method,
    /// See [`BadForwarding`].
    #[error("it is unclear how the request came: {0}")]
    Forwarding(#[from] BadForwarding),
}

/// The request that is asked about.
pub(crate) struct Asked<'a> {
    pub(crate) method: Method,
    /// What stands before `?`.
    pub(crate) path: &'a [u8],
    /// What stands behind it.
    pub(crate) query: &'a [u8],
}

impl<'a> Asked<'a> {
    /// Reads it.
    pub(crate) fn of(headers: &'a HeaderMap) -> Result<Self, Unclear> {
        let method = one(headers, &METHOD, "method")?;
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| Unclear::Method)?;
        let uri = one(headers, &URI, "URI")?.as_bytes();
        let end = uri.iter().position(|b| *b == b'?').unwrap_or(uri.len());
        let (path, rest) = uri.split_at_checked(end).unwrap_or((uri, b""));
        Ok(Self { method, path, query: rest.get(1..).unwrap_or_default() })
    }

    /// Whether the query holds a token.
    pub(crate) fn has_token_in_query(&self) -> bool {
        url::form_urlencoded::parse(self.query).any(|(name, _)| name == "access_token")
    }

    /// The path for the log.
    pub(crate) fn path_text(&self) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.path)
    }
}

/// The one value that all of `names` tell together.
fn one<'a>(headers: &'a HeaderMap, names: &[HeaderName], what: &'static str) -> Result<&'a HeaderValue, Unclear> {
    let mut found: Option<&HeaderValue> = None;
    for name in names {
        let mut values = headers.get_all(name).iter();
        let Some(value) = values.next() else { continue };
        // The same name twice is one too many, whatever it says; the same word under both names is one word.
        if values.next().is_some() || found.is_some_and(|other| other != value) {
            return Err(Unclear::Repeated(what));
        }
        found = Some(value);
    }
    found.ok_or(Unclear::Missing(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<(String, String, String), Unclear> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        let asked = Asked::of(&headers)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok((asked.method.to_string(), text(asked.path), text(asked.query)))
    }

    #[test]
    fn method_and_uri_come_in_either_custom() {
        let expected = Ok(("GET".into(), "/cards/7".into(), "a=b?c".into()));
        assert_eq!(read(&[("x-original-method", "GET"), ("x-original-uri", "/cards/7?a=b?c")]), expected);
        assert_eq!(read(&[("x-forwarded-method", "GET"), ("x-forwarded-uri", "/cards/7?a=b?c")]), expected);
        let both = [("x-original-method", "GET"), ("x-forwarded-method", "GET"), ("x-forwarded-uri", "/cards/7?a=b?c")];
        assert_eq!(read(&both), expected);
    }

    #[test]
    fn what_is_missing_repeated_or_contradicts_itself_is_refused() {
        let method = ("x-original-method", "GET");
        let uri = ("x-original-uri", "/a");
        assert_eq!(read(&[uri]), Err(Unclear::Missing("method")));
        assert_eq!(read(&[method]), Err(Unclear::Missing("URI")));
        assert_eq!(read(&[method, method, uri]), Err(Unclear::Repeated("method")));
        assert_eq!(read(&[method, uri, uri]), Err(Unclear::Repeated("URI")));
        assert_eq!(read(&[method, uri, ("x-forwarded-uri", "/b")]), Err(Unclear::Repeated("URI")));
        assert_eq!(read(&[method, ("x-forwarded-method", "POST"), uri]), Err(Unclear::Repeated("method")));
        assert_eq!(read(&[("x-original-method", "G T"), uri]), Err(Unclear::Method));
        assert_eq!(read(&[("x-original-method", ""), uri]), Err(Unclear::Method));
    }

    #[test]
    fn a_token_in_the_query_is_seen_however_it_is_written() {
        for (uri, there) in [
            ("/a?access_token=x", true),
            ("/a?b=c&access%5Ftoken=x", true),
            ("/a?access_token", true),
            ("/a?token=access_token", false),
            ("/access_token=x", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-original-method", HeaderValue::from_static("GET"));
            headers.insert("x-original-uri", uri.parse().unwrap());
            assert_eq!(Asked::of(&headers).unwrap().has_token_in_query(), there, "{uri}");
        }
    }
}
