//! The list of all metrics: name, unit, labels and help stand here and nowhere else.
//!
//! A new one is a line in [`Metrics`]; it is registered at start, so that `/metrics` shows it before it first counts.
//! Counting is `metrics().refresh.count(Refresh::Rotated)`.

use std::sync::LazyLock;

use ::metrics::Unit;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

pub use crate::instruments::{Counter, Declaration, Gauge, Histogram, Label, Labels};
use crate::instruments::{HistogramFamily, Instrument, Named, Registered, Registrar};

/// Declares a label: an enum whose values know their words.
macro_rules! labels {
    ($($(#[$doc:meta])* $kind:ident($name:literal) { $($value:ident = $word:literal),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $kind {
            $(#[doc = concat!("`", $word, "`")] $value),+
        }

        impl Label for $kind {
            const NAME: &'static str = $name;
            const ALL: &'static [Self] = &[$(Self::$value),+];
            fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word),+
                }
            }
            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}

/// Declares the struct that holds every instrument.
macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $kind:ty, $name:literal, $unit:ident;)+) => {
        /// Every metric, ready to count.
        pub struct Metrics {
            $($(#[doc = $help])+ pub $field: $kind,)+
        }

        impl Metrics {
            fn register(at: &mut Registrar) -> Self {
                Self {$(
                    $field: Instrument::register(
                        &Named { name: $name, unit: Unit::$unit, help: concat!($($help),+).trim_ascii() },
                        at,
                    ),
                )+}
            }
        }
    };
}

labels! {
    /// The grant of a token request.
    Grant("grant") {
        ClientCredentials = "client_credentials",
        Password = "password",
        RefreshToken = "refresh_token",
        Unknown = "unknown",
    }
    /// How a token request ended: the OAuth error code, or what else it was.
    Outcome("outcome") {
        Issued = "issued",
        InvalidRequest = "invalid_request",
        InvalidClient = "invalid_client",
        InvalidGrant = "invalid_grant",
        InvalidScope = "invalid_scope",
        InvalidTarget = "invalid_target",
        UnauthorizedClient = "unauthorized_client",
        UnsupportedGrantType = "unsupported_grant_type",
        Insecure = "insecure",
        TooMany = "too_many",
        Unavailable = "unavailable",
    }
    /// Where an access token came from.
    Issued("kind") { Fresh = "fresh", Reused = "reused" }
    /// How a refresh token was used.
    Refresh("outcome") { Rotated = "rotated", Repeated = "repeated", Replayed = "replayed", Kept = "kept" }
    /// What was revoked.
    Revocation("kind") {
        Token = "token",
        Family = "family",
        ClientAtApi = "client_at_api",
        Client = "client",
        User = "user",
        Issuer = "issuer",
        Nothing = "nothing",
    }
    /// The answer of an introspection.
    Introspection("outcome") { Active = "active", Inactive = "inactive", Refused = "refused" }
    /// How a client tried to prove who it is.
    ClientAuth("method") { Basic = "basic", Body = "body", IdOnly = "id_only", None = "none" }
    /// What was slowed down or refused for being too much.
    Limited("what") {
        ClientFailures = "client_failures",
        UserFailures = "user_failures",
        ClientRate = "client_rate",
        ClientConcurrency = "client_concurrency",
    }
    /// The kind of endpoint that answered.
    Endpoint("endpoint") {
        Token = "token",
        Revoke = "revoke",
        Introspect = "introspect",
        Jwks = "jwks",
        Metadata = "metadata",
        Verify = "verify",
        Feed = "feed",
        Other = "other",
    }
    /// What a proxy was answered that asked whether a request may pass.
    GateAnswer("outcome") {
        Passed = "passed",
        Public = "public",
        Token = "token",
        Scope = "scope",
        NoRule = "no_rule",
        OddPath = "odd_path",
        Unclear = "unclear",
        Insecure = "insecure",
        Untrusted = "untrusted",
        Unavailable = "unavailable",
    }
    /// Why a connection was turned away.
    RefusedConnection("reason") {
        Full = "full",
        PerAddress = "per_address",
        AcceptFailed = "accept_failed",
    }
    /// Why a TLS handshake came to nothing.
    FailedHandshake("reason") { TimedOut = "timed_out", Refused = "refused" }
    /// Why a connection was ended from here before its time.
    EndedConnection("reason") {
        HeaderTimeout = "header_timeout",
        Idle = "idle",
        Stalled = "stalled",
        RequestTimeout = "request_timeout",
    }
    /// What was said on the revocation feed.
    FeedEvent("kind") { Snapshot = "snapshot", Batch = "batch", Heartbeat = "heartbeat" }
    /// Why a follower's stream was ended from here.
    FollowerCut("reason") {
        Slow = "slow",
        NoLongerAllowed = "no_longer_allowed",
        ApiGone = "api_gone",
        Stale = "stale",
        GoingDown = "going_down",
    }
    /// How something that either works or doesn't ended.
    Success("outcome") { Ok = "ok", Failed = "failed" }
    /// How a step of the store ended.
    StoreOutcome("outcome") { Ok = "ok", Unreachable = "unreachable", Unknown = "unknown" }
    /// A cache.
    Cache("cache") {
        Issuers = "issuers",
        Places = "places",
        Clients = "clients",
        Users = "users",
        Introspections = "introspections",
    }
    /// A table that is purged.
    Table("table") {
        LiveTokens = "live_tokens",
        Families = "families",
        Revocations = "revocations",
        Changes = "changes",
        Nodes = "nodes",
    }
}

metrics! {
    /// Token requests answered, by grant and by how they ended.
    token_answers: Counter<(Grant, Outcome)>, "ficha_token_answers_total", Count;
    /// Access tokens answered: signed for the request, or the live one again.
    tokens_issued: Counter<Issued>, "ficha_tokens_issued_total", Count;
    /// Token requests that went on while the store took no writes.
    outage_tokens: Counter, "ficha_outage_tokens_total", Count;
    /// Live tokens made, the first ones and their successors.
    live_tokens_made: Counter, "ficha_live_tokens_made_total", Count;
    /// Uses of refresh tokens.
    refresh: Counter<Refresh>, "ficha_refresh_total", Count;
    /// Revocations, by what they ended.
    revocations: Counter<Revocation>, "ficha_revocations_total", Count;
    /// Standing revocations that were folded into a not-before mark.
    revocations_folded: Counter, "ficha_revocations_folded_total", Count;
    /// Introspections answered.
    introspections: Counter<Introspection>, "ficha_introspections_total", Count;
    /// Questions of proxies answered: whether a request may pass.
    gate_answers: Counter<GateAnswer>, "ficha_gate_answers_total", Count;
    /// Followers of the revocation feed now.
    feed_followers: Gauge, "ficha_feed_followers", Count;
    /// Events signed for the revocation feed, one for all followers of an API.
    feed_events: Counter<FeedEvent>, "ficha_feed_events_total", Count;
    /// Seconds from an event's being signed to a follower's stream taking it.
    feed_lag: Histogram, "ficha_feed_lag_seconds", Seconds;
    /// Followers whose streams were ended from here.
    feed_cut: Counter<FollowerCut>, "ficha_feed_cut_total", Count;
    /// Client authentications that failed, by method.
    client_auth_failures: Counter<ClientAuth>, "ficha_client_auth_failures_total", Count;
    /// Requests refused or slowed because there were too many.
    rate_limited: Counter<Limited>, "ficha_rate_limited_total", Count;
    /// Seconds from a request's arrival to its answer.
    request_duration: Histogram<Endpoint>, "ficha_request_duration_seconds", Seconds;

    /// Connections open now.
    connections_open: Gauge, "ficha_connections_open", Count;
    /// Connections turned away.
    connections_refused: Counter<RefusedConnection>, "ficha_connections_refused_total", Count;
    /// Connections and requests ended from here because a time limit passed.
    connections_ended: Counter<EndedConnection>, "ficha_connections_ended_total", Count;
    /// TLS handshakes that failed.
    handshakes_failed: Counter<FailedHandshake>, "ficha_tls_handshakes_failed_total", Count;
    /// Times that changed certificate files were loaded.
    certificate_reloads: Counter<Success>, "ficha_certificate_reloads_total", Count;

    /// Tokens signed, handed out or not.
    signatures: Counter, "ficha_signatures_total", Count;
    /// Signatures waiting for a signing thread now.
    signing_queue: Gauge, "ficha_signing_queue", Count;
    /// Seconds that signatures waited for a signing thread.
    signing_wait: Histogram, "ficha_signing_wait_seconds", Seconds;
    /// Signatures refused because the queue was full.
    signing_rejected: Counter, "ficha_signing_rejected_total", Count;
    /// Password hashes waiting for a hashing thread now.
    hashing_queue: Gauge, "ficha_hashing_queue", Count;
    /// Password hashes refused because the queue was full.
    hashing_rejected: Counter, "ficha_hashing_rejected_total", Count;

    /// Writing steps of the store, by how they ended.
    store_jobs: Counter<StoreOutcome>, "ficha_store_jobs_total", Count;
    /// Steps that were committed together.
    store_batch: Histogram, "ficha_store_batch_steps", Count;
    /// Steps waiting for the writer now.
    store_queue: Gauge, "ficha_store_queue", Count;
    /// Expired rows that were purged, by table.
    rows_purged: Counter<Table>, "ficha_rows_purged_total", Count;

    /// Seconds since this node last confirmed its place in the feed of changes; 0 for the only node.
    changes_lag: Gauge, "ficha_changes_lag_seconds", Seconds;
    /// Seconds that this node's clock is from the database's, at least.
    clock_off: Gauge, "ficha_clock_off_seconds", Seconds;
    /// Nodes that are live, as this one sees it.
    nodes: Gauge, "ficha_nodes", Count;
    /// Revocations and other acts that were answered before every live node had confirmed them.
    unconfirmed_answers: Counter, "ficha_unconfirmed_answers_total", Count;
    /// 1 while the store can't be reached, or what was missed meanwhile is not all applied; else 0.
    outage: Gauge, "ficha_outage", Count;

    /// Lookups that a cache answered.
    cache_hits: Counter<Cache>, "ficha_cache_hits_total", Count;
    /// Lookups that a cache could not answer.
    cache_misses: Counter<Cache>, "ficha_cache_misses_total", Count;
    /// Entries in a cache now.
    cache_entries: Gauge<Cache>, "ficha_cache_entries", Count;

    /// Log lines lost because the log could not be written fast enough.
    log_lines_dropped: Counter, "ficha_log_lines_dropped_total", Count;
    /// 1 while this node is ready, 0.5 while it can still issue something, 0 otherwise.
    ready: Gauge, "ficha_ready", Count;
}

static GLOBAL: LazyLock<(Metrics, MetricsHandle, Vec<Declaration>)> = LazyLock::new(build);

/// Gives what `/metrics` shows. Call [`install`] to have one.
#[derive(Clone)]
pub struct MetricsHandle {
    exporter: PrometheusHandle,
    histograms: std::sync::Arc<[HistogramFamily]>,
}

impl MetricsHandle {
    /// Every metric in Prometheus' text form.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = self.exporter.render();
        for family in self.histograms.iter() {
            family.render(&mut out);
        }
        out
    }

    /// To be called every few seconds, so that what the exporter keeps stays small.
    pub fn run_upkeep(&self) {
        self.exporter.run_upkeep();
    }
}

/// Registers every metric, once in the life of the process, and answers what `/metrics` needs.
#[must_use]
pub fn install() -> MetricsHandle {
    GLOBAL.1.clone()
}

/// The metrics of this process.
#[must_use]
pub fn metrics() -> &'static Metrics {
    &GLOBAL.0
}

/// The list of all metrics, for the reference and its test.
#[must_use]
pub fn list() -> &'static [Declaration] {
    &GLOBAL.2
}

fn build() -> (Metrics, MetricsHandle, Vec<Declaration>) {
    let mut registrar = Registrar::new(PrometheusBuilder::new().build_recorder());
    let metrics = Metrics::register(&mut registrar);
    let Registered { recorder, histograms, list } = registrar.finish();
    (metrics, MetricsHandle { exporter: recorder.handle(), histograms: histograms.into() }, list)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use super::*;

    #[test]
    fn every_metric_is_shown_before_it_first_counts() {
        let (_metrics, handle, list) = build();
        let text = handle.render();
        for Declaration { name, kind, help, .. } in list {
            assert!(text.contains(&format!("# HELP {name} {help}\n")), "{name} has no help in\n{text}");
            assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name} has no type in\n{text}");
        }
    }

    #[test]
    fn every_name_is_taken_once_and_follows_the_rules() {
        let (_, _, list) = build();
        let names: BTreeSet<_> = list.iter().map(|d| d.name).collect();
        assert_eq!(names.len(), list.len());
        for d in &list {
            assert!(d.name.starts_with("ficha_"), "{}", d.name);
            assert_eq!(d.name.ends_with("_total"), d.kind == "counter", "{}", d.name);
            assert_eq!(d.name.ends_with("_seconds"), d.unit == Unit::Seconds, "{}", d.name);
            assert!(d.help.ends_with('.'), "{}", d.name);
        }
    }

    #[test]
    fn what_is_counted_is_shown_under_its_labels() {
        let (metrics, handle, _) = build();
        metrics.token_answers.count((Grant::Password, Outcome::InvalidGrant));
        metrics.token_answers.add((Grant::Unknown, Outcome::Unavailable), 3);
        metrics.connections_open.up(());
        metrics.connections_open.up(());
        metrics.connections_open.down(());
        metrics.cache_entries.set_count(Cache::Clients, 7);
        metrics.request_duration.took(Endpoint::Token, Duration::from_micros(80));
        let text = handle.render();
        for line in [
            "ficha_token_answers_total{grant=\"password\",outcome=\"invalid_grant\"} 1",
            "ficha_token_answers_total{grant=\"unknown\",outcome=\"unavailable\"} 3",
            "ficha_token_answers_total{grant=\"password\",outcome=\"issued\"} 0",
            "ficha_connections_open 1",
            "ficha_cache_entries{cache=\"clients\"} 7",
            "ficha_request_duration_seconds_bucket{endpoint=\"token\",le=\"0.00005\"} 0",
            "ficha_request_duration_seconds_bucket{endpoint=\"token\",le=\"0.0001\"} 1",
            "ficha_request_duration_seconds_count{endpoint=\"token\"} 1",
            "ficha_request_duration_seconds_count{endpoint=\"jwks\"} 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
    }
}
