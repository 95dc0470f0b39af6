//! Base URLs that can't stand beside each other.

use std::collections::{BTreeMap, BTreeSet};

use ficha_core::{
    operator::Rivals,
    records::{Issuer, Place},
};
use ficha_types::{
    BaseUrl, IssuerName, Port,
    base_url::{prefixes, write_out},
};

use crate::dialect::{Compiled, DialectSet};

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

/// A base URL, and whether it is one of those that are checked.
struct At<'a> {
    issuer: &'a Issuer,
    place: &'a Place,
    checked: bool,
}

/// Where others may stand in the way of `issuers`: at the same places, at shorter ones whose paths would be hidden, and at
/// longer ones that would hide theirs.
#[must_use]
pub fn rivals(issuers: &[Issuer], dialects: &DialectSet) -> Rivals {
    let mut rivals = Rivals::default();
    for issuer in issuers {
        for place in &issuer.places {
            let (url, https) = (&place.url, [true, false]);
            let Port::Is(port) = url.port() else {
                rivals.hosts.extend(https.map(|https| host(https, url)));
                continue;
            };
            let below = dialect(issuer, place, dialects).map(|dialect| paths(url, &dialect)).unwrap_or_default();
            let hiding = below.iter().flat_map(|path| prefixes(path));
            for prefix in hiding.chain(prefixes(url.prefix())).collect::<BTreeSet<_>>() {
                for port in [Port::Is(port), Port::Any] {
                    rivals.urls.extend(https.map(|https| write_out((https, url.host(), port), prefix)));
                }
            }
        }
    }
    rivals
}

/// The first clash between the base URLs of `issuers`, or between one of theirs and one of `others`.
///
/// # Errors
/// The [`Clash`].
pub fn check(issuers: &[Issuer], others: &[Issuer], dialects: &DialectSet) -> Result<(), Box<Clash>> {
    let mut by_prefix = BTreeMap::<_, Vec<At<'_>>>::new();
    let both = issuers.iter().map(|i| (i, true)).chain(others.iter().map(|i| (i, false)));
    for (issuer, checked) in both {
        for place in &issuer.places {
            let here = by_prefix.entry((place.url.host(), place.url.prefix())).or_default();
            let at = At { issuer, place, checked };
            // An alias for any port yields to a port that is written.
            let same =
                here.iter().find(|other| (checked || other.checked) && other.place.url.port() == place.url.port());
            if let Some(other) = same {
                let (one, other) = (other.issuer.name.clone(), issuer.name.clone());
                return Err(Box::new(Clash::Equal { url: place.url.clone(), one, other }));
            }
            here.push(at);
        }
    }
    for short in by_prefix.values().flatten() {
        let Some(dialect) = dialect(short.issuer, short.place, dialects) else { continue };
        let url = &short.place.url;
        for path in paths(url, &dialect) {
            for longer in prefixes(&path).filter(|prefix| prefix.len() > url.prefix().len()) {
                let there = by_prefix.get(&(url.host(), longer)).into_iter().flatten();
                let mut hides = there.filter(|long| (short.checked || long.checked) && meet(url, &long.place.url));
                if let Some(long) = hides.next() {
                    let (shorter, longer) = (url.clone(), long.place.url.clone());
                    return Err(Box::new(Clash::Hidden { shorter, longer, path: path.clone() }));
                }
            }
        }
    }
    Ok(())
}

fn dialect(issuer: &Issuer, place: &Place, dialects: &DialectSet) -> Option<std::sync::Arc<Compiled>> {
    dialects.compiled(place.dialect.as_ref().unwrap_or(&issuer.dialect))
}

/// The paths that a dialect has below `url`, from the host's root.
fn paths(url: &BaseUrl, dialect: &Compiled) -> Vec<String> {
    dialect.endpoints().paths().map(|(_, path)| format!("{}{path}", url.prefix())).collect()
}

fn host(https: bool, url: &BaseUrl) -> String {
    format!("{}://{}", if https { "https" } else { "http" }, url.host())
}

/// Whether one request could be meant for both, which are of one host: the same port.
fn meet(a: &BaseUrl, b: &BaseUrl) -> bool {
    a.port() == b.port() || [a.port(), b.port()].contains(&Port::Any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sites::tests::issuer;

    /// The clash of two that are declared together, or one of them before.
    fn clash(urls: [&str; 2]) -> Option<Clash> {
        let dialects = DialectSet::load(None).unwrap();
        let [one, other] = urls;
        let [one, other] = [issuer("one", one), issuer("other", other)];
        let together = check(&[one.clone(), other.clone()], &[], &dialects).err().map(|clash| *clash);
        let kind = together.as_ref().map(std::mem::discriminant);
        for (new, old) in [(&one, &other), (&other, &one)] {
            let rivals = rivals(std::slice::from_ref(new), &dialects);
            let there = old.places.iter().any(|place| {
                let url = place.url.written_out();
                rivals.urls.contains(&url) || rivals.hosts.iter().any(|host| url.starts_with(&format!("{host}:")))
            });
            let others = if there { std::slice::from_ref(old) } else { &[] };
            let clash = check(std::slice::from_ref(new), others, &dialects).err();
            assert_eq!(clash.as_deref().map(std::mem::discriminant), kind, "{urls:?}");
        }
        together
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
        assert_eq!(clash(["https://a.example", "https://a.example/acme"]), None);
        assert!(matches!(clash(["https://a.example:*", "https://a.example:*"]), Some(Clash::Equal { .. })));
        assert!(matches!(clash(["https://a.example:8443", "http://a.example:8443"]), Some(Clash::Equal { .. })));
        assert!(matches!(clash(["https://a.example/x", "https://a.example/x/oauth"]), Some(Clash::Hidden { .. })));
    }

    #[test]
    fn others_that_clash_already_are_in_nobodys_way() {
        let dialects = DialectSet::load(None).unwrap();
        let others = [issuer("one", "https://a.example"), issuer("other", "https://a.example/oauth")];
        assert!(check(&others, &[], &dialects).is_err());
        assert!(check(&[issuer("third", "https://b.example")], &others, &dialects).is_ok());
    }
}
