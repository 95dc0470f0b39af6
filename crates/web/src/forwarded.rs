//! The grammar of the headers by which proxies tell whom they speak for.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderMap, HeaderName, header};

use crate::proxy::{BadForwarding, Host};

/// Where a request came from, as one element of a chain tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    /// An address, its port left out.
    Address(IpAddr),
    /// `unknown`, an obfuscated name, or nothing at all (RFC 7239 §6).
    Hidden,
}

/// What was said of the scheme by all who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Scheme {
    /// Nothing.
    #[default]
    Unsaid,
    /// `https` by all.
    Https,
    /// Something else by one at least.
    Insecure,
}

impl Scheme {
    fn of(text: &str) -> Option<Self> {
        let is_scheme = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        let scheme = if text.eq_ignore_ascii_case("https") { Self::Https } else { Self::Insecure };
        is_scheme.then_some(scheme)
    }

    /// Both together: who contradicts `https` is believed.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unsaid, said) | (said, Self::Unsaid) => said,
            (Self::Https, Self::Https) => Self::Https,
            (Self::Insecure, _) | (_, Self::Insecure) => Self::Insecure,
        }
    }
}

/// One element of `Forwarded`, or what the `X-Forwarded-` headers say of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) node: Node,
    pub(crate) scheme: Scheme,
    pub(crate) host: Option<Host>,
}

const FORWARDED: &str = "forwarded";
pub(crate) const X_FOR: &str = "x-forwarded-for";
pub(crate) const X_PROTO: &str = "x-forwarded-proto";
pub(crate) const X_HOST: &str = "x-forwarded-host";

/// Whether a proxy has left any trace, one that we don't read included.
pub(crate) fn any_header(headers: &HeaderMap) -> bool {
    headers.keys().any(is_of_a_proxy)
}

fn is_of_a_proxy(name: &HeaderName) -> bool {
    const OTHERS: [&str; 5] = ["x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "front-end-https"];
    *name == header::FORWARDED
        || *name == header::VIA
        || name.as_str().starts_with("x-forwarded-")
        || OTHERS.contains(&name.as_str())
}

/// The values of `name`, several headers as one (RFC 9110 §5.3).
fn values<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> impl Iterator<Item = Result<&'a str, BadForwarding>> + use<'a> {
    headers.get_all(name).iter().map(move |value| value.to_str().map_err(|_| BadForwarding::Malformed(name)))
}

/// The items of a list in `name`, none of which may be empty; `None` without the header.
pub(crate) fn list<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<Vec<&'a str>>, BadForwarding> {
    if !headers.contains_key(name) {
        return Ok(None);
    }
    let mut items = Vec::new();
    for value in values(headers, name) {
        items.extend(value?.split(',').map(|item| item.trim_matches([' ', '\t'])));
    }
    if items.iter().any(|item| item.is_empty()) { Err(BadForwarding::Malformed(name)) } else { Ok(Some(items)) }
}

/// What all items of `X-Forwarded-Proto` come to.
pub(crate) fn schemes(headers: &HeaderMap) -> Result<Scheme, BadForwarding> {
    let items = list(headers, X_PROTO)?.unwrap_or_default();
    items
        .into_iter()
        .try_fold(Scheme::Unsaid, |all, item| Ok(all.and(Scheme::of(item).ok_or(BadForwarding::Malformed(X_PROTO))?)))
}

/// An address with or without a port, as `for=` (RFC 7239 §6) and `X-Forwarded-For` have it.
pub(crate) fn node(text: &str) -> Option<Node> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let port_ok = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        let address: Ipv6Addr = address.parse().ok()?;
        return port_ok.then(|| Node::Address(IpAddr::from(address).to_canonical()));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Node::Address(address.to_canonical()));
    }
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    if !port.is_none_or(is_port) {
        return None;
    }
    if name.eq_ignore_ascii_case("unknown") || is_obfuscated(name) {
        return Some(Node::Hidden);
    }
    Some(Node::Address(name.parse::<std::net::Ipv4Addr>().ok()?.into()))
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok() && text.bytes().all(|b| b.is_ascii_digit()) || is_obfuscated(text)
}

fn is_obfuscated(text: &str) -> bool {
    let name = text.strip_prefix('_').unwrap_or_default();
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// The elements of all `Forwarded` headers, in order; `None` without one.
pub(crate) fn forwarded(headers: &HeaderMap) -> Result<Option<Vec<Element>>, BadForwarding> {
    if !headers.contains_key(FORWARDED) {
        return Ok(None);
    }
    let mut elements = Vec::new();
    for value in values(headers, FORWARDED) {
        let mut rest = Text(value?);
        while let Some(element) = rest.element().ok_or(BadForwarding::Malformed(FORWARDED))? {
            elements.push(element);
        }
    }
    if elements.is_empty() { Err(BadForwarding::Malformed(FORWARDED)) } else { Ok(Some(elements)) }
}

/// What is left to be read of a `Forwarded` header (RFC 7239 §4).
struct Text<'a>(&'a str);

impl Text<'_> {
    /// The next element; `Some(None)` at the end, `None` when it is malformed.
    #[expect(clippy::option_option, reason = "malformed and at the end are both usual here")]
    fn element(&mut self) -> Option<Option<Element>> {
        // Empty elements are allowed (RFC 9110 §5.6.1).
        while self.eat(',') {}
        if self.0.is_empty() {
            return Some(None);
        }
        let (mut by, mut node_said, mut scheme, mut host) = (false, None, None, None);
        loop {
            if !self.at_end_of_pair() {
                let name = self.token()?.to_ascii_lowercase();
                if !self.0.starts_with('=') {
                    return None;
                }
                self.0 = self.0.get(1..)?;
                let value = self.value()?;
                let twice = match name.as_str() {
                    "for" => node_said.replace(node(&value)?).is_some(),
                    "proto" => scheme.replace(Scheme::of(&value)?).is_some(),
                    "host" => host.replace(Host::parse(&value)?).is_some(),
                    "by" => std::mem::replace(&mut by, true),
                    _ => false,
                };
                if twice {
                    return None;
                }
            }
            if self.eat(';') {
                continue;
            }
            if self.0.is_empty() || self.eat(',') {
                let node = node_said.unwrap_or(Node::Hidden);
                return Some(Some(Element { node, scheme: scheme.unwrap_or_default(), host }));
            }
            return None;
        }
    }

    /// Passes over `separator` with the blanks around it.
    fn eat(&mut self, separator: char) -> bool {
        let trimmed = self.0.trim_start_matches([' ', '\t']);
        let found = trimmed.strip_prefix(separator);
        self.0 = found.map_or(trimmed, |rest| rest.trim_start_matches([' ', '\t']));
        found.is_some()
    }

    fn at_end_of_pair(&self) -> bool {
        self.0.is_empty() || self.0.starts_with([';', ','])
    }

    fn token(&mut self) -> Option<&str> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.0.find(|c| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// A token or a quoted string, without its quotes.
    fn value(&mut self) -> Option<String> {
        let Some(quoted) = self.0.strip_prefix('"') else { return self.token().map(str::to_owned) };
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = quoted.get(at + 1..)?;
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                c => value.push(c),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn address(text: &str) -> Node {
        Node::Address(text.parse().unwrap())
    }

    #[test]
    fn nodes_are_read_in_every_form() {
        for (text, expected) in [
            ("192.0.2.43", Some(address("192.0.2.43"))),
            ("192.0.2.43:47011", Some(address("192.0.2.43"))),
            ("[2001:db8:cafe::17]", Some(address("2001:db8:cafe::17"))),
            ("[2001:db8:cafe::17]:4711", Some(address("2001:db8:cafe::17"))),
            ("2001:db8:cafe::17", Some(address("2001:db8:cafe::17"))),
            ("::ffff:192.0.2.43", Some(address("192.0.2.43"))),
            ("unknown", Some(Node::Hidden)),
            ("Unknown:80", Some(Node::Hidden)),
            ("_gazonk", Some(Node::Hidden)),
            ("192.0.2.43:_port", Some(address("192.0.2.43"))),
            ("192.0.2.43:", None),
            ("192.0.2.43:+1", None),
            ("192.0.2.43:99999", None),
            ("[2001:db8::1", None),
            ("[192.0.2.43]", None),
            ("[::1]x", None),
            ("192.0.2", None),
            ("client.example", None),
            ("_", None),
            ("", None),
        ] {
            assert_eq!(node(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_examples_of_the_rfc_are_understood() {
        let values = ["for=192.0.2.43, For=\"[2001:db8:cafe::17]:4711\"", "for=192.0.2.60;proto=http;by=203.0.113.43"];
        let elements = forwarded(&headers(FORWARDED, &values)).unwrap().unwrap();
        let nodes: Vec<_> = elements.iter().map(|e| e.node).collect();
        assert_eq!(nodes, [address("192.0.2.43"), address("2001:db8:cafe::17"), address("192.0.2.60")]);
        assert_eq!(elements[2].scheme, Scheme::Insecure);
    }

    #[test]
    fn what_the_grammar_allows_at_its_edges_is_allowed() {
        let value = " ,for=1.2.3.4 ; proto=HTTPS;;host=\"a.example:8443\";secret=\"a,\\\"b;\" , ,for=_x,";
        let elements = forwarded(&headers(FORWARDED, &[value])).unwrap().unwrap();
        let first = Element { node: address("1.2.3.4"), scheme: Scheme::Https, host: Host::parse("a.example:8443") };
        assert_eq!(elements, [first, Element { node: Node::Hidden, scheme: Scheme::Unsaid, host: None }]);
    }

    #[test]
    fn what_it_does_not_allow_is_malformed() {
        for value in [
            "",
            ",",
            "for",
            "for=",
            "for =1.2.3.4",
            "for= 1.2.3.4",
            "for=1.2.3.4 proto=https",
            "for=2001:db8::1",
            "for=\"1.2.3.4",
            "for=\"1.2.3.4\\",
            "for=1.2.3.4;for=5.6.7.8",
            "proto=https;proto=http",
            "host=a;host=b",
            "for=1.2.3.4;proto=1",
            "host=\"a b\"",
            "for=1.2.3.4;=x",
        ] {
            let read = forwarded(&headers(FORWARDED, &[value]));
            assert_eq!(read, Err(BadForwarding::Malformed(FORWARDED)), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(value in "[ -~\t]{0,60}") {
            let headers = headers(FORWARDED, &[&value]);
            let _ = forwarded(&headers);
            let _ = node(&value);
            let _ = Host::parse(&value);
        }

        #[test]
        fn what_is_quoted_reads_back(host in "[a-z0-9.-]{1,20}", port in 1_u16..) {
            let value = format!("for=\"[::1]:{port}\";host=\"{host}:{port}\"");
            match Host::parse(&format!("{host}:{port}")) {
                Some(expected) => {
                    let read = forwarded(&headers(FORWARDED, &[&value])).unwrap().unwrap();
                    prop_assert_eq!(read[0].host.as_ref(), Some(&expected));
                    prop_assert_eq!(read[0].node, address("::1"));
                }
                None => prop_assert!(forwarded(&headers(FORWARDED, &[&value])).is_err()),
            }
        }
    }
}
