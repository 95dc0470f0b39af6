//! Changes that come while a request is under way.

use ficha_core::operator::{DeclaredPassword, Marking};

use super::*;

/// Lets what was spawned go on until it waits.
async fn settled() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// A token request that waits for the clock to pass a mark.
async fn waiting(bench: &Arc<Bench>) -> tokio::task::JoinHandle<Result<TokenAnswer, Refusal>> {
    let whose = Marking::Client { id: app_id(), api: None };
    bench.operator.token_revoke_all(&root(), &issuer(), &whose).await.unwrap();
    let asking = tokio::spawn({
        let bench = bench.clone();
        async move { bench.token().await }
    });
    settled().await;
    assert!(!asking.is_finished(), "it waits");
    asking
}

#[tokio::test]
async fn a_request_that_waits_gets_no_token_once_its_client_was_disabled() {
    let bench = Arc::new(Bench::with("standard").await);
    let asking = waiting(&bench).await;
    bench.operator.client_disable(&root(), (&issuer(), &app_id()), false).await.unwrap();
    bench.clock.advance(Duration::from_secs(1));
    let refused = asking.await.unwrap();
    assert!(refused.is_err(), "the client was disabled before the token was made");
}

#[tokio::test]
async fn a_request_that_waits_gets_a_token_when_nothing_changed_but_a_mark() {
    let bench = Arc::new(Bench::with("standard").await);
    let asking = waiting(&bench).await;
    let whose = Marking::Client { id: app_id(), api: None };
    bench.operator.token_revoke_all(&root(), &issuer(), &whose).await.unwrap();
    bench.clock.advance(Duration::from_secs(1));
    let token = asking.await.unwrap().unwrap();
    assert_eq!(bench.against(&token).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_live_token_of_a_withdrawn_key_is_replaced_though_it_was_kept_after_the_withdrawal() {
    let bench = Arc::new(Bench::with("pomelo").await);
    let asking = waiting(&bench).await;
    let kid = bench.operator.keys(&issuer()).await.unwrap()[0].kid.parse().unwrap();
    bench.operator.key_withdraw(&root(), &issuer(), &kid).await.unwrap();
    bench.clock.advance(Duration::from_secs(1));
    let made_meanwhile = asking.await.unwrap().unwrap();
    assert_eq!(bench.against(&made_meanwhile).await.len(), 1, "no key knows it any more");
    let token = bench.token().await.unwrap();
    assert_eq!(bench.against(&token).await, Vec::<String>::new());
    assert_eq!(bench.token().await.unwrap().access_token.0, token.access_token.0, "it is the live one");
}

#[tokio::test]
async fn a_login_that_waits_gets_no_token_once_its_password_was_changed() {
    let bench = Arc::new(Bench::of(&people()).await);
    let whose = Marking::Client { id: app_id(), api: None };
    bench.operator.token_revoke_all(&root(), &issuer(), &whose).await.unwrap();
    let asking = tokio::spawn({
        let bench = bench.clone();
        async move { bench.ask(app("hunter2"), login("old")).await }
    });
    settled().await;
    let new = DeclaredPassword::Plain(Secret::new("new".into()));
    // It is hashed behind the old one: by then the login waits for the mark.
    bench.operator.user_password(&root(), (&issuer(), &"ana".parse().unwrap()), (&new, false)).await.unwrap();
    assert!(!asking.is_finished(), "it waits");
    bench.clock.advance(Duration::from_secs(1));
    assert!(asking.await.unwrap().is_err(), "the password was changed before the token was made");
}
