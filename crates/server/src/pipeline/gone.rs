//! Callers who go before they are answered, and requests that are overtaken by a change.

use std::pin::pin;

use ficha_core::{
    operator::Marking,
    token::{Introspection, look},
};
use futures_util::poll;

use super::{nodes::with_introspection, *};

/// Lets `act` begin, and leaves as soon as it has something to write.
async fn leave(bench: &Bench, act: impl Future) {
    let (before, mut act) = (bench.faults.writes(), pin!(act));
    while bench.faults.writes() == before {
        assert!(poll!(&mut act).is_pending(), "it has written nothing yet");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What somebody who has gone began comes to its end by itself.
async fn comes(what: &str, mut there: impl AsyncFnMut() -> bool) {
    for _ in 0..5_000 {
        if there().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{what}");
}

#[tokio::test]
async fn what_was_revoked_for_somebody_who_did_not_wait_is_revoked() {
    let bench = Bench::of(&with_introspection(&acme("pomelo"))).await;
    let token = bench.token().await.unwrap().access_token.0;
    assert!(bench.introspects(&token).await.unwrap());
    leave(&bench, bench.revokes(&token)).await;
    comes("introspection calls it good still", async || !bench.introspects(&token).await.unwrap()).await;
    assert_ne!(bench.token().await.unwrap().access_token.0, token, "and it is not handed out again");
}

#[tokio::test]
async fn a_replay_whose_sender_did_not_wait_revokes_the_family() {
    let text = acme("leancore").replace("\"client_credentials\"", "\"client_credentials\", \"refresh_token\"");
    let bench = Bench::of(&with_introspection(&text)).await;
    let first = bench.token().await.unwrap();
    let used = first.refresh_token.unwrap();
    let again = |token: &Secret| GrantRequest::RefreshToken {
        token: Secret::new(token.expose().to_owned()),
        scope: None,
        target: Target::default(),
    };
    let second = bench.ask(app("hunter2"), again(&used)).await.unwrap();
    bench.ask(app("hunter2"), again(&second.refresh_token.unwrap())).await.unwrap();
    assert!(bench.introspects(&second.access_token.0).await.unwrap());
    leave(&bench, bench.ask(app("hunter2"), again(&used))).await;
    let dead = async || !bench.introspects(&second.access_token.0).await.unwrap();
    comes("introspection calls its tokens good still", dead).await;
}

#[tokio::test]
async fn a_client_that_was_disabled_by_somebody_who_did_not_wait_is_disabled() {
    let bench = Bench::with("standard").await;
    bench.token().await.unwrap();
    leave(&bench, bench.operator.client_disable(&root(), (&issuer(), &app_id()), false)).await;
    comes("it is given tokens still", async || bench.token().await.is_err()).await;
}

/// Who asked while the issuer was as before may be told so, and nobody after that.
#[tokio::test]
async fn what_was_found_with_the_issuer_as_it_was_is_not_remembered_of_the_issuer_as_it_is() {
    for withdraw in [false, true] {
        let bench = Bench::with("standard").await;
        let token = bench.token().await.unwrap().access_token.0;
        let (before, ask) = (bench.place().await, async |place: &Place| {
            let api = place.issuer.apis.iter().find(|api| api.name.as_str() == "cards").unwrap().clone();
            matches!(look(bench.rules(), place, &api, &token).await, Ok(Introspection::Active(_)))
        });
        if withdraw {
            let kid = bench.operator.keys(&issuer()).await.unwrap()[0].kid.parse().unwrap();
            bench.operator.key_withdraw(&root(), &issuer(), &kid).await.unwrap();
        } else {
            bench.operator.token_revoke_all(&root(), &issuer(), &Marking::Issuer).await.unwrap();
        }
        ask(&before).await;
        assert!(!ask(&bench.place().await).await, "withdraw: {withdraw}");
    }
}
