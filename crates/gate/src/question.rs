//! What a proxy asks: may this request of another pass?

use ficha_web::BadForwarding;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

const METHOD: [HeaderName; 2] =
    [HeaderName::from_static("x-original-method"), HeaderName::from_static("x-forwarded-method")];
const URI: [HeaderName; 2] = [HeaderName::from_static("x-original-uri"), HeaderName::from_static("x-forwarded-uri")];

/// Headers that an upstream takes for the gate's word, or for another method or path than the rules saw. A proxy that passes the
/// caller's headers on to us would pass them on to the upstream, too.
const NOT_THE_CALLERS: [(&str, &str); 8] = [
    ("x-client-id", "X-Client-Id"),
    ("x-scope", "X-Scope"),
    ("x-subject", "X-Subject"),
    ("x-original-url", "X-Original-URL"),
    ("x-rewrite-url", "X-Rewrite-URL"),
    ("x-http-method", "X-HTTP-Method"),
    ("x-http-method-override", "X-HTTP-Method-Override"),
    ("x-method-override", "X-Method-Override"),
];

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
    /// The caller sends a header by which an upstream could be told something else.
    #[error("the request has a header {0}, which is not the caller's to send")]
    NotTheCallers(&'static str),
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
        if let Some(name) = headers.keys().find_map(not_the_callers) {
            return Err(Unclear::NotTheCallers(name));
        }
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

/// The name of [`NOT_THE_CALLERS`] that an upstream could take this one for: to many, everything but letters and digits is `_`.
fn not_the_callers(name: &HeaderName) -> Option<&'static str> {
    let name = name.as_str();
    if !name.starts_with('x') {
        return None;
    }
    let same = |own: &str| {
        own.len() == name.len()
            && own.bytes().zip(name.bytes()).all(|(a, b)| a == b || (a == b'-' && !b.is_ascii_alphanumeric()))
    };
    NOT_THE_CALLERS.iter().find(|(own, _)| same(own)).map(|(_, told)| *told)
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
    fn what_an_upstream_could_take_for_our_word_is_refused_however_it_is_written() {
        for (name, told) in [
            ("x-client-id", "X-Client-Id"),
            ("x_client_id", "X-Client-Id"),
            ("x.client-id", "X-Client-Id"),
            ("x-scope", "X-Scope"),
            ("x_subject", "X-Subject"),
            ("x-rewrite_url", "X-Rewrite-URL"),
            ("x-http-method-override", "X-HTTP-Method-Override"),
        ] {
            let pairs = [("x-original-method", "GET"), ("x-original-uri", "/a"), (name, "")];
            assert_eq!(read(&pairs), Err(Unclear::NotTheCallers(told)), "{name}");
        }
        for name in ["x-client-ids", "xclient-id", "x-client0id", "x-original-urls", "y-scope"] {
            assert!(read(&[("x-original-method", "GET"), ("x-original-uri", "/a"), (name, "")]).is_ok(), "{name}");
        }
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
