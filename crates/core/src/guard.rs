//! Failures, counted in bounded memory: who guesses is slowed, and nobody else.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    net::IpAddr,
    time::Duration,
};

use ficha_types::{IssuerName, Seconds, network};

use crate::failures::FailureBuckets;

/// Failures of one kind before the answer is 429.
const FAILURES: u32 = 10;
/// How long failures count.
const WINDOW: Duration = Duration::from_mins(5);
/// The longest that a user is slowed whatever the address.
const MOST_DELAY: Duration = Duration::from_secs(2);
/// Failures of a user, from anywhere, before the delay begins.
const UNDELAYED: u32 = 20;

/// What is counted.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Client,
    Unsure,
    User,
    UserAnywhere,
}

/// Whose secret is guessed at. What is sent to an endpoint for APIs is compared with no client's secret, and costs no client
/// anything; nor the other way round.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) enum Owner {
    Client,
    Api,
}

/// Counters of failures by issuer, name and address. Names are not checked against what there is: unknown ones count alike.
pub struct Guard {
    counters: FailureBuckets<u64>,
    hasher: RandomState,
}

impl Guard {
    /// Counters for at most `bound` keys; beyond it the least used are forgotten.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { counters: FailureBuckets::new(FAILURES, WINDOW, bound), hasher: RandomState::new() }
    }

    /// Whether `address` has used up its failures for that client or API: the seconds to wait.
    pub(crate) fn client(&self, issuer: &IssuerName, name: (Owner, &str), at: (IpAddr, Duration)) -> Option<Seconds> {
        self.used_up(self.key(Kind::Client, issuer, (&name, Some(at.0))), at.1)
    }

    /// Counts a failure of a client or an API.
    pub(crate) fn client_failed(&self, issuer: &IssuerName, name: (Owner, &str), at: (IpAddr, Duration)) {
        self.counters.failed(self.key(Kind::Client, issuer, (&name, Some(at.0))), at.1);
    }

    /// Whether `address` has tried as many secrets as it may for that client or API that are wrong as far as can be told
    /// without the store. They may be new ones: they count for this alone.
    pub(crate) fn unsure(&self, issuer: &IssuerName, name: (Owner, &str), at: (IpAddr, Duration)) -> bool {
        self.used_up(self.key(Kind::Unsure, issuer, (&name, Some(at.0))), at.1).is_some()
    }

    /// Counts such a secret.
    pub(crate) fn was_unsure(&self, issuer: &IssuerName, name: (Owner, &str), at: (IpAddr, Duration)) {
        self.counters.failed(self.key(Kind::Unsure, issuer, (&name, Some(at.0))), at.1);
    }

    /// Whether `address` has used up its failures for the user `name`: the seconds to wait.
    pub(crate) fn user(&self, issuer: &IssuerName, name: &str, at: (IpAddr, Duration)) -> Option<Seconds> {
        self.used_up(self.key(Kind::User, issuer, (&name, Some(at.0))), at.1)
    }

    /// How long to hold back a login of the user `name` whatever its address: a delay, never a refusal, so that nobody can
    /// lock somebody out.
    pub(crate) fn user_delay(&self, issuer: &IssuerName, name: &str, now: Duration) -> Duration {
        let failures = self.counters.count(&self.key(Kind::UserAnywhere, issuer, (&name, None)), now);
        (Duration::from_millis(50) * failures.saturating_sub(UNDELAYED)).min(MOST_DELAY)
    }

    /// Counts a failure of a user.
    pub(crate) fn user_failed(&self, issuer: &IssuerName, name: &str, at: (IpAddr, Duration)) {
        self.counters.failed(self.key(Kind::User, issuer, (&name, Some(at.0))), at.1);
        self.counters.failed(self.key(Kind::UserAnywhere, issuer, (&name, None)), at.1);
    }

    fn key(&self, kind: Kind, issuer: &IssuerName, (name, address): (&impl Hash, Option<IpAddr>)) -> u64 {
        // The address as one number: the fewer parts, the cheaper the hash.
        let address = address.map_or(0, |address| match network(address) {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits(),
        });
        self.hasher.hash_one((kind as u8, issuer, name, address))
    }

    fn used_up(&self, key: u64, now: Duration) -> Option<Seconds> {
        let wait = self.counters.used_up(&key, now)?;
        Some(Seconds(i64::try_from(wait.as_secs()).unwrap_or(i64::MAX).saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Duration = Duration::from_hours(12);

    fn failed(guard: &Guard, address: &str, times: u32) {
        for _ in 0..times {
            guard.client_failed(&"i".parse().unwrap(), (Owner::Client, "c"), (address.parse().unwrap(), NOON));
        }
    }

    fn waits(guard: &Guard, address: &str, now: Duration) -> bool {
        guard.client(&"i".parse().unwrap(), (Owner::Client, "c"), (address.parse().unwrap(), now)).is_some()
    }

    #[test]
    fn an_address_that_guesses_waits_and_others_do_not() {
        let guard = Guard::new(100);
        failed(&guard, "192.0.2.1", FAILURES);
        assert!(waits(&guard, "192.0.2.1", NOON));
        assert!(waits(&guard, "::ffff:192.0.2.1", NOON), "the same address, written as IPv6");
        assert!(!waits(&guard, "192.0.2.2", NOON));
        assert!(!waits(&guard, "192.0.2.1", NOON + WINDOW));
    }

    #[test]
    fn a_user_who_is_guessed_at_from_everywhere_is_delayed_never_refused() {
        let (guard, issuer) = (Guard::new(1000), "i".parse().unwrap());
        for n in 0..100 {
            guard.user_failed(&issuer, "u", (IpAddr::from([192, 0, 2, n]), NOON));
        }
        assert_eq!(guard.user(&issuer, "u", (IpAddr::from([198, 51, 100, 1]), NOON)), None);
        assert_eq!(guard.user_delay(&issuer, "u", NOON), MOST_DELAY);
        assert_eq!(guard.user_delay(&issuer, "other", NOON), Duration::ZERO);
    }
}
