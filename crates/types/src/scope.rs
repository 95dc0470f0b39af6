//! Scopes (RFC 6749 §3.3).

use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{BadWord, word::word};

word! {
    /// One scope token: 1 to 255 characters of %x21 / %x23-5B / %x5D-7E (RFC 6749 §3.3).
    Scope, "scope", "1 to 255 printable ASCII characters without space, '\"' and '\\'",
    |s| (1..=255).contains(&s.len())
        && s.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// A set of scopes: sorted, each once. Written with single spaces between; copies share it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ScopeSet(Arc<[Scope]>);

impl ScopeSet {
    /// The most scopes that one request may name.
    pub const MAX: usize = 256;

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `scope` is in it.
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.binary_search(scope).is_ok()
    }

    /// The scopes in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.iter().filter(|scope| other.contains(scope)).cloned().collect()
    }

    /// The asked set when it is all held, else the first scope that is missing.
    ///
    /// # Errors
    /// The first scope of `asked` that `self` does not hold.
    pub fn grant(&self, asked: &Self) -> Result<Self, Scope> {
        match asked.iter().find(|s| !self.contains(s)) {
            Some(missing) => Err(missing.clone()),
            None => Ok(asked.clone()),
        }
    }

    /// Written in the order of `declared`, each once, with single spaces; what is not declared is left out.
    #[must_use]
    pub fn in_order_of(&self, declared: &[Scope]) -> String {
        let mut out = String::new();
        let mut seen = BTreeSet::new();
        for scope in declared.iter().filter(|s| self.contains(s)) {
            if seen.insert(scope) {
                if !out.is_empty() {
                    out.push(' ');
                }
                out.push_str(scope.as_str());
            }
        }
        out
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut scopes: Vec<_> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes.into())
    }
}

impl FromStr for ScopeSet {
    type Err = BadWord;
    fn from_str(s: &str) -> Result<Self, BadWord> {
        let words = s.split(' ').filter(|w| !w.is_empty());
        let set: Self = words.take(Self::MAX + 1).map(str::parse).collect::<Result<_, _>>()?;
        if set.0.len() > Self::MAX {
            return Err(BadWord { word: "scope", expected: "at most 256 scopes" });
        }
        Ok(set)
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.0.iter())
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Vec::deserialize(d).map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_scope_set() -> impl Strategy<Value = ScopeSet> {
        proptest::collection::btree_set("[!#-\\[\\]-~]{1,12}", 0..8)
            .prop_map(|set| set.iter().map(|s| s.parse().unwrap()).collect())
    }

    proptest! {
        #[test]
        fn a_scope_set_reads_back_what_it_writes(set in any_scope_set()) {
            prop_assert_eq!(set.to_string().parse::<ScopeSet>().unwrap(), set);
        }

        #[test]
        fn what_is_granted_was_held(held in any_scope_set(), asked in any_scope_set()) {
            match held.grant(&asked) {
                Ok(granted) => prop_assert!(granted.iter().all(|s| held.contains(s))),
                Err(missing) => prop_assert!(!held.contains(&missing) && asked.contains(&missing)),
            }
        }
    }

    #[test]
    fn scopes_are_written_in_the_order_in_which_the_api_declares_them() {
        let declared: Vec<Scope> = ["b", "a", "b", "c"].map(|s| s.parse().unwrap()).to_vec();
        let set: ScopeSet = "a b".parse().unwrap();
        assert_eq!(set.in_order_of(&declared), "b a");
    }
}
