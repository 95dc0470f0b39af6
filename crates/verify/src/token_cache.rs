//! Tokens that passed: the second sight costs no signature check, and no question. What was refused is never kept, so a
//! flood of bad tokens takes no memory.

use std::{fmt, hash::RandomState};

use quick_cache::{
    Weighter,
    sync::{Cache, DefaultLifecycle},
};

use crate::Claims;

/// Bytes that are held unless another number is set.
pub(crate) const USUAL_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of a usual token with its claims, by which the tables are made.
const USUAL_WEIGHT: usize = 4096;
/// Bytes that an entry takes beside what grows with the token.
const ENTRY: usize = 1536;

/// Tokens that passed, whole: who sends another one that meets it by chance or by work does not get its claims. The keys
/// of the hash are drawn here (`SipHash`), so nobody can aim at a place.
pub(crate) struct TokenCache<S>(Option<Tokens<S>>);

type Tokens<S> = Cache<Box<str>, (Claims, S), Bytes, RandomState>;

#[derive(Clone)]
struct Bytes;

impl<S: Copy> TokenCache<S> {
    /// Room for so many bytes; for 0 nothing is kept.
    pub(crate) fn of(bytes: usize) -> Self {
        let items = bytes / USUAL_WEIGHT;
        let room = u64::try_from(bytes).unwrap_or(u64::MAX);
        let cache = || Cache::with(items, room, Bytes, RandomState::new(), DefaultLifecycle::default());
        Self((bytes > 0).then(cache))
    }

    /// What `token` says, when it passed before, and what was noted beside it.
    pub(crate) fn find(&self, token: &str) -> Option<(Claims, S)> {
        self.0.as_ref()?.get(token)
    }

    /// Keeps what `token` says, with `stamp` beside it.
    pub(crate) fn keep(&self, token: &str, claims: &Claims, stamp: S) {
        if let Some(tokens) = &self.0 {
            tokens.insert(token.into(), (claims.clone(), stamp));
        }
    }
}

#[cfg(test)]
impl<S: Copy> TokenCache<S> {
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, Cache::len)
    }
}

impl<S> fmt::Debug for TokenCache<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenCache(..)")
    }
}

impl<S> Weighter<Box<str>, (Claims, S)> for Bytes {
    fn weight(&self, token: &Box<str>, _: &(Claims, S)) -> u64 {
        // Once as it is, and its claims taken apart.
        u64::try_from(ENTRY + 4 * token.len()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use ficha_types::{ScopeSet, UnixSeconds};
    use serde_json::Map;

    use super::*;
    use crate::{claims::Checked, rules::Times};

    fn claims(of: &str) -> Claims {
        let times = Times { expires_at: Some(UnixSeconds(1)), not_before: None, issued_at: None };
        let members = Map::from_iter([("sub".to_owned(), of.into())]);
        Claims::new(Checked { issuer: "i".into(), scopes: ScopeSet::default(), times, members, traits: None })
    }

    #[test]
    fn what_is_kept_is_found_with_its_stamp() {
        let cache = TokenCache::of(USUAL_BYTES);
        cache.keep("a.b.c", &claims("a"), 7);
        let (found, stamp) = cache.find("a.b.c").unwrap();
        assert_eq!((found.subject(), stamp), (Some("a"), 7));
        assert!(cache.find("a.b.d").is_none());
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let cache = TokenCache::of(0);
        cache.keep("a.b.c", &claims("a"), 7);
        assert!(cache.find("a.b.c").is_none());
    }

    #[test]
    fn more_tokens_take_no_more_memory() {
        let cache = TokenCache::of(1024 * 1024);
        for n in 0..20_000 {
            cache.keep(&format!("{n}{}", "x".repeat(800)), &claims("a"), 7);
        }
        let tokens = cache.0.as_ref().unwrap();
        assert!(tokens.weight() <= 1024 * 1024, "{}", tokens.weight());
        assert!((50..=250).contains(&tokens.len()), "{}", tokens.len());
    }
}
