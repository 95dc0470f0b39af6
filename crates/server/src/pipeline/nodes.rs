//! Many nodes on one store: what one of them changes, all of them know.

use ficha_core::{
    client_auth::authenticate,
    feed::FRESH_FOR,
    operator::{Marking, NewSecret},
    ports::{Revocation, UpkeepStore},
    token::{Introspection, Revoked, introspect, revoke_token},
};
use futures_util::future::join_all;

use super::*;

/// Nodes on one store, with one clock, that are live and have looked once.
pub(super) struct Nodes(pub(super) Vec<Bench>);

impl Nodes {
    pub(super) async fn of(text: &str, names: &[&'static str]) -> Self {
        let alone = Bench::of(text).await;
        let Bench { clock, store, _data: data, .. } = alone;
        let node =
            |name: &&'static str| Bench::on((store.clone(), data.clone()), clock.clone(), &Company::Many(name), None);
        let nodes = Self(names.iter().map(node).collect());
        nodes.look().await;
        nodes
    }

    pub(super) fn clock(&self) -> &TestClock {
        &self.0[0].clock
    }

    /// Every node that can gives a sign of life and looks for changes.
    pub(super) async fn look(&self) {
        for node in &self.0 {
            node.look().await;
        }
    }

    /// Waits for `act` while nodes `looking` go on looking, and time passes.
    pub(super) async fn during<T>(&self, looking: &[usize], act: impl Future<Output = T>) -> T {
        let mut act = std::pin::pin!(act);
        loop {
            tokio::select! {
                biased;
                done = &mut act => return done,
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
            for at in looking {
                self.0[*at].look().await;
            }
            self.clock().advance(Duration::from_millis(5));
        }
    }
}

impl Bench {
    pub(super) async fn look(&self) {
        let rules = self.rules();
        if rules.feed.beat(&rules.node).await.is_ok() {
            let _ = rules.feed.poll(rules).await;
        }
    }

    /// Whether the API `cards` finds the token good.
    pub(super) async fn introspects(&self, token: &str) -> Result<bool, Refusal> {
        let place = self.place().await;
        let asked =
            introspect(self.rules(), &place, &self.caller(), (&secrets(&[("cards", "hunter2")]), token)).await?;
        Ok(matches!(asked.1, Introspection::Active(_)))
    }

    /// `app` takes its token back.
    pub(super) async fn revokes(&self, token: &str) -> Result<Revoked, Refusal> {
        let place = self.place().await;
        let method = place.dialect.profile().auth_methods[0];
        let who = match app("hunter2") {
            Credentials::Secret { readings, .. } => Credentials::Secret { method, readings },
            other @ (Credentials::None | Credentials::Id(_)) => other,
        };
        let client = authenticate(self.rules(), &place, &self.caller(), who).await?;
        revoke_token(self.rules(), &place, (&self.caller(), &client), token).await
    }

    pub(super) async fn disables_the_client(&self) {
        self.operator.client_disable(&root(), (&issuer(), &app_id()), false).await.unwrap();
    }
}

/// [`acme`] whose API may introspect.
pub(super) fn with_introspection(text: &str) -> String {
    let secret = "secrets = [\"sha256:f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7\"]";
    text.replace("audience = ", &format!("{secret}\naudience = "))
}

#[tokio::test]
async fn whoever_has_the_answer_of_a_disabling_gets_the_old_thing_from_no_node() {
    let nodes = Nodes::of(&acme("standard"), &["a", "b", "c"]).await;
    for node in &nodes.0 {
        node.token().await.unwrap();
    }
    nodes.look().await;
    let began = nodes.clock().monotonic();
    nodes.during(&[1, 2], nodes.0[0].disables_the_client()).await;
    let took = nodes.clock().monotonic().saturating_sub(began);
    assert!(took < FRESH_FOR, "all have confirmed, and it took {took:?}");
    for node in &nodes.0 {
        assert!(node.token().await.is_err());
    }
}

#[tokio::test]
async fn a_removed_secret_and_a_revoked_token_are_refused_by_every_node() {
    let nodes = Nodes::of(&with_introspection(&acme("standard")), &["a", "b"]).await;
    let [a, b] = &nodes.0[..] else { panic!() };
    let token = b.token().await.unwrap().access_token.0;
    assert!(a.introspects(&token).await.unwrap() && b.introspects(&token).await.unwrap());
    nodes.look().await;
    nodes.during(&[1], a.revokes(&token)).await.unwrap();
    assert!(!b.introspects(&token).await.unwrap());
    let secret = a.operator.client_secrets(&issuer(), &app_id()).await.unwrap()[0].id.clone();
    let new = NewSecret::default();
    nodes.during(&[1], a.operator.client_secret_add(&root(), (&issuer(), &app_id()), &new)).await.unwrap();
    nodes.during(&[1], a.operator.client_secret_remove(&root(), (&issuer(), &app_id()), &secret)).await.unwrap();
    assert!(b.token().await.is_err());
}

#[tokio::test]
async fn where_more_is_revoked_than_a_node_remembers_each_is_refused_all_the_same() {
    let nodes = Nodes::of(&with_introspection(&acme("standard")), &["a"]).await;
    let [a] = &nodes.0[..] else { panic!() };
    let now = a.rules().clock.now();
    let mut tokens = Vec::new();
    for many in [0, 150, 300] {
        // Each with two rows, in the order of names before those that are asked about.
        for (n, api) in (0..many).flat_map(|n| [(n, None), (n, Some("cards".parse().unwrap()))]) {
            let (id, until) = (format!("-{n:021}").parse().unwrap(), now + Seconds(3600));
            let other = Revocation { id, client: None, api, issued_at: now, until };
            a.rules().tokens.revoke_token(&issuer(), &other, now, 10_000).await.unwrap();
        }
        let [good, bad] = [a.token().await.unwrap(), a.token().await.unwrap()].map(|answer| answer.access_token.0);
        a.revokes(&bad).await.unwrap();
        tokens.push((good, bad));
        for (good, bad) in &tokens {
            assert!(a.introspects(good).await.unwrap(), "{many}");
            assert!(!a.introspects(bad).await.unwrap(), "{many}");
        }
    }
}

#[tokio::test]
async fn a_node_that_stood_still_serves_nothing_that_is_out_of_date_when_it_goes_on() {
    let nodes = Nodes::of(&acme("standard"), &["a", "b"]).await;
    let [a, b] = &nodes.0[..] else { panic!() };
    b.token().await.unwrap();
    nodes.look().await;
    b.token().await.unwrap();
    let before = nodes.clock().monotonic();
    let ended = nodes.during(&[0], a.operator.client_disable(&root(), (&issuer(), &app_id()), false)).await;
    ended.unwrap();
    let waited = nodes.clock().monotonic().saturating_sub(before);
    assert!(waited >= FRESH_FOR, "it was answered after {waited:?}, while b could still serve from memory");
    assert!(waited < FRESH_FOR * 2, "it was answered after {waited:?}");
    nodes.clock().advance(Duration::from_mins(1));
    assert!(b.token().await.is_err(), "its own look comes later than this request");
}

#[tokio::test]
async fn an_issuer_that_a_node_sees_for_the_first_time_is_confirmed_with_every_request_until_others_know() {
    let nodes = Nodes::of(&acme("standard"), &["a", "b"]).await;
    let [a, b] = &nodes.0[..] else { panic!() };
    b.token().await.unwrap();
    // Nobody waits for b, which has not told that it remembers anything.
    a.disables_the_client().await;
    assert!(b.token().await.is_err());
    assert!(nodes.clock().monotonic() < FRESH_FOR);
}

#[tokio::test]
async fn a_not_before_names_the_nodes_that_had_not_confirmed_it() {
    let nodes = Nodes::of(&acme("standard"), &["a", "b", "c"]).await;
    for node in &nodes.0 {
        node.token().await.unwrap();
    }
    nodes.look().await;
    let whose = Marking::Client { id: app_id(), api: None };
    let revoke = || async { nodes.0[0].operator.token_revoke_all(&root(), &issuer(), &whose).await.unwrap() };
    let ended = nodes.during(&[1], revoke()).await;
    assert_eq!(ended.unconfirmed.iter().map(ToString::to_string).collect::<Vec<_>>(), ["c"]);
    // A node that is gone is waited for no more.
    nodes.0[2].rules().feed.store().leave(nodes.0[2].rules().feed.me()).await.unwrap();
    assert!(nodes.during(&[1], revoke()).await.unconfirmed.is_empty());
}

#[tokio::test]
async fn a_node_that_missed_more_than_a_day_begins_anew() {
    let nodes = Nodes::of(&acme("standard"), &["a", "b"]).await;
    let [a, b] = &nodes.0[..] else { panic!() };
    b.token().await.unwrap();
    nodes.look().await;
    nodes.during(&[0], a.disables_the_client()).await;
    nodes.clock().advance(Duration::from_hours(25));
    let report = a.store.purge(nodes.clock().now(), 100).await.unwrap();
    assert!(report.total() > 0);
    b.look().await;
    assert!(b.token().await.is_err());
    let slot = b.rules().node.slot(&issuer());
    assert_eq!(slot.applied(), a.rules().clients.issuer(&issuer()).await.unwrap().map(|rows| rows.change));
}

#[tokio::test]
async fn all_nodes_answer_one_live_token_and_a_renewal_makes_one_signature_at_most_each() {
    let nodes = Nodes::of(&acme("pomelo"), &["a", "b", "c", "d"]).await;
    let signed = || nodes.0.iter().map(|node| node.rules().signer.made()).collect::<Vec<_>>();
    for _ in 0..4 {
        let before = signed();
        let asked = (0..40).map(|n| nodes.0[n % 4].token());
        let tokens: Vec<_> = join_all(asked).await.into_iter().map(|t| t.unwrap().access_token.0).collect();
        assert!(tokens.iter().all(|token| *token == tokens[0]), "two live tokens");
        assert!(signed().iter().zip(before).all(|(after, before)| after - before <= 1));
        nodes.look().await;
        nodes.clock().advance(Duration::from_hours(24));
        nodes.look().await;
    }
}

#[tokio::test]
async fn a_live_token_that_was_revoked_on_one_node_is_handed_out_by_none() {
    let nodes = Nodes::of(&acme("pomelo"), &["a", "b"]).await;
    let [a, b] = &nodes.0[..] else { panic!() };
    let token = a.token().await.unwrap().access_token.0;
    assert_eq!(b.token().await.unwrap().access_token.0, token);
    nodes.look().await;
    nodes.during(&[1], a.revokes(&token)).await.unwrap();
    let next = b.token().await.unwrap().access_token.0;
    assert_ne!(next, token);
    nodes.look().await;
    assert_eq!(a.token().await.unwrap().access_token.0, next);
}

#[tokio::test]
async fn many_who_wait_for_the_same_nodes_ask_together() {
    let nodes = Nodes::of(&with_introspection(&acme("standard")), &["a", "b"]).await;
    let [a, b] = &nodes.0[..] else { panic!() };
    let mut tokens = Vec::new();
    for _ in 0..100 {
        tokens.push(a.token().await.unwrap().access_token.0);
    }
    b.token().await.unwrap();
    nodes.look().await;
    // b stands still: every one of them waits for as long as b may serve from memory.
    for done in nodes.during(&[0], join_all(tokens.iter().map(|token| a.revokes(token)))).await {
        done.unwrap();
    }
    let asked = a.faults.asked_for_confirmations();
    assert!(asked <= 1000, "100 who wait a second asked {asked} times");
}

#[tokio::test]
async fn a_request_that_a_mark_covers_waits_for_the_clock_on_every_node() {
    let nodes = Nodes::of(&with_introspection(&acme("standard")), &["a", "b"]).await;
    let [a, b] = &nodes.0[..] else { panic!() };
    let before = b.token().await.unwrap().access_token.0;
    nodes.look().await;
    let whose = Marking::Client { id: app_id(), api: None };
    let ended = nodes.during(&[1], a.operator.token_revoke_all(&root(), &issuer(), &whose)).await.unwrap();
    assert_eq!(ended.until, NOON + Seconds(2), "as far beyond the clocks as they may be apart");
    assert!(!b.introspects(&before).await.unwrap());
    let after = nodes.during(&[0, 1], b.token()).await.unwrap();
    assert!(nodes.clock().now() > ended.until, "none is dated ahead");
    assert!(a.introspects(&after.access_token.0).await.unwrap() && b.introspects(&after.access_token.0).await.unwrap());
}

#[tokio::test]
async fn a_node_whose_clock_is_too_far_from_the_databases_issues_nothing() {
    let nodes = Nodes::of(&acme("standard"), &["a"]).await;
    let a = &nodes.0[0];
    for (ahead, issues) in [(0, true), (1000, true), (1001, false), (-1001, false), (-1000, true)] {
        a.faults.set_clock_ahead(ahead);
        nodes.look().await;
        assert_eq!(a.token().await.is_ok(), issues, "{ahead} ms");
    }
}

#[tokio::test]
async fn a_new_issuer_of_one_node_is_seen_by_the_others() {
    let nodes = Nodes::of(&acme("standard"), &["a", "b"]).await;
    let [a, b] = &nodes.0[..] else { panic!() };
    let before = b.rules().node.declared();
    let other = acme("standard").replace("acme", "other").replace("auth.example.com", "other.example.com");
    Box::pin(nodes.during(&[1], a.apply(&other))).await;
    b.look().await;
    assert!(b.rules().node.declared() > before);
}
