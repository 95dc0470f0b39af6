//! Which issuer answers at a host and a path, and in which dialect: looked up when it is first asked for, and remembered.

use std::{hash::Hash, sync::Arc};

use ficha_core::{
    Rules,
    ports::{PlaceRow, StoreError},
    records::{Issuer, Place},
    views::IssuerSlot,
};
use ficha_telemetry::metrics::{Cache as Held, metrics};
use ficha_types::{
    Port,
    base_url::{MAX_PREFIX, prefixes, write_out},
};
use ficha_web::Host;
use quick_cache::{Equivalent, sync::Cache};

use crate::dialect::{Compiled, DialectSet, Endpoint};

/// Where RFC 8414 §3.1 puts the metadata of an issuer whose URL has a path: before the path.
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// Paths that lead nowhere, and hosts that are none of ours, that are remembered: what strangers ask for.
const STRANGE: usize = 8192;

/// Bytes of the longest path that is remembered: a longer one is no endpoint's, and is looked up each time.
const LONGEST: usize = 4 * MAX_PREFIX;

/// One base URL of an issuer, and how it speaks there.
pub(crate) struct Site {
    pub(crate) slot: Arc<IssuerSlot>,
    pub(crate) dialect: Arc<Compiled>,
    pub(crate) allow_loopback_http: bool,
    prefix: Box<str>,
}

/// Where a request goes.
#[derive(Clone)]
pub(crate) enum Found {
    /// An endpoint of an issuer.
    Endpoint(Arc<Site>, Endpoint),
    /// An issuer, but no endpoint.
    NoEndpoint(Arc<Site>),
    /// A host of ours, but no issuer at that path.
    NoIssuer,
    /// No host of ours.
    NoHost,
}

/// What was looked up, and at which value of [`ficha_core::views::Node::declared`]: at another one it is looked up again.
#[derive(Clone)]
struct Seen<T> {
    declared: u64,
    what: T,
}

/// By what a request finds its way: the host, the port (of a host without one, whether it came by TLS), the path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked<T> {
    host: T,
    port: Option<u16>,
    secure: bool,
    path: T,
}

impl Equivalent<Asked<Box<str>>> for Asked<&str> {
    fn equivalent(&self, other: &Asked<Box<str>>) -> bool {
        (self.host, self.port, self.secure, self.path) == (&*other.host, other.port, other.secure, &*other.path)
    }
}

impl<'a> Asked<&'a str> {
    fn at(self, path: &'a str) -> Self {
        Asked { path, ..self }
    }

    fn kept(self) -> Asked<Box<str>> {
        Asked { host: self.host.into(), port: self.port, secure: self.secure, path: self.path.into() }
    }

    /// The ports at which an issuer may answer, the first goes before the others. A host without a port is one with the
    /// port of its scheme, else of the other one: what came by the wrong one is told so by the secure-transport rule, not by 421.
    fn ports(self) -> impl Iterator<Item = Port> + Clone {
        let written = match self.port {
            Some(port) => [Some(port), None],
            None if self.secure => [Some(443), Some(80)],
            None => [Some(80), Some(443)],
        };
        written.into_iter().flatten().map(Port::Is).chain([Port::Any])
    }

    /// Every base URL with this prefix that it may be meant for, the first goes before the others.
    fn urls(self, prefix: &str) -> impl Iterator<Item = String> {
        let host = self.host;
        self.ports().flat_map(move |port| [true, false].map(|https| write_out((https, host, port), prefix)))
    }
}

impl Copy for Asked<&str> {}

/// The base URLs that were asked for, and what strangers asked for.
pub(crate) struct Sites {
    /// The way of whole paths.
    ways: Cache<Asked<Box<str>>, Seen<Found>>,
    /// Base URLs by their prefixes: with no database a known issuer answers at each of its paths, asked for before or not.
    places: Cache<Asked<Box<str>>, Seen<Arc<Site>>>,
    /// Paths that lead nowhere.
    astray: Cache<Asked<Box<str>>, Seen<Found>>,
    /// Hosts with no base URL, with an empty path.
    strangers: Cache<Asked<Box<str>>, Seen<()>>,
}

impl Sites {
    /// Remembers as many base URLs as `places` and as many of their paths.
    pub(crate) fn new(places: usize) -> Self {
        let (places, ways) = (Cache::new(places), Cache::new(places));
        Self { ways, places, astray: Cache::new(STRANGE), strangers: Cache::new(STRANGE) }
    }

    /// Base URLs that are remembered.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// The site of the longest prefix of `path`, by whole segments, and the endpoint behind it.
    ///
    /// # Errors
    /// What the store says, when it had to be asked and nothing is known from before.
    pub(crate) async fn find(
        &self,
        (rules, dialects): (&Rules, &DialectSet),
        (host, secure): (Option<&Host>, bool),
        path: &str,
    ) -> Result<Found, StoreError> {
        let Some(host) = host else { return Ok(Found::NoHost) };
        let asked = Asked { host: &*host.name, port: host.port, secure: secure && host.port.is_none(), path };
        let declared = rules.node.declared();
        if let Some(found) = self.known(asked, declared) {
            metrics().cache_hits.count(Held::Places);
            return Ok(found);
        }
        metrics().cache_misses.count(Held::Places);
        match self.look_up((rules, dialects), asked, declared).await {
            Ok(found) => Ok(found),
            // While it can't be looked up, what was known goes on.
            Err(error) => self.known_before(asked).ok_or(error),
        }
    }

    fn known(&self, asked: Asked<&str>, declared: u64) -> Option<Found> {
        let ways = [&self.ways, &self.astray].into_iter();
        if let Some(seen) = ways.filter_map(|ways| ways.get(&asked)).find(|seen| seen.declared == declared) {
            return Some(seen.what);
        }
        let stranger = self.strangers.get(&asked.at("")).is_some_and(|seen| seen.declared == declared);
        stranger.then_some(Found::NoHost)
    }

    /// Reads what may be meant by one statement, and whether the host is one of ours by another if it is nothing.
    async fn look_up(
        &self,
        (rules, dialects): (&Rules, &DialectSet),
        asked: Asked<&str>,
        declared: u64,
    ) -> Result<Found, StoreError> {
        let metadata = metadata_of(asked.path);
        let meant: Vec<&str> = prefixes(asked.path).chain(metadata).collect();
        let urls: Vec<_> = meant.iter().flat_map(|prefix| asked.urls(prefix)).collect();
        let rows = rules.clients.places(&urls).await?;
        let (mut longest, mut unspoken) = (None, None);
        for prefix in meant {
            let Some(row) = row((asked, prefix), &rows) else { continue };
            let site = match site((rules, dialects), prefix, row) {
                Ok(site) => site,
                Err(error) => {
                    (longest, unspoken) = (None, Some(error));
                    continue;
                }
            };
            unspoken = None;
            self.places.insert(asked.at(prefix).kept(), Seen { declared, what: site.clone() });
            if metadata == Some(prefix) {
                return Ok(self.keep(asked, declared, Found::Endpoint(site, Endpoint::Metadata)));
            }
            longest = Some(site);
        }
        if let Some(error) = unspoken {
            return Err(error);
        }
        if let Some(site) = longest {
            let endpoint = endpoint_at(&site, asked.path);
            let found = endpoint.map_or_else(|| Found::NoEndpoint(site.clone()), |e| Found::Endpoint(site.clone(), e));
            return Ok(self.keep(asked, declared, found));
        }
        let origins: Vec<_> = asked.urls("").collect();
        if rules.clients.stands(&origins).await? {
            return Ok(self.keep(asked, declared, Found::NoIssuer));
        }
        self.strangers.insert(asked.at("").kept(), Seen { declared, what: () });
        Ok(Found::NoHost)
    }

    fn keep(&self, asked: Asked<&str>, declared: u64, found: Found) -> Found {
        if asked.path.len() <= LONGEST {
            let ways = match &found {
                Found::Endpoint(..) => &self.ways,
                Found::NoEndpoint(_) | Found::NoIssuer | Found::NoHost => &self.astray,
            };
            ways.insert(asked.kept(), Seen { declared, what: found.clone() });
        }
        found
    }

    /// The endpoint as far as it is known from before: no path of an issuer is another one's ([`crate::Clash::Hidden`]), so
    /// it matters not whether there are longer prefixes by now.
    fn known_before(&self, asked: Asked<&str>) -> Option<Found> {
        if let Some(seen) = self.ways.get(&asked) {
            return Some(seen.what);
        }
        if let Some(seen) = metadata_of(asked.path).and_then(|prefix| self.places.get(&asked.at(prefix))) {
            return Some(Found::Endpoint(seen.what, Endpoint::Metadata));
        }
        prefixes(asked.path).filter_map(|prefix| self.places.get(&asked.at(prefix))).find_map(|seen| {
            let endpoint = endpoint_at(&seen.what, asked.path)?;
            Some(Found::Endpoint(seen.what, endpoint))
        })
    }
}

/// The prefix of the issuer whose metadata stands at `path`.
fn metadata_of(path: &str) -> Option<&str> {
    let prefix = path.strip_prefix(METADATA)?;
    (prefixes(prefix).last() == Some(prefix)).then_some(prefix)
}

fn endpoint_at(site: &Site, path: &str) -> Option<Endpoint> {
    site.dialect.endpoints().at(path.get(site.prefix.len()..)?)
}

/// The row of the base URL with that prefix, and as what it is configured.
fn row<'a>((asked, prefix): (Asked<&str>, &str), rows: &'a [PlaceRow]) -> Option<(&'a Issuer, &'a Place)> {
    asked.urls(prefix).find_map(|url| {
        let issuer = &rows.iter().find(|row| row.url == url)?.issuer;
        issuer.places.iter().find(|place| place.url.written_out() == url).map(|place| (issuer, place))
    })
}

/// The site with that prefix. An issuer whose dialect is not loaded is there all the same: our fault, not the caller's.
fn site(
    (rules, dialects): (&Rules, &DialectSet),
    prefix: &str,
    (issuer, place): (&Issuer, &Place),
) -> Result<Arc<Site>, StoreError> {
    let name = place.dialect.as_ref().unwrap_or(&issuer.dialect);
    let dialect = dialects.compiled(name).ok_or_else(|| {
        StoreError::Conflict(format!("the dialect {name} of issuer {} is not loaded: see [dialects]", issuer.name))
    })?;
    let (slot, prefix) = (rules.node.slot(&issuer.name), prefix.into());
    Ok(Arc::new(Site { slot, dialect, allow_loopback_http: issuer.allow_loopback_http, prefix }))
}

#[cfg(test)]
pub(crate) mod tests {
    use ficha_core::records::{Issuer, Place};
    use ficha_types::Seconds;

    pub(crate) fn issuer(name: &str, url: &str) -> Issuer {
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
}
