//! What the value of an option may be.

use std::{marker::PhantomData, net::SocketAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use ficha_types::Seconds;
use ipnet::IpNet;

use crate::{
    document::{Node, Value, parse_value},
    reader::Complaints,
};

/// One kind of value: how it is told, and how it is read and checked.
pub(crate) trait Kind {
    /// What it is read into.
    type Value;
    /// What it takes, to follow "expected".
    fn takes(&self) -> String;
    /// The same for who has read which units there are.
    fn brief(&self) -> String {
        self.takes()
    }
    /// Reads and checks; complains where it must.
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<Self::Value>;
    /// The value of an option that has no default and was not given; none when it has to be.
    fn absent(&self) -> Option<Self::Value> {
        None
    }
}

/// The text of a value that is one.
fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) | Value::Word(text) => Some(text),
        Value::Integer(_) | Value::Flag(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => None,
    }
}

/// The number of a value that is one, not negative.
fn whole(node: &Node) -> Option<u64> {
    match &node.value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::Word(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok(),
        Value::Word(_) | Value::Text(_) | Value::Flag(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => None,
    }
}

/// A number of things.
pub(crate) struct Count<T>(RangeInclusive<u64>, PhantomData<T>);

/// A number in `range`.
pub(crate) const fn count<T>(range: RangeInclusive<u64>) -> Count<T> {
    Count(range, PhantomData)
}

impl<T: TryFrom<u64>> Kind for Count<T> {
    type Value = T;
    fn takes(&self) -> String {
        format!("a whole number from {} to {}", self.0.start(), self.0.end())
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<T> {
        let number = whole(node).filter(|n| self.0.contains(n)).and_then(|n| T::try_from(n).ok());
        number.or_else(|| say.expected(&self.takes(), node))
    }
}

/// A number of bytes.
pub(crate) struct Bytes(RangeInclusive<usize>);

/// Bytes in `range`.
pub(crate) const fn bytes(range: RangeInclusive<usize>) -> Bytes {
    Bytes(range)
}

/// The units of [`Bytes`], the largest first.
const UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// With the largest unit that leaves a whole number.
fn size(bytes: usize) -> String {
    let unit = UNITS.into_iter().find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor));
    unit.map_or_else(|| bytes.to_string(), |(unit, factor)| format!("{}{unit}", bytes / factor))
}

impl Kind for Bytes {
    type Value = usize;
    fn takes(&self) -> String {
        format!("{}, as a number or with a unit, as in \"64KiB\" or \"1MiB\"", self.brief())
    }
    fn brief(&self) -> String {
        format!("bytes from {} to {}", size(*self.0.start()), size(*self.0.end()))
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<usize> {
        let with_unit = || {
            let text = text(node)?;
            let (digits, factor) = UNITS.into_iter().find_map(|(unit, f)| Some((text.strip_suffix(unit)?, f)))?;
            let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<usize>().ok())??;
            number.checked_mul(factor)
        };
        let bytes = whole(node).and_then(|n| usize::try_from(n).ok()).or_else(with_unit);
        bytes.filter(|n| self.0.contains(n)).or_else(|| say.expected(&self.takes(), node))
    }
}

/// A span of whole seconds.
pub(crate) struct Span(RangeInclusive<u64>);

/// Seconds in `range`.
pub(crate) const fn seconds(range: RangeInclusive<u64>) -> Span {
    Span(range)
}

impl Kind for Span {
    type Value = Duration;
    fn takes(&self) -> String {
        format!("{}, as a number or with a unit, as in \"90s\" or \"5m\"", self.brief())
    }
    fn brief(&self) -> String {
        format!("seconds from {} to {}", self.0.start(), self.0.end())
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<Duration> {
        let with_unit = || u64::try_from(text(node)?.parse::<Seconds>().ok()?.0).ok();
        let seconds = whole(node).or_else(with_unit).filter(|n| self.0.contains(n));
        seconds.map(Duration::from_secs).or_else(|| say.expected(&self.takes(), node))
    }
}

/// `true` or `false`.
pub(crate) struct Flag;

impl Kind for Flag {
    type Value = bool;
    fn takes(&self) -> String {
        "true or false".into()
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<bool> {
        match &node.value {
            Value::Flag(flag) => Some(*flag),
            Value::Word(word) if word == "true" => Some(true),
            Value::Word(word) if word == "false" => Some(false),
            Value::Text(_)
            | Value::Word(_)
            | Value::Integer(_)
            | Value::List(_)
            | Value::Table(_)
            | Value::Other(_) => say.expected(&self.takes(), node),
        }
    }
}

/// One of some words.
pub(crate) struct Choice<T: 'static>(pub(crate) &'static [(&'static str, T)]);

impl<T: Copy> Kind for Choice<T> {
    type Value = T;
    fn takes(&self) -> String {
        self.0.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ")
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<T> {
        let chosen = self.0.iter().find(|(word, _)| text(node) == Some(word));
        chosen.map(|(_, value)| *value).or_else(|| say.expected(&self.takes(), node))
    }
}

/// An address and port to listen at.
pub(crate) struct Address;

impl Kind for Address {
    type Value = SocketAddr;
    fn takes(&self) -> String {
        "an IP address and a port, as in \"127.0.0.1:8080\" or \"[::]:8443\"".into()
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<SocketAddr> {
        let address = text(node).and_then(|text| text.parse().ok());
        address.or_else(|| say.expected(&self.takes(), node))
    }
}

/// An address and port to listen at, or `off`.
pub(crate) struct AddressOrOff;

impl Kind for AddressOrOff {
    type Value = Option<SocketAddr>;
    fn takes(&self) -> String {
        format!("{}, or \"off\"", Address.takes())
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<Option<SocketAddr>> {
        if text(node) == Some("off") {
            return Some(None);
        }
        let address = text(node).and_then(|text| text.parse().ok());
        address.map(Some).or_else(|| say.expected(&self.takes(), node))
    }
}

/// Addresses that belong together.
pub(crate) struct Network;

impl Kind for Network {
    type Value = IpNet;
    fn takes(&self) -> String {
        "an IP address or network, as in \"10.0.0.7\", \"10.0.0.0/8\" or \"fd00::/8\"".into()
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<IpNet> {
        let Some(text) = text(node) else { return say.expected(&self.takes(), node) };
        let net: Option<IpNet> =
            text.parse().ok().or_else(|| Some(IpNet::from(text.parse::<std::net::IpAddr>().ok()?)));
        let Some(net) = net else { return say.expected(&self.takes(), node) };
        if net.prefix_len() == 0 {
            say.wrong(&node.place, format!("{text} is everybody: whom all trust, all can pretend to be"));
            return None;
        }
        if net.trunc() != net {
            say.wrong(&node.place, format!("{text} is an address within {}: write the one that you mean", net.trunc()));
            return None;
        }
        Some(net)
    }
}

/// The path of a file or folder, relative to the folder of the configuration file in which it stands.
pub(crate) struct FilePath(pub(crate) &'static str);

impl Kind for FilePath {
    type Value = PathBuf;
    fn takes(&self) -> String {
        self.0.into()
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<PathBuf> {
        match text(node) {
            Some(path) if !path.is_empty() && !path.contains('\0') => Some(node.place.resolve(path)),
            _ => say.expected(&self.takes(), node),
        }
    }
}

/// The URL of a PostgreSQL database. One with a password is a secret, which a configuration does not hold.
pub(crate) struct DatabaseUrl;

impl Kind for DatabaseUrl {
    type Value = String;
    fn takes(&self) -> String {
        "a URL as in \"postgres://ficha@db.example/ficha\", without a password".into()
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<String> {
        let url = text(node).unwrap_or_default();
        let Some(rest) = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme)) else {
            // What stands there may hold a password all the same.
            say.wrong(&node.place, format!("expected {}", self.takes()));
            return None;
        };
        let (before, options) = rest.split_once('?').unwrap_or((rest, ""));
        let user = before.rsplit_once('@').map_or("", |(user, _)| user);
        if user.contains(':') || options.split('&').any(|option| option.starts_with("password=")) {
            let message = "holds a password: put the whole URL into a file of mode 0600 and name that one in url_file";
            say.wrong(&node.place, message);
            return None;
        }
        Some(url.to_owned())
    }
}

/// What need not be there.
pub(crate) struct Optional<K>(pub(crate) K);

impl<K: Kind> Kind for Optional<K> {
    type Value = Option<K::Value>;
    fn takes(&self) -> String {
        self.0.takes()
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<Option<K::Value>> {
        self.0.take(node, say).map(Some)
    }
    fn absent(&self) -> Option<Option<K::Value>> {
        Some(None)
    }
}

/// Any number of one kind, each different. In the environment they are separated by commas, or written as in TOML.
pub(crate) struct List<K>(pub(crate) K);

impl<K: Kind<Value: PartialEq>> Kind for List<K> {
    type Value = Vec<K::Value>;
    fn takes(&self) -> String {
        format!("a list, each {}", self.0.takes())
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<Vec<K::Value>> {
        let listed;
        let items = match &node.value {
            Value::List(items) => items,
            Value::Word(word) => {
                listed = from_word(node, word);
                let Some(Node { value: Value::List(items), .. }) = &listed else {
                    return say.expected(&self.takes(), node);
                };
                items
            }
            Value::Text(_) | Value::Integer(_) | Value::Flag(_) | Value::Table(_) | Value::Other(_) => {
                return say.expected(&self.takes(), node);
            }
        };
        let mut values = Vec::new();
        let mut whole = true;
        for item in items {
            match self.0.take(item, say) {
                Some(value) if values.contains(&value) => {
                    say.wrong(&item.place, format!("{} is there twice", item.value.found()));
                    whole = false;
                }
                Some(value) => values.push(value),
                None => whole = false,
            }
        }
        whole.then_some(values)
    }
}

fn from_word(node: &Node, word: &str) -> Option<Node> {
    if word.trim_start().starts_with('[') {
        return parse_value(&node.place, word.trim());
    }
    let item = |item: &str| Node { place: node.place.clone(), value: Value::Word(item.trim().to_owned()) };
    let items = if word.trim().is_empty() { Vec::new() } else { word.split(',').map(item).collect() };
    Some(Node { place: node.place.clone(), value: Value::List(items) })
}
