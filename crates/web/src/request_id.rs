//! A name for each request, by which a person finds its lines again.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use http::HeaderMap;

/// The header in which proxies hand an id on.
const HEADER: &str = "x-request-id";
/// Characters that an id from elsewhere may have.
const LONGEST: usize = 64;

/// Makes the ids of a process.
#[derive(Debug)]
pub struct RequestIds {
    prefix: u32,
    made: AtomicU64,
}

/// The id of a request. `Display` writes it; making one allocates nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestId {
    /// Made here.
    Own {
        /// The same for all ids of a process.
        prefix: u32,
        /// Counted from 1.
        number: u64,
    },
    /// Given by a trusted proxy.
    Given(Box<str>),
}

impl RequestIds {
    /// `prefix`: random, so that two processes' ids differ.
    #[must_use]
    pub fn new(prefix: u32) -> Self {
        Self { prefix, made: AtomicU64::new(0) }
    }

    /// The next id.
    pub fn next_id(&self) -> RequestId {
        RequestId::Own { prefix: self.prefix, number: self.made.fetch_add(1, Ordering::Relaxed) + 1 }
    }

    /// The id that `headers` give where `via_proxy` says that a trusted proxy sent them, if there is one that is fit to
    /// be logged: at most 64 letters, digits, `.`, `_` and `-`. The next own one otherwise.
    pub fn id_for(&self, headers: &HeaderMap, via_proxy: bool) -> RequestId {
        let given = if via_proxy { headers.get(HEADER) } else { None };
        let sane = |text: &&str| {
            (1..=LONGEST).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        match given.and_then(|value| value.to_str().ok()).filter(sane) {
            Some(text) => RequestId::Given(text.into()),
            None => self.next_id(),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own { prefix, number } => write!(f, "{prefix:08x}-{number:x}"),
            Self::Given(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(id: &str) -> HeaderMap {
        HeaderMap::from_iter([(HEADER.parse().unwrap(), id.parse().unwrap())])
    }

    #[test]
    fn own_ids_differ_and_bear_the_prefix() {
        let ids = RequestIds::new(0xbeef);
        assert_eq!([ids.next_id(), ids.next_id()].map(|id| id.to_string()), ["0000beef-1", "0000beef-2"]);
    }

    #[test]
    fn an_id_is_taken_from_a_trusted_proxy_alone_and_only_when_sane() {
        let ids = RequestIds::new(1);
        assert_eq!(ids.id_for(&headers("a-B_9.z"), true).to_string(), "a-B_9.z");
        let long = "x".repeat(65);
        for (id, via_proxy) in [("a-B_9.z", false), ("with space", true), ("", true), (&long, true)] {
            assert!(matches!(ids.id_for(&headers(id), via_proxy), RequestId::Own { .. }), "{id:?}");
        }
    }
}
