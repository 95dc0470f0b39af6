//! Where an issuer answers.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::BadWord;

/// The port of a base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Port {
    /// This one.
    Is(u16),
    /// Whichever the request came to: aliases only (`https://auth.example.com:*`).
    Any,
}

/// A base URL exactly as configured: `http` or `https`, host in lower case, port, and a path prefix that is empty or begins
/// with `/` and ends without one. A slash at its end stands in its text, for verifiers compare `iss` exactly, and makes no other
/// difference. No user, query or fragment (RFC 8414 §2).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    text: Arc<str>,
    https: bool,
    host: Arc<str>,
    port: Port,
    prefix: Arc<str>,
}

/// The most segments of a base URL's path.
pub const MAX_SEGMENTS: usize = 8;

/// The most bytes of a base URL's path.
pub const MAX_PREFIX: usize = 255;

const BAD: BadWord =
    BadWord { word: "base URL", expected: "http or https, a host, maybe a port, maybe a path, nothing else" };

impl BaseUrl {
    /// The text as configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
    /// Whether its scheme is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }
    /// The host in lower case, an IPv6 address in its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
    /// The port, the scheme's own when none is written.
    #[must_use]
    pub fn port(&self) -> Port {
        self.port
    }
    /// The path prefix: empty, or `/` and segments.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// It as two are compared: the port always written.
    #[must_use]
    pub fn written_out(&self) -> String {
        write_out((self.https, &self.host, self.port), &self.prefix)
    }
}

/// What [`BaseUrl::written_out`] answers for these parts.
#[must_use]
pub fn write_out((https, host, port): (bool, &str, Port), prefix: &str) -> String {
    let scheme = if https { "https" } else { "http" };
    match port {
        Port::Is(port) => format!("{scheme}://{host}:{port}{prefix}"),
        Port::Any => format!("{scheme}://{host}:*{prefix}"),
    }
}

/// Where `path`, which begins with a slash, is below a base URL.
#[must_use]
pub fn below(base_url: &str, path: &str) -> String {
    format!("{}{path}", base_url.strip_suffix('/').unwrap_or(base_url))
}

/// What a base URL's prefix may be for `path` to be below it, by whole segments, the shortest first. At most [`MAX_SEGMENTS`]
/// and the empty one, none longer than [`MAX_PREFIX`] bytes.
pub fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let mut end = 0;
    let segments = path.strip_prefix('/').into_iter().flat_map(|rest| rest.split('/')).take(MAX_SEGMENTS);
    let longer = segments.map_while(move |segment| {
        end += 1 + segment.len();
        let may_be = !segment.is_empty() && !segment.starts_with(".well-known") && end <= MAX_PREFIX;
        if may_be { path.get(..end) } else { None }
    });
    std::iter::once("").chain(longer)
}

impl FromStr for BaseUrl {
    type Err = BadWord;
    fn from_str(s: &str) -> Result<Self, BadWord> {
        let text = s.strip_suffix('/').unwrap_or(s);
        let (any, parseable) = match text.split_once("://").map(|(_, rest)| rest) {
            Some(rest) if rest.split('/').next().is_some_and(|a| a.ends_with(":*")) => {
                (true, text.replacen(":*", "", 1))
            }
            _ => (false, text.to_owned()),
        };
        let url = url::Url::parse(&parseable).map_err(|_| BAD)?;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(BAD),
        };
        let host = url.host_str().filter(|h| !h.is_empty()).ok_or(BAD)?;
        let plain =
            url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        let prefix = if url.path() == "/" { "" } else { url.path() };
        let segments_ok = prefix.split('/').skip(1).all(|s| !s.is_empty() && !matches!(s, "." | ".."));
        // What `url` had to mend (dot segments, encodings) was not written as it will be compared.
        let written = parseable.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
        let as_written = written.unwrap_or_default() == prefix && !prefix.contains("/.well-known");
        if !plain || !segments_ok || !as_written || text.ends_with('/') {
            return Err(BAD);
        }
        let port = if any { Port::Any } else { Port::Is(url.port_or_known_default().ok_or(BAD)?) };
        Ok(Self { text: s.into(), https, host: host.into(), port, prefix: prefix.into() })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({:?})", &*self.text)
    }
}

impl Serialize for BaseUrl {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for BaseUrl {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_apart_as_it_will_be_compared() {
        let url: BaseUrl = "https://localhost:8443/leancore".parse().unwrap();
        assert_eq!((url.host(), url.port(), url.prefix()), ("localhost", Port::Is(8443), "/leancore"));
        let url: BaseUrl = "https://auth.leancore.co:*".parse().unwrap();
        assert_eq!((url.host(), url.port(), url.prefix()), ("auth.leancore.co", Port::Any, ""));
        let url: BaseUrl = "https://Example.com/".parse().unwrap();
        assert_eq!((url.host(), url.port(), url.prefix()), ("example.com", Port::Is(443), ""));
        assert_eq!(url.as_str(), "https://Example.com/", "as it is written");
        let url: BaseUrl = "https://a.example/b/".parse().unwrap();
        assert_eq!((url.prefix(), url.written_out().as_str()), ("/b", "https://a.example:443/b"));
        let url: BaseUrl = "http://[::1]:8080".parse().unwrap();
        assert_eq!((url.host(), url.port()), ("[::1]", Port::Is(8080)));
    }

    #[test]
    fn a_base_url_is_the_same_with_its_port_written_or_not() {
        let url = |text: &str| text.parse::<BaseUrl>().unwrap().written_out();
        assert_eq!(url("https://a.example/x"), url("https://A.example:443/x"));
        assert_ne!(url("https://a.example"), url("http://a.example"));
        assert_eq!(url("https://a.example:*"), "https://a.example:*");
    }

    #[test]
    fn a_path_has_a_bounded_number_of_prefixes_by_whole_segments() {
        let of = |path: &'static str| prefixes(path).collect::<Vec<_>>();
        assert_eq!(of("/acme/oauth/token"), ["", "/acme", "/acme/oauth", "/acme/oauth/token"]);
        for none in ["", "/", "*", "//a", "/.well-known/jwks.json"] {
            assert_eq!(of(none), [""], "{none}");
        }
        assert_eq!(of("/a//b"), ["", "/a"]);
        assert_eq!(of("/a/.well-known/jwks.json"), ["", "/a"]);
        assert_eq!(of("/1/2/3/4/5/6/7/8/9/10").len(), 1 + MAX_SEGMENTS);
        let long = format!("/{}/{}", "a".repeat(200), "b".repeat(200));
        assert_eq!(prefixes(&long).count(), 2);
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for bad in [
            "ftp://a",
            "https://",
            "https://a/b//c",
            "https://a?x=1",
            "https://u:p@a",
            "https://a/b#c",
            "a",
            "https://a/../b",
        ] {
            assert!(bad.parse::<BaseUrl>().is_err(), "{bad}");
        }
    }
}
