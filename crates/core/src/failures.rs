//! Failures per key, counted in bounded memory. `now` is the time since any fixed instant, the same for all calls.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, Hash, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

const SHARDS: usize = 16;
/// Entries that are looked at for one that may go, before the oldest goes.
const LOOKS: usize = 8;

/// Failures per key, counted in windows that begin with the first one.
pub(crate) struct FailureBuckets<K> {
    table: Table<K, Failures>,
    allowed: u32,
    window: Duration,
}

#[derive(Clone, Copy)]
struct Failures {
    since: Duration,
    count: u32,
}

impl<K: Hash + Eq + Clone> FailureBuckets<K> {
    /// Allows `allowed` failures per key and `window`; knows `capacity` keys, then forgets the oldest.
    #[must_use]
    pub(crate) fn new(allowed: u32, window: Duration, capacity: usize) -> Self {
        Self { table: Table::new(capacity), allowed, window }
    }

    /// How long `key` must wait because it has used up its failures; `None` when it need not.
    pub(crate) fn used_up(&self, key: &K, now: Duration) -> Option<Duration> {
        let failures = self.table.shard(key).map.get(key).copied()?;
        let left = (failures.since + self.window).saturating_sub(now);
        (failures.count >= self.allowed && !left.is_zero()).then_some(left)
    }

    /// How many failures of `key` there are in its window.
    pub(crate) fn count(&self, key: &K, now: Duration) -> u32 {
        let failures = self.table.shard(key).map.get(key).copied();
        failures.filter(|f| f.since + self.window > now).map_or(0, |f| f.count)
    }

    /// Counts a failure of `key`; answers how many there were in this window.
    pub(crate) fn failed(&self, key: K, now: Duration) -> u32 {
        let window = self.window;
        let over = |failures: &Failures| failures.count == 0 || failures.since + window <= now;
        self.table.with(key, Failures { since: now, count: 0 }, over, |failures| {
            if over(failures) {
                *failures = Failures { since: now, count: 0 };
            }
            failures.count = failures.count.saturating_add(1);
            failures.count
        })
    }
}

/// Several locks instead of one.
struct Shards<T> {
    all: Box<[Mutex<T>]>,
    hasher: RandomState,
}

impl<T> Shards<T> {
    fn new(one: impl Fn() -> T) -> Self {
        Self { all: (0..SHARDS).map(|_| Mutex::new(one())).collect(), hasher: RandomState::new() }
    }

    fn of<K: Hash>(&self, key: &K) -> MutexGuard<'_, T> {
        let place = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        let shard = self.all.get(place).or(self.all.first()).expect("there are 16 shards");
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A map that forgets when it is full: first what may go, then the oldest.
struct Table<K, V> {
    shards: Shards<Shard<K, V>>,
    /// Entries of one shard.
    capacity: usize,
}

struct Shard<K, V> {
    map: HashMap<K, V>,
    /// The keys of `map`, the oldest first.
    order: VecDeque<K>,
}

impl<K: Hash + Eq + Clone, V> Table<K, V> {
    fn new(capacity: usize) -> Self {
        let shards = Shards::new(|| Shard { map: HashMap::new(), order: VecDeque::new() });
        Self { shards, capacity: capacity.div_ceil(SHARDS).max(1) }
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K, V>> {
        self.shards.of(key)
    }

    /// Does `change` to the value of `key`, which is `fresh` when there is none. `may_go` tells which values may be
    /// forgotten without a loss.
    fn with<R>(&self, key: K, fresh: V, may_go: impl Fn(&V) -> bool, change: impl FnOnce(&mut V) -> R) -> R {
        let mut shard = self.shard(&key);
        if let Some(value) = shard.map.get_mut(&key) {
            return change(value);
        }
        if shard.map.len() >= self.capacity {
            shard.make_room(may_go);
        }
        shard.order.push_back(key.clone());
        change(shard.map.entry(key).or_insert(fresh))
    }
}

impl<K: Hash + Eq, V> Shard<K, V> {
    fn make_room(&mut self, may_go: impl Fn(&V) -> bool) {
        let looks = LOOKS.min(self.order.len());
        let gone = (0..looks).find(|at| self.order.get(*at).and_then(|key| self.map.get(key)).is_none_or(&may_go));
        if let Some(key) = self.order.remove(gone.unwrap_or(0)) {
            self.map.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn who_has_used_up_its_failures_waits_for_the_end_of_the_window() {
        let buckets = FailureBuckets::new(3, s(60), 100);
        assert_eq!([10, 20, 30].map(|at| buckets.failed("a", s(at))), [1, 2, 3]);
        assert_eq!(buckets.used_up(&"a", s(40)), Some(s(30)));
        assert_eq!(buckets.used_up(&"b", s(40)), None);
        assert_eq!(buckets.used_up(&"a", s(70)), None);
        assert_eq!(buckets.failed("a", s(70)), 1);
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten_first() {
        let buckets = FailureBuckets::new(1, s(1_000), 64);
        for key in 0..10_000_u64 {
            buckets.failed(key, s(key / 100));
        }
        let sizes = buckets.table.shards.all.iter().map(|shard| {
            let shard = shard.lock().unwrap();
            (shard.map.len(), shard.order.len())
        });
        assert!(sizes.into_iter().all(|size| size == (4, 4)));
        assert!(buckets.used_up(&9_999, s(100)).is_some());
        assert!(buckets.used_up(&0, s(100)).is_none());
    }

    #[test]
    fn what_is_over_goes_before_what_still_counts() {
        let buckets = FailureBuckets::new(1, s(10), 2 * SHARDS);
        let shard_of = |key: &u64| buckets.table.shards.hasher.hash_one(key) % SHARDS as u64;
        let alike: Vec<_> = (0..10_000).filter(|key| shard_of(key) == 0).take(3).collect();
        let [first, second, third] = alike[..] else { panic!("three of 10,000 keys fall into one of 16 shards") };
        buckets.failed(first, s(0));
        buckets.failed(second, s(0));
        buckets.failed(first, s(11));
        buckets.failed(third, s(12));
        assert!(buckets.used_up(&first, s(12)).is_some(), "still counts, though its entry is the oldest");
        assert!(buckets.used_up(&third, s(12)).is_some());
    }
}
