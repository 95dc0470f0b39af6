//! `[limits]`

use std::time::Duration;

use super::section;
use crate::{
    kinds::{bytes, count, seconds},
    reader::Reader,
};

section! {
    /// The bounds of everything: what is above one is refused or waits, and is counted in a metric.
    pub struct Limits = "limits" {
        /// Connections open at the same time, per address that ficha listens at; further ones are closed at once.
        connections: usize = count(1..=1_000_000), "10000";
        /// Connections open at the same time from one client address (IPv6: one /64). Trusted proxies are not counted.
        connections_per_address: u32 = count(1..=1_000_000), "1024";
        /// Time for the TLS handshake.
        handshake_timeout_s: Duration = seconds(1..=120), "10";
        /// Time for the head of a request, and for the first request of a connection to begin.
        header_timeout_s: Duration = seconds(1..=120), "10";
        /// Bytes of the head of a request.
        header_bytes: usize = bytes(8 << 10..=1 << 20), r#""32KiB""#;
        /// Bytes of the body of a request; a longer one is answered 413.
        body_bytes: usize = bytes(1 << 10..=16 << 20), r#""64KiB""#;
        /// Time for the body of a request.
        body_timeout_s: Duration = seconds(1..=120), "10";
        /// Time from the arrival of a request to its answer, its body included; then it is answered 503.
        request_timeout_s: Duration = seconds(1..=300), "30";
        /// Time beyond that in which a client must have taken its answer.
        answer_timeout_s: Duration = seconds(1..=300), "30";
        /// How long a connection may lie idle. Longer than the load balancer keeps its own, or requests get lost between the two.
        idle_timeout_s: Duration = seconds(1..=3_600), "75";
        /// Requests over one connection; then it is closed in good order, and the client's next may reach another node.
        requests_per_connection: u64 = count(1..=1_000_000_000), "1000000";
        /// Requests at the same time over one HTTP/2 connection.
        http2_streams: u32 = count(1..=10_000), "128";
        /// Threads that check passwords in what time is left over, each with 19 MiB of its own; 0: one less than there are cores, but one at least.
        hashing_threads: usize = count(0..=256), "0";
        /// Passwords that may wait for them, some 15 ms of work each; further ones are answered 503.
        hashing_queue: usize = count(1..=100_000), "256";
        /// Threads that sign with RSA when several signatures are asked for at once, likewise; 0: as many as there are cores.
        signing_threads: usize = count(0..=256), "0";
        /// Signatures that may wait for them; further ones are answered 503.
        signing_queue: usize = count(1..=1_000_000), "4096";
        /// Base URLs kept in memory, and as many paths below them; others are looked up in the database when they come.
        cached_places: usize = count(1..=10_000_000), "65536";
        /// Clients kept in memory, over all issuers; others are read from the database when they come.
        cached_clients: usize = count(1..=10_000_000), "16384";
        /// Users kept in memory, likewise.
        cached_users: usize = count(1..=10_000_000), "16384";
        /// Tokens whose introspection is remembered; others are verified again.
        cached_introspections: usize = count(1..=10_000_000), "16384";
        /// Counters of failed logins by client or user and address; beyond them the least used are forgotten.
        failure_counters: usize = count(1_024..=10_000_000), "65536";
        /// Followers of the revocation feed, over all APIs; further ones are answered 503.
        feed_followers: usize = count(1..=1_000_000), "10000";
        /// Followers of one API; further ones are answered 429.
        feed_followers_per_api: usize = count(1..=1_000_000), "2000";
        /// How long a request may wait for the clock to pass a not-before mark; then it is answered 503.
        mark_wait_s: Duration = seconds(1..=30), "5";
        /// The most leeway that a verifier may give expired tokens: revocations stand that much longer than their tokens.
        verifier_leeway_s: Duration = seconds(0..=600), "60";
    }
}

impl Limits {
    /// Notes what contradicts itself.
    pub(crate) fn check(&self, reader: &mut Reader<'_>) {
        if usize::try_from(self.connections_per_address).is_ok_and(|n| n > self.connections) {
            let message = format!(
                "expected at most connections, which is {}; it is {}",
                self.connections, self.connections_per_address
            );
            reader.contradiction(("limits", "connections_per_address"), message);
        }
        for (key, time) in [("body_timeout_s", self.body_timeout_s), ("mark_wait_s", self.mark_wait_s)] {
            if time > self.request_timeout_s {
                let (all, it) = (self.request_timeout_s.as_secs(), time.as_secs());
                let message = format!("expected at most request_timeout_s, which is {all}; it is {it}");
                reader.contradiction(("limits", key), message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::load::tests::{complaints, complaints_with, config, config_with};

    #[test]
    fn bytes_and_seconds_are_numbers_or_have_a_unit() {
        let limits =
            config("[limits]\nbody_bytes = \"1MiB\"\nheader_bytes = 8192\nidle_timeout_s = \"5m\"\nmark_wait_s = 7")
                .limits;
        assert_eq!((limits.body_bytes, limits.header_bytes), (1 << 20, 8_192));
        assert_eq!((limits.idle_timeout_s.as_secs(), limits.mark_wait_s.as_secs()), (300, 7));
        let pairs = [
            ("FICHA_LIMITS__BODY_BYTES", "2KiB"),
            ("FICHA_LIMITS__IDLE_TIMEOUT_S", "9"),
            ("FICHA_LIMITS__CONNECTIONS", "2000"),
        ];
        let limits = config_with(&pairs).limits;
        assert_eq!((limits.body_bytes, limits.idle_timeout_s.as_secs(), limits.connections), (2_048, 9, 2_000));
    }

    #[test]
    fn what_is_out_of_range_or_has_another_unit_is_refused() {
        let size = "expected bytes from 1KiB to 16MiB, as a number or with a unit, as in \"64KiB\" or \"1MiB\"";
        let time = "expected seconds from 1 to 3600, as a number or with a unit, as in \"90s\" or \"5m\"";
        for (value, found) in [
            ("1023", "1023"),
            ("\"64kb\"", "\"64kb\""),
            ("\"17MiB\"", "\"17MiB\""),
            ("\"99999999999999999999GiB\"", "\"99999999999999999999GiB\""),
            ("\"KiB\"", "\"KiB\""),
            ("\"+2KiB\"", "\"+2KiB\""),
            ("-5", "-5"),
            ("true", "true"),
        ] {
            let said = complaints(&format!("[limits]\nbody_bytes = {value}"));
            assert_eq!(said, [format!("ficha.toml:2: [limits] body_bytes: {size}; found {found}")]);
        }
        for (value, found) in [
            ("\"2h\"", "\"2h\""),
            ("0", "0"),
            ("\"75\"", "\"75\""),
            ("[]", "a list"),
            ("1.5", "a number with a fraction"),
        ] {
            let said = complaints(&format!("[limits]\nidle_timeout_s = {value}"));
            assert_eq!(said, [format!("ficha.toml:2: [limits] idle_timeout_s: {time}; found {found}")]);
        }
        assert_eq!(
            complaints_with(&[("FICHA_LIMITS__CONNECTIONS", "many")]),
            [
                "environment variable FICHA_LIMITS__CONNECTIONS: [limits] connections: expected a whole number from 1 to 1000000; found \"many\""
            ]
        );
    }

    #[test]
    fn limits_that_contradict_each_other_are_refused() {
        let text = "[limits]\nconnections = 100\nconnections_per_address = 101\nbody_timeout_s = 40\nmark_wait_s = 30\nrequest_timeout_s = 30";
        assert_eq!(
            complaints(text),
            [
                "ficha.toml:3: [limits] connections_per_address: expected at most connections, which is 100; it is 101",
                "ficha.toml:4: [limits] body_timeout_s: expected at most request_timeout_s, which is 30; it is 40",
            ]
        );
    }
}
