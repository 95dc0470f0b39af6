//! The database is away: what goes on, what does not, and what becomes of it when the database is back.

use ficha_core::{feed::FRESH_FOR, ports::StoreError};
use ficha_testkit::Cut;

use super::{
    nodes::{Nodes, with_introspection},
    *,
};

const GRACE: Duration = Duration::from_mins(5);

fn refresh(token: &Secret) -> GrantRequest {
    GrantRequest::RefreshToken { token: Secret::new(token.expose().to_owned()), scope: None, target: Target::default() }
}

/// [`acme`] whose client gets a refresh token that rotates.
fn rotating() -> String {
    with_introspection(&acme("leancore")).replace("\"client_credentials\"", "\"client_credentials\", \"refresh_token\"")
}

/// The node looks, and time passes until it knows that its place is not confirmed any more.
async fn cut_off(nodes: &Nodes, at: usize) {
    nodes.0[at].faults.set_down(true);
    nodes.clock().advance(FRESH_FOR + Duration::from_millis(1));
    nodes.0[at].look().await;
}

#[tokio::test]
async fn without_the_database_only_a_clients_own_fresh_tokens_go_on_and_only_for_a_while() {
    let nodes = Nodes::of(&rotating(), &["a"]).await;
    let a = &nodes.0[0];
    let before = a.ask(app("hunter2"), client_credentials()).await.unwrap();
    let (access, kept) = (before.access_token.0, before.refresh_token.unwrap());
    nodes.look().await;
    a.introspects(&access).await.unwrap();
    cut_off(&nodes, 0).await;
    for after in [Duration::ZERO, GRACE / 2] {
        nodes.clock().advance(after);
        let given = a.token().await.unwrap();
        assert!(given.issued.outage, "it is marked in the log");
        assert_eq!(a.ask(app("hunter2"), refresh(&kept)).await.unwrap_err(), Refusal::Unavailable);
        assert_eq!(a.introspects(&access).await.unwrap_err(), Refusal::Unavailable);
        assert_eq!(a.revokes(&access).await.unwrap_err(), Refusal::Unavailable);
        let stranger = a.ask(secrets(&[("stranger", "hunter2")]), client_credentials()).await;
        assert_eq!(stranger.unwrap_err(), Refusal::Unavailable, "our fault is never told as theirs");
        let perhaps_new = a.ask(app("wrong"), client_credentials()).await;
        assert_eq!(perhaps_new.unwrap_err(), Refusal::Unavailable, "the secret may have been added meanwhile");
    }
    nodes.clock().advance(GRACE);
    assert_eq!(a.token().await.unwrap_err(), Refusal::Unavailable);
    a.faults.set_down(false);
    nodes.look().await;
    assert!(!a.token().await.unwrap().issued.outage);
    assert!(a.introspects(&access).await.unwrap(), "nothing of what was refused was done");
    a.ask(app("hunter2"), refresh(&kept)).await.unwrap();
}

#[tokio::test]
async fn a_revocation_of_which_nothing_was_written_makes_the_node_forget_nobody() {
    let nodes = Nodes::of(&rotating(), &["a"]).await;
    let a = &nodes.0[0];
    let before = a.ask(app("hunter2"), client_credentials()).await.unwrap();
    let kept = before.refresh_token.unwrap();
    nodes.look().await;
    a.faults.set_down(true);
    // What it knows is still fresh, so the node tries.
    assert_eq!(a.revokes(&before.access_token.0).await.unwrap_err(), Refusal::Unavailable);
    assert_eq!(a.revokes(kept.expose()).await.unwrap_err(), Refusal::Unavailable);
    cut_off(&nodes, 0).await;
    assert!(a.token().await.unwrap().issued.outage, "the client is still known");
}

#[tokio::test]
async fn a_secret_that_was_wrong_without_the_database_is_no_failure_afterwards_and_guesses_have_a_bound() {
    let nodes = Nodes::of(&acme("standard"), &["a"]).await;
    let a = &nodes.0[0];
    a.token().await.unwrap();
    nodes.look().await;
    cut_off(&nodes, 0).await;
    for _ in 0..20 {
        let perhaps_new = a.ask(app("wrong"), client_credentials()).await;
        assert_eq!(perhaps_new.unwrap_err(), Refusal::Unavailable);
    }
    assert_eq!(a.token().await.unwrap_err(), Refusal::Unavailable, "who guesses is not told that this one is right");
    a.faults.set_down(false);
    nodes.look().await;
    a.token().await.unwrap();
}

#[tokio::test]
async fn without_the_database_nobody_logs_in_and_no_kept_refresh_token_is_taken() {
    let nodes = Nodes::of(&people(), &["a"]).await;
    let a = &nodes.0[0];
    let kept = a.ask(app("hunter2"), login("old")).await.unwrap().refresh_token.unwrap();
    nodes.look().await;
    cut_off(&nodes, 0).await;
    assert_eq!(a.ask(app("hunter2"), login("old")).await.unwrap_err(), Refusal::Unavailable);
    assert_eq!(a.ask(app("hunter2"), refresh(&kept)).await.unwrap_err(), Refusal::Unavailable);
    a.faults.set_down(false);
    nodes.look().await;
    let again = a.ask(app("hunter2"), refresh(&kept)).await.unwrap().refresh_token.unwrap();
    assert_eq!(again.expose(), kept.expose());
}

#[tokio::test]
async fn without_the_database_the_live_token_that_is_held_goes_on_and_no_other_is_made() {
    let nodes = Nodes::of(&acme("pomelo"), &["a", "b"]).await;
    let [a, b] = &nodes.0[..] else { panic!() };
    let live = a.token().await.unwrap().access_token.0;
    let slot = b.rules().node.slot(&issuer());
    b.rules().node.issuer(&slot).await.unwrap();
    b.rules().node.client(&slot, &app_id()).await.unwrap();
    nodes.look().await;
    cut_off(&nodes, 0).await;
    cut_off(&nodes, 1).await;
    let again = a.token().await.unwrap();
    assert!(again.access_token.0 == live && again.issued.reused && again.issued.outage);
    assert_eq!(b.token().await.unwrap_err(), Refusal::Unavailable, "it would have to be kept first");
}

#[tokio::test]
async fn what_was_given_out_without_the_database_to_whom_others_ended_meanwhile_is_dead_afterwards() {
    for behind in [false, true] {
        let nodes = Nodes::of(&with_introspection(&acme("standard")), &["a", "b"]).await;
        let [a, b] = &nodes.0[..] else { panic!() };
        for node in &nodes.0 {
            node.token().await.unwrap();
        }
        nodes.look().await;
        cut_off(&nodes, 1).await;
        a.look().await;
        let ended = nodes.during(&[0], a.operator.client_disable(&root(), (&issuer(), &app_id()), false)).await;
        ended.unwrap();
        nodes.clock().advance(Duration::from_secs(20));
        a.look().await;
        let given = b.token().await.unwrap();
        a.operator.client_enable(&root(), &issuer(), &app_id()).await.unwrap();
        if behind {
            // Its changes are gone before it is back.
            use ficha_core::ports::UpkeepStore;
            a.store.purge(nodes.clock().now() + Seconds::days(2), 100).await.unwrap();
        }
        assert!(a.introspects(&given.access_token.0).await.unwrap(), "it is younger than the mark");
        b.faults.set_down(false);
        b.look().await;
        a.look().await;
        assert!(!b.rules().feed.is_away());
        for node in &nodes.0 {
            assert!(!node.introspects(&given.access_token.0).await.unwrap(), "behind: {behind}");
        }
        // It may go on as before.
        nodes.clock().advance(Duration::from_secs(3));
        nodes.look().await;
        let after = nodes.during(&[0, 1], b.token()).await.unwrap();
        assert!(a.introspects(&after.access_token.0).await.unwrap());
    }
}

#[tokio::test]
async fn what_was_given_out_without_the_database_to_whom_nothing_happened_stays_good() {
    let nodes = Nodes::of(&with_introspection(&acme("standard")), &["a"]).await;
    let a = &nodes.0[0];
    a.token().await.unwrap();
    nodes.look().await;
    cut_off(&nodes, 0).await;
    let given = a.token().await.unwrap();
    a.faults.set_down(false);
    nodes.look().await;
    assert!(a.introspects(&given.access_token.0).await.unwrap());
}

#[tokio::test]
async fn a_refresh_whose_connection_is_cut_at_commit_gets_its_successor_when_it_is_sent_again() {
    for cut in [Cut::Before, Cut::After] {
        let nodes = Nodes::of(&rotating(), &["a", "b"]).await;
        let [a, b] = &nodes.0[..] else { panic!() };
        let first = a.ask(app("hunter2"), client_credentials()).await.unwrap().refresh_token.unwrap();
        nodes.look().await;
        a.faults.cut_next_write(cut);
        let lost = a.ask(app("hunter2"), refresh(&first)).await;
        assert_eq!(lost.unwrap_err(), Refusal::Unavailable, "{cut:?}");
        nodes.clock().advance(Duration::from_secs(3));
        nodes.look().await;
        let successor = b.ask(app("hunter2"), refresh(&first)).await.unwrap().refresh_token.unwrap();
        let again = a.ask(app("hunter2"), refresh(&first)).await.unwrap().refresh_token.unwrap();
        assert_eq!(again.expose(), successor.expose(), "{cut:?}");
        b.ask(app("hunter2"), refresh(&successor)).await.unwrap();
    }
}

#[tokio::test]
async fn a_revocation_whose_connection_is_cut_at_commit_is_whole_or_not_there_and_may_be_sent_again() {
    for cut in [Cut::Before, Cut::After] {
        let nodes = Nodes::of(&rotating(), &["a", "b"]).await;
        let [a, b] = &nodes.0[..] else { panic!() };
        let given = a.ask(app("hunter2"), client_credentials()).await.unwrap();
        let (access, kept) = (given.access_token.0, given.refresh_token.unwrap());
        nodes.look().await;
        for token in [&*access, kept.expose()] {
            a.faults.cut_next_write(cut);
            assert_eq!(a.revokes(token).await.unwrap_err(), Refusal::Unavailable);
            b.look().await;
            nodes.during(&[0, 1], a.revokes(token)).await.unwrap();
            assert!(!b.introspects(&access).await.unwrap());
        }
        assert!(b.ask(app("hunter2"), refresh(&kept)).await.is_err());
    }
}

#[tokio::test]
async fn an_act_whose_connection_is_cut_at_commit_says_so_and_this_node_knows_of_it() {
    let nodes = Nodes::of(&acme("standard"), &["a"]).await;
    let a = &nodes.0[0];
    a.token().await.unwrap();
    nodes.look().await;
    a.faults.cut_next_write(Cut::After);
    let lost = a.operator.client_disable(&root(), (&issuer(), &app_id()), false).await.unwrap_err();
    assert!(matches!(lost, ficha_core::operator::OperatorError::Store(StoreError::OutcomeUnknown(_))), "{lost:?}");
    assert!(a.token().await.is_err());
}

#[tokio::test]
async fn a_live_token_whose_connection_is_cut_at_commit_is_one_all_the_same() {
    for cut in [Cut::Before, Cut::After] {
        let nodes = Nodes::of(&acme("pomelo"), &["a", "b"]).await;
        let [a, b] = &nodes.0[..] else { panic!() };
        a.faults.cut_next_write(cut);
        assert_eq!(a.token().await.unwrap_err(), Refusal::Unavailable);
        let live = b.token().await.unwrap().access_token.0;
        assert_eq!(a.token().await.unwrap().access_token.0, live, "{cut:?}");
    }
}
