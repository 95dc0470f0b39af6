//! Which issuer answers at a host and a path, and in which dialect.

use std::{collections::HashMap, sync::Arc};

use ficha_core::{Rules, ports::StoreError, records::Issuer, views::IssuerSlot};
use ficha_types::{BaseUrl, IssuerName, Port};
use ficha_web::Host;

use crate::dialect::{Compiled, DialectSet, Endpoint};

/// Where RFC 8414 §3.1 puts the metadata of an issuer whose URL has a path: before the path.
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// One base URL of an issuer, and how it speaks there.
pub(crate) struct Site {
    pub(crate) slot: Arc<IssuerSlot>,
    pub(crate) dialect: Arc<Compiled>,
    pub(crate) allow_loopback_http: bool,
    prefix: Box<str>,
}

/// Every base URL there is, as of one value of [`Node::declared`].
#[derive(Default)]
pub(crate) struct Sites {
    /// The value of [`Node::declared`] that it was made at.
    pub(crate) declared: u64,
    /// By host and port, longest prefix first.
    exact: HashMap<Box<str>, HashMap<u16, Vec<Arc<Site>>>>,
    /// By host, whatever the port.
    any_port: HashMap<Box<str>, Vec<Arc<Site>>>,
}

/// Where a request goes.
pub(crate) enum Found<'a> {
    /// An endpoint of an issuer.
    Endpoint(&'a Arc<Site>, Endpoint),
    /// An issuer, but no endpoint.
    NoEndpoint(&'a Arc<Site>),
    /// A host of ours, but no issuer at that path.
    NoIssuer,
    /// No host of ours.
    NoHost,
}

impl Sites {
    /// Reads every issuer's base URLs.
    ///
    /// # Errors
    /// [`StoreError`] when they can't be read. An issuer whose dialect is not there is left out, with a line in the log.
    pub(crate) async fn load(rules: &Rules, dialects: &DialectSet) -> Result<Self, StoreError> {
        let mut sites = Self { declared: rules.node.declared(), ..Self::default() };
        for issuer in rules.clients.issuers().await? {
            for place in &issuer.places {
                let name = place.dialect.as_ref().unwrap_or(&issuer.dialect);
                match dialects.compiled(name) {
                    Some(dialect) => sites.add(rules.node.slot(&issuer.name), (&issuer, &place.url), dialect),
                    None => {
                        tracing::error!(issuer = %issuer.name, dialect = %name, "the issuer's dialect is not loaded: nothing is answered at {}", place.url);
                    }
                }
            }
        }
        Ok(sites)
    }

    fn add(&mut self, slot: Arc<IssuerSlot>, (issuer, url): (&Issuer, &BaseUrl), dialect: Arc<Compiled>) {
        let site = Arc::new(Site {
            slot,
            dialect,
            allow_loopback_http: issuer.allow_loopback_http,
            prefix: url.prefix().into(),
        });
        let here = match url.port() {
            Port::Any => self.any_port.entry(url.host().into()).or_default(),
            Port::Is(port) => self.exact.entry(url.host().into()).or_default().entry(port).or_default(),
        };
        here.push(site);
        here.sort_by_key(|site| std::cmp::Reverse(site.prefix.len()));
    }

    /// The site of the longest prefix of `path`, by whole segments, and the endpoint behind it. A host without a port is one
    /// with the port of its scheme, else of the other one: what came by the wrong one is told so by the secure-transport rule,
    /// not by 421.
    pub(crate) fn find(&self, (host, secure): (Option<&Host>, bool), path: &str) -> Found<'_> {
        let Some(host) = host else { return Found::NoHost };
        let ports = match host.port {
            Some(port) => [Some(port), None],
            None if secure => [Some(443), Some(80)],
            None => [Some(80), Some(443)],
        };
        let exact = self.exact.get(&*host.name);
        let of_port = |port: Option<u16>| port.and_then(|port| exact.and_then(|ports| ports.get(&port)));
        let [first, second] = ports.map(of_port);
        let all = [first, second, self.any_port.get(&*host.name)];
        if all.iter().all(Option::is_none) {
            return Found::NoHost;
        }
        let sites = || all.iter().copied().flatten().flatten();
        if let Some(prefix) = path.strip_prefix(METADATA)
            && let Some(site) = sites().find(|s| *s.prefix == *prefix)
        {
            return Found::Endpoint(site, Endpoint::Metadata);
        }
        let fits = |site: &&Arc<Site>| {
            path.strip_prefix(&*site.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        // Of equal ones the first: a port that is written goes before any port.
        let longest = sites().filter(fits).min_by_key(|s| std::cmp::Reverse(s.prefix.len()));
        let Some(site) = longest else { return Found::NoIssuer };
        let rest = path.get(site.prefix.len()..).unwrap_or_default();
        match site.dialect.endpoints().at(rest) {
            Some(endpoint) => Found::Endpoint(site, endpoint),
            None => Found::NoEndpoint(site),
        }
    }
}

/// Two base URLs that can't stand beside each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Clash {
    /// They are equal.
    #[error("{url} is a base URL of {one} and of {other}: each base URL may stand once")]
    Equal {
        /// The URL.
        url: BaseUrl,
        /// One issuer.
        one: IssuerName,
        /// The other, or the same one.
        other: IssuerName,
    },
    /// A path of the dialect at the shorter one begins with the longer one's prefix.
    #[error("{longer} hides {path} of {shorter}: choose another prefix")]
    Hidden {
        /// The shorter URL.
        shorter: BaseUrl,
        /// The longer URL.
        longer: BaseUrl,
        /// The path, from the host's root.
        path: String,
    },
}

/// The first clash between the base URLs of all issuers.
///
/// # Errors
/// The [`Clash`].
pub fn check(issuers: &[Issuer], dialects: &DialectSet) -> Result<(), Box<Clash>> {
    let all: Vec<_> = issuers.iter().flat_map(|i| i.places.iter().map(move |p| (i, p))).collect();
    for (n, (issuer, place)) in all.iter().enumerate() {
        for (other_issuer, other) in all.iter().skip(n + 1) {
            if !meet(&place.url, &other.url) {
                continue;
            }
            if place.url.prefix() == other.url.prefix() {
                // An alias for any port yields to a port that is written.
                if place.url.port() != other.url.port() {
                    continue;
                }
                let (one, other) = (issuer.name.clone(), other_issuer.name.clone());
                return Err(Box::new(Clash::Equal { url: place.url.clone(), one, other }));
            }
            let longer_first = place.url.prefix().len() > other.url.prefix().len();
            let (long, short, of) = if longer_first { (place, other, other_issuer) } else { (other, place, issuer) };
            let Some(dialect) = dialects.compiled(short.dialect.as_ref().unwrap_or(&of.dialect)) else { continue };
            for (_, path) in dialect.endpoints().paths() {
                let path = format!("{}{path}", short.url.prefix());
                let behind = path.strip_prefix(long.url.prefix());
                if behind.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                    let (shorter, longer) = (short.url.clone(), long.url.clone());
                    return Err(Box::new(Clash::Hidden { shorter, longer, path }));
                }
            }
        }
    }
    Ok(())
}

/// Whether one request could be meant for both: same host, same port.
fn meet(a: &BaseUrl, b: &BaseUrl) -> bool {
    a.host() == b.host() && (a.port() == b.port() || [a.port(), b.port()].contains(&Port::Any))
}

#[cfg(test)]
mod tests {
    use ficha_core::records::Place;
    use ficha_types::Seconds;

    use super::*;

    fn issuer(name: &str, url: &str) -> Issuer {
        Issuer {
            name: name.parse().unwrap(),
            dialect: "deyel".parse().unwrap(),
            places: vec![Place { url: url.parse().unwrap(), dialect: None }],
            default_api: None,
            allow_loopback_http: false,
            rsa_bits: 2048,
            password_refusal_after_ms: 300,
            max_revocations_per_client: 10_000,
            outage_grace: Seconds(0),
        }
    }

    fn slot(name: &str) -> Arc<IssuerSlot> {
        Arc::new(IssuerSlot::new(&name.parse().unwrap()))
    }

    fn found(urls: &[(&str, &str)], host: &str, path: &str) -> Option<String> {
        let dialect = DialectSet::load(None).unwrap().compiled(&"deyel".parse().unwrap()).unwrap();
        let mut sites = Sites::default();
        for (name, url) in urls {
            sites.add(slot(name), (&issuer(name, url), &url.parse().unwrap()), dialect.clone());
        }
        match sites.find((Host::parse(host).as_ref(), true), path) {
            Found::Endpoint(site, _) | Found::NoEndpoint(site) => Some(site.slot.name().to_string()),
            Found::NoIssuer | Found::NoHost => None,
        }
    }

    fn clash(urls: [&str; 2]) -> Option<Clash> {
        let [one, other] = urls;
        let issuers = [issuer("one", one), issuer("other", other)];
        check(&issuers, &DialectSet::load(None).unwrap()).err().map(|clash| *clash)
    }

    #[test]
    fn a_port_that_is_written_goes_before_any_port_and_the_longest_prefix_before_both() {
        let urls =
            [("any", "https://a.example:*"), ("exact", "https://a.example:8443"), ("deep", "https://a.example:*/x")];
        assert_eq!(found(&urls, "a.example:8443", "/oauth/token").as_deref(), Some("exact"));
        assert_eq!(found(&urls, "a.example:9443", "/oauth/token").as_deref(), Some("any"));
        assert_eq!(found(&urls, "a.example:8443", "/x/oauth/token").as_deref(), Some("deep"));
        assert_eq!(found(&urls, "a.example:8443", "/xy/oauth/token").as_deref(), Some("exact"));
        assert_eq!(found(&urls, "b.example:8443", "/oauth/token"), None);
    }

    #[test]
    fn a_prefix_that_hides_an_endpoint_is_a_clash_whatever_the_port_of_an_alias() {
        for longer in ["https://a.example:8443/oauth", "https://a.example:*/oauth"] {
            for shorter in ["https://a.example:8443", "https://a.example:*"] {
                assert!(matches!(clash([shorter, longer]), Some(Clash::Hidden { .. })), "{shorter} {longer}");
            }
        }
        assert_eq!(clash(["https://a.example:8443", "https://a.example:*"]), None);
        assert_eq!(clash(["https://a.example:8443", "https://a.example:9443/oauth"]), None);
        assert!(matches!(clash(["https://a.example:*", "https://a.example:*"]), Some(Clash::Equal { .. })));
    }
}
