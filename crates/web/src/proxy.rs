//! Who a request is from, over which transport and for which host, proxies in front taken into account.

use std::{fmt, net::IpAddr};

use http::{HeaderMap, Request, Uri, Version, header, request::Parts};
use ipnet::IpNet;

use crate::{
    Arrival,
    forwarded::{Element, Node, Scheme, X_FOR, X_HOST, any_header, forwarded, list, node, schemes},
};

/// The networks of the proxies that are believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Believes these. A network of IPv4 addresses mapped into IPv6 is none: write it as IPv4.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether `address` is one of them, however it is written.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// A host, with its port where one was given; IPv6 in brackets, names in lower case without a dot at the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    /// The name or address.
    pub name: Box<str>,
    /// The port, unless left to the scheme.
    pub port: Option<u16>,
}

impl Host {
    /// Reads `host[:port]` (RFC 3986 §3.2, of names only letters, digits, `.`, `-`, `_` and `~`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let end = if text.starts_with('[') {
            text.find(']')? + 1
        } else {
            text.bytes().position(|b| b == b':').unwrap_or(text.len())
        };
        let (name, rest) = text.split_at_checked(end)?;
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            Some("") => None,
            Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => Some(port.parse().ok()?),
            None | Some(_) => return None,
        };
        let name = if name.starts_with('[') { name } else { name.strip_suffix('.').unwrap_or(name) };
        is_host(name).then(|| Self { name: name.to_ascii_lowercase().into(), port })
    }

    /// The port, the scheme's own when none was given.
    #[must_use]
    pub fn port_or_default(&self, secure: bool) -> u16 {
        self.port.unwrap_or(if secure { 443 } else { 80 })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

fn is_host(name: &str) -> bool {
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    // Labels that are not empty: no dot follows another one, none is the first or the last.
    let mut before = b'.';
    let all_ok = name.bytes().all(|b| {
        let ok = if b == b'.' { before != b'.' } else { b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'~') };
        before = b;
        ok
    });
    name.len() <= 255 && all_ok && before != b'.'
}

/// What of a request's head tells where it was meant to go, and who handed it on.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The protocol: HTTP/1 and HTTP/2 treat a `Host` beside another authority differently.
    pub version: Version,
    /// The target.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
}

impl<'a, B> From<&'a Request<B>> for Head<'a> {
    fn from(request: &'a Request<B>) -> Self {
        Self { version: request.version(), uri: request.uri(), headers: request.headers() }
    }
}

impl<'a> From<&'a Parts> for Head<'a> {
    fn from(parts: &'a Parts) -> Self {
        Self { version: parts.version, uri: &parts.uri, headers: &parts.headers }
    }
}

/// Who a request is from, how it came, and for which host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that hold or don't, independent of each other")]
pub struct Origin {
    /// The client's address, IPv4 never mapped into IPv6.
    pub client: IpAddr,
    /// Whether it came by TLS all the way: to here, or to a trusted proxy that says `https`.
    pub secure: bool,
    /// The host that was asked for; `None` when the request names none.
    pub host: Option<Host>,
    /// Whether the peer is a trusted proxy.
    pub via_proxy: bool,
    /// Whether both ends of the connection are this machine.
    pub loopback: bool,
    /// Whether any proxy has left its trace in the headers, trusted or not.
    pub forwarding_header_present: bool,
}

/// Why it can't be told where a request is from. All of them are the sender's fault: 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadForwarding {
    /// There is no `Host` header in HTTP/1.1 (RFC 9112 §3.2).
    #[error("no Host header")]
    HostMissing,
    /// There are several `Host` headers (RFC 9112 §3.2).
    #[error("more than one Host header")]
    HostRepeated,
    /// The host is none.
    #[error("the Host is malformed")]
    HostMalformed,
    /// `Host` and `:authority` differ (RFC 9113 §8.3.1).
    #[error("Host and :authority differ")]
    HostDisagrees,
    /// A trusted proxy sent a header that does not follow its grammar.
    #[error("the header {0} is malformed")]
    Malformed(&'static str),
    /// A trusted proxy's headers name two different clients or hosts: one of them may be the client's own invention.
    #[error("the forwarding headers name two different {0}")]
    Contradiction(&'static str),
}

impl Origin {
    /// Reads it from how the request arrived and what its head says. Forwarding headers count only when the peer is
    /// trusted; then their chain is walked from its end to the first address that isn't.
    ///
    /// # Errors
    /// [`BadForwarding`].
    pub fn of<'a>(
        arrival: &Arrival,
        head: impl Into<Head<'a>>,
        trusted: &TrustedProxies,
    ) -> Result<Self, BadForwarding> {
        let head = head.into();
        let peer = arrival.peer.ip().to_canonical();
        let direct = Self {
            client: peer,
            secure: arrival.tls,
            host: asked_for(head)?,
            via_proxy: trusted.contains(peer),
            loopback: arrival.is_loopback(),
            forwarding_header_present: any_header(head.headers),
        };
        if direct.via_proxy && direct.forwarding_header_present {
            direct.told_by_proxies(head.headers, trusted)
        } else {
            Ok(direct)
        }
    }

    /// Whether it came straight from a program on this machine: what `allow_loopback_http` asks for.
    #[must_use]
    pub fn is_bare_loopback(&self) -> bool {
        self.loopback && !self.via_proxy && !self.forwarding_header_present
    }

    fn told_by_proxies(self, headers: &HeaderMap, trusted: &TrustedProxies) -> Result<Self, BadForwarding> {
        let standard = forwarded(headers)?.map(|elements| standard(elements, trusted));
        let customary = customary(headers, trusted)?;
        let told = match (standard, customary) {
            (Some(one), Some(other)) => one.and(other)?,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return Ok(self),
        };
        let secure = match told.scheme {
            Scheme::Unsaid => self.secure,
            Scheme::Https => true,
            Scheme::Insecure => false,
        };
        Ok(Self { client: told.client.unwrap_or(self.client), secure, host: told.host.or(self.host), ..self })
    }
}

/// What trusted proxies tell.
struct Told {
    client: Option<IpAddr>,
    scheme: Scheme,
    host: Option<Host>,
}

impl Told {
    fn and(self, other: Self) -> Result<Self, BadForwarding> {
        Ok(Self {
            client: same(self.client, other.client, "clients")?,
            scheme: self.scheme.and(other.scheme),
            host: same(self.host, other.host, "hosts")?,
        })
    }
}

fn same<T: PartialEq>(one: Option<T>, other: Option<T>, what: &'static str) -> Result<Option<T>, BadForwarding> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Err(BadForwarding::Contradiction(what)),
        (one, other) => Ok(one.or(other)),
    }
}

/// `Forwarded`: the elements from the end to the one that tells of the client were written by trusted proxies.
fn standard(elements: Vec<Element>, trusted: &TrustedProxies) -> Told {
    let mut told = Told { client: None, scheme: Scheme::Unsaid, host: None };
    for Element { node, scheme, host } in elements.into_iter().rev() {
        told.scheme = told.scheme.and(scheme);
        told.host = host.or(told.host);
        match node {
            Node::Hidden => break,
            Node::Address(address) => {
                told.client = Some(address);
                if !trusted.contains(address) {
                    break;
                }
            }
        }
    }
    told
}

/// The `X-Forwarded-` headers. Which proxy wrote which protocol can't be told, so all must say `https`; several hosts must
/// be the same one.
fn customary(headers: &HeaderMap, trusted: &TrustedProxies) -> Result<Option<Told>, BadForwarding> {
    let scheme = schemes(headers)?;
    let mut host = None;
    for item in list(headers, X_HOST)?.unwrap_or_default() {
        let read = Host::parse(item).ok_or(BadForwarding::Malformed(X_HOST))?;
        host = same(host, Some(read), "hosts")?;
    }
    let mut client = None;
    // What stands before the first untrusted address was written by nobody we know: it isn't even read.
    for item in list(headers, X_FOR)?.unwrap_or_default().into_iter().rev() {
        match node(item).ok_or(BadForwarding::Malformed(X_FOR))? {
            Node::Hidden => break,
            Node::Address(address) => client = Some(address),
        }
        if client.is_some_and(|address| !trusted.contains(address)) {
            break;
        }
    }
    let nothing = client.is_none() && host.is_none() && scheme == Scheme::Unsaid;
    Ok((!nothing).then_some(Told { client, scheme, host }))
}

/// The host that the request itself names.
fn asked_for(head: Head<'_>) -> Result<Option<Host>, BadForwarding> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(BadForwarding::HostRepeated);
    }
    let host = match host.map(http::HeaderValue::as_bytes) {
        // RFC 9110 §7.2: empty where the target has no authority.
        None | Some(b"") => None,
        Some(bytes) => {
            let text = str::from_utf8(bytes).map_err(|_| BadForwarding::HostMalformed)?;
            Some(Host::parse(text).ok_or(BadForwarding::HostMalformed)?)
        }
    };
    let Some(authority) = head.uri.authority() else { return Ok(host) };
    let target = Host::parse(authority.as_str()).ok_or(BadForwarding::HostMalformed)?;
    // RFC 9112 §3.2.2: the target's authority stands, `Host` is ignored. RFC 9113 §8.3.1: they must not differ.
    if head.version >= Version::HTTP_2 && host.is_some_and(|host| host != target) {
        return Err(BadForwarding::HostDisagrees);
    }
    Ok(Some(target))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    const PROXY: &str = "10.0.0.1";
    const SOMEBODY: &str = "198.51.100.9";

    fn arrival(peer: &str) -> Arrival {
        let local = "10.0.0.9:8443".parse().unwrap();
        Arrival { peer: format!("{peer}:40000").parse().unwrap(), local, tls: false, sni: None, at: Instant::now() }
    }

    fn trusted() -> TrustedProxies {
        TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()])
    }

    fn request(headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        request
    }

    fn from(peer: &str, headers: &[(&'static str, &str)]) -> Result<Origin, BadForwarding> {
        Origin::of(&arrival(peer), &request(headers), &trusted())
    }

    /// Client, secure and host as a trusted proxy's headers tell them.
    fn told(headers: &[(&'static str, &str)]) -> Result<(String, bool, String), BadForwarding> {
        let origin = from(PROXY, headers)?;
        assert!(origin.via_proxy && origin.forwarding_header_present);
        let host = origin.host.map(|host| host.to_string()).unwrap_or_default();
        Ok((origin.client.to_string(), origin.secure, host))
    }

    #[test]
    fn what_a_trusted_proxy_tells_is_believed() {
        type Case = (&'static [(&'static str, &'static str)], (&'static str, bool, &'static str));
        const FOR: &str = "x-forwarded-for";
        const PROTO: &str = "x-forwarded-proto";
        const HOST: &str = "x-forwarded-host";
        let cases: &[Case] = &[
            (&[(FOR, "192.0.2.1")], ("192.0.2.1", false, "")),
            (&[(FOR, "192.0.2.1"), (PROTO, "https")], ("192.0.2.1", true, "")),
            (&[(FOR, "192.0.2.1"), (PROTO, "HTTPS"), (PROTO, "https")], ("192.0.2.1", true, "")),
            (&[(FOR, "192.0.2.1"), (PROTO, "http")], ("192.0.2.1", false, "")),
            (&[(FOR, "192.0.2.1"), (PROTO, "https, http")], ("192.0.2.1", false, "")),
            (&[(FOR, "192.0.2.1"), (PROTO, "http"), (PROTO, "https")], ("192.0.2.1", false, "")),
            // The client's own inventions stand to the left and are not even read.
            (&[(FOR, "6.6.6.6, nonsense, 192.0.2.1")], ("192.0.2.1", false, "")),
            (&[(FOR, "6.6.6.6"), (FOR, "192.0.2.1, 10.2.3.4")], ("192.0.2.1", false, "")),
            (&[(FOR, "10.7.7.7, 10.2.3.4")], ("10.7.7.7", false, "")),
            (&[(FOR, "unknown, 10.2.3.4")], ("10.2.3.4", false, "")),
            (&[(FOR, "unknown")], (PROXY, false, "")),
            (&[(FOR, "[2001:db8::1]:99")], ("2001:db8::1", false, "")),
            (&[(FOR, "::ffff:192.0.2.1")], ("192.0.2.1", false, "")),
            (&[(FOR, "fd00::1"), (HOST, "Auth.Example.")], ("fd00::1", false, "auth.example")),
            (&[("host", "inner:80"), (HOST, "auth.example:8443")], (PROXY, false, "auth.example:8443")),
            (&[("host", "inner:80"), (FOR, "192.0.2.1")], ("192.0.2.1", false, "inner:80")),
            (&[("x-real-ip", "6.6.6.6"), ("host", "a")], (PROXY, false, "a")),
            (&[("forwarded", "for=192.0.2.1;proto=https;host=a.example")], ("192.0.2.1", true, "a.example")),
            (&[("forwarded", "for=6.6.6.6;proto=https;host=evil, for=192.0.2.1")], ("192.0.2.1", false, "")),
            (&[("forwarded", "for=192.0.2.1;proto=https, for=10.2.3.4;proto=http")], ("192.0.2.1", false, "")),
            (&[("forwarded", "for=192.0.2.1;proto=https, for=10.2.3.4")], ("192.0.2.1", true, "")),
            (&[("forwarded", "for=192.0.2.1;proto=https, for=_hidden;proto=https")], (PROXY, true, "")),
            (&[("forwarded", "for=192.0.2.1;proto=https"), (PROTO, "http")], ("192.0.2.1", false, "")),
            (&[("forwarded", "for=192.0.2.1"), (FOR, "192.0.2.1"), (PROTO, "https")], ("192.0.2.1", true, "")),
        ];
        for (headers, (client, secure, host)) in cases {
            let expected = ((*client).to_owned(), *secure, (*host).to_owned());
            assert_eq!(told(headers), Ok(expected), "{headers:?}");
        }
    }

    #[test]
    fn what_is_malformed_or_contradicts_itself_is_refused() {
        use BadForwarding::{Contradiction, Malformed};
        type Case = (&'static [(&'static str, &'static str)], BadForwarding);
        let cases: &[Case] = &[
            (&[("x-forwarded-for", "192.0.2.1, client")], Malformed("x-forwarded-for")),
            (&[("x-forwarded-for", "192.0.2.1,")], Malformed("x-forwarded-for")),
            (&[("x-forwarded-for", "")], Malformed("x-forwarded-for")),
            (&[("x-forwarded-proto", "https;")], Malformed("x-forwarded-proto")),
            (&[("x-forwarded-proto", "")], Malformed("x-forwarded-proto")),
            (&[("x-forwarded-host", "a/b")], Malformed("x-forwarded-host")),
            (&[("x-forwarded-host", "a"), ("x-forwarded-host", "b")], Contradiction("hosts")),
            (&[("forwarded", "for=192.0.2.1;for=192.0.2.2")], Malformed("forwarded")),
            (&[("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "192.0.2.2")], Contradiction("clients")),
            (&[("forwarded", "host=a"), ("x-forwarded-host", "b")], Contradiction("hosts")),
        ];
        for (headers, expected) in cases {
            assert_eq!(told(headers), Err(*expected), "{headers:?}");
        }
    }

    #[test]
    fn what_anybody_else_tells_counts_for_nothing_but_is_noticed() {
        let headers = [
            ("host", "auth.example"),
            ("forwarded", "for=192.0.2.1;proto=https;host=evil, !!"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil"),
        ];
        let origin = from(SOMEBODY, &headers).unwrap();
        let host = Host::parse("auth.example");
        let client = SOMEBODY.parse().unwrap();
        let expected =
            Origin { client, secure: false, host, via_proxy: false, loopback: false, forwarding_header_present: true };
        assert_eq!(origin, expected);
    }

    #[test]
    fn tls_to_here_is_secure_unless_a_trusted_proxy_says_that_it_was_not_all_the_way() {
        let by_tls = |peer: &str, headers: &[(&'static str, &str)]| {
            Origin::of(&Arrival { tls: true, ..arrival(peer) }, &request(headers), &trusted()).unwrap().secure
        };
        assert!(by_tls(SOMEBODY, &[]));
        assert!(by_tls(SOMEBODY, &[("x-forwarded-proto", "http")]));
        assert!(by_tls(PROXY, &[]));
        assert!(!by_tls(PROXY, &[("x-forwarded-proto", "http")]));
    }

    #[test]
    fn only_a_program_on_this_machine_without_any_proxy_is_bare_loopback() {
        let at = |peer: &str, local: &str, headers: &[(&'static str, &str)], trusted: &TrustedProxies| {
            let local = local.parse().unwrap();
            let arrival = Arrival { peer: peer.parse().unwrap(), local, ..arrival(PROXY) };
            Origin::of(&arrival, &request(headers), trusted).unwrap().is_bare_loopback()
        };
        let nobody = TrustedProxies::default();
        let local_proxy = TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(at("127.0.0.1:5", "127.0.0.1:8080", &[], &nobody));
        assert!(at("[::1]:5", "[::1]:8080", &[], &nobody));
        assert!(at("[::ffff:127.0.0.1]:5", "[::ffff:127.0.0.1]:8080", &[], &nobody));
        assert!(!at("192.168.0.2:5", "127.0.0.1:8080", &[], &nobody));
        assert!(!at("127.0.0.1:5", "192.168.0.2:8080", &[], &nobody));
        assert!(!at("127.0.0.1:5", "127.0.0.1:8080", &[], &local_proxy));
        for header in [
            "forwarded",
            "via",
            "x-real-ip",
            "cf-connecting-ip",
            "x-forwarded-for",
            "x-forwarded-port",
            "x-forwarded-anything",
        ] {
            assert!(!at("127.0.0.1:5", "127.0.0.1:8080", &[(header, "x")], &nobody), "{header}");
        }
    }

    #[test]
    fn the_host_is_named_once_and_well() {
        let host = |value: &str| from(SOMEBODY, &[("host", value)]).map(|o| o.host.map(|h| h.to_string()));
        for (given, read) in [
            ("Auth.Example", "auth.example"),
            ("auth.example:", "auth.example"),
            ("auth.example.:0443", "auth.example:443"),
            ("[2001:DB8::1]:8443", "[2001:db8::1]:8443"),
            ("127.0.0.1:80", "127.0.0.1:80"),
        ] {
            assert_eq!(host(given), Ok(Some(read.to_owned())), "{given}");
        }
        assert_eq!(host(""), Ok(None));
        for bad in [
            "a b", "a/b", "user@a", "a:b", "a:99999", "a:+1", ".", ":80", "[::1", "[::1]x", "[zz]", "a,b", "a:80:80",
            "a..", "a..b", ".a",
        ] {
            assert_eq!(host(bad), Err(BadForwarding::HostMalformed), "{bad}");
        }
        assert_eq!(from(SOMEBODY, &[("host", "a"), ("host", "a")]), Err(BadForwarding::HostRepeated));
    }

    #[test]
    fn the_targets_own_authority_stands_above_the_host() {
        let at = |version: Version, uri: &str, host: &str| {
            let mut request = request(&[("host", host)]);
            *request.version_mut() = version;
            *request.uri_mut() = uri.parse().unwrap();
            Origin::of(&arrival(SOMEBODY), &request, &trusted()).map(|o| o.host.unwrap().to_string())
        };
        assert_eq!(at(Version::HTTP_11, "http://target:81/x", "other"), Ok("target:81".into()));
        assert_eq!(at(Version::HTTP_11, "/x", "other"), Ok("other".into()));
        assert_eq!(at(Version::HTTP_2, "https://target/x", "TARGET"), Ok("target".into()));
        assert_eq!(at(Version::HTTP_2, "https://target/x", "other"), Err(BadForwarding::HostDisagrees));
        assert_eq!(at(Version::HTTP_11, "http://user@target/x", "target"), Err(BadForwarding::HostMalformed));
    }

    fn any_value() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            "for=|proto=|host=|by=|https|http|,|;|\"|\\\\|192\\.0\\.2\\.1|10\\.0\\.0\\.2|\\[::1\\]|:80|unknown|_x| ",
            "[ -~]{0,5}",
        ];
        let text = prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes());
        prop_oneof![text, prop::collection::vec(any::<u8>(), 0..40)]
    }

    proptest! {
        #[test]
        fn no_headers_make_it_panic_and_a_stranger_is_always_himself(
            headers in prop::collection::vec((0_usize..6, any_value()), 0..6),
        ) {
            let names = ["host", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "via"];
            let mut request = Request::new(());
            for (name, value) in headers {
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    request.headers_mut().append(HeaderName::from_static(names[name]), value);
                }
            }
            let _ = Origin::of(&arrival(PROXY), &request, &trusted());
            if let Ok(origin) = Origin::of(&arrival(SOMEBODY), &request, &trusted()) {
                prop_assert_eq!(origin.client, SOMEBODY.parse::<IpAddr>().unwrap());
                prop_assert!(!origin.secure);
            }
        }

        #[test]
        fn a_host_reads_back_what_it_writes(text in "[A-Za-z0-9.~_-]{1,30}(:[0-9]{0,5})?") {
            if let Some(host) = Host::parse(&text) {
                prop_assert_eq!(Host::parse(&host.to_string()), Some(host));
            }
        }
    }
}
