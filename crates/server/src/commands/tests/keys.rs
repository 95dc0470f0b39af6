use ficha_core::{
    operator::{KeyInfo, KeyScope, OperatorError},
    records::KeyState,
    upkeep::rotate_keys::rotate_due,
};
use ficha_types::Kid;

use super::*;

async fn states(bench: &Bench) -> Vec<(String, KeyState)> {
    bench.operator.keys(&issuer()).await.unwrap().into_iter().map(|k| (k.kid, k.state)).collect()
}

async fn rotate(bench: &Bench, now: bool) -> Result<Vec<KeyInfo>, OperatorError> {
    bench.operator.key_rotate(&root(), &issuer(), &KeyScope { now, ..KeyScope::default() }).await
}

/// An issuer whose keys are `k1`, `k2`, …: the numbered names of a dialect.
async fn numbered() -> Bench {
    let bench = Bench::new();
    bench.apply(&acme("deyel").replace("client_credentials", "password")).await.unwrap();
    bench
}

fn kid(text: &str) -> Kid {
    text.parse().unwrap()
}

fn state<'s>(states: &'s [(String, KeyState)], kid: &str) -> Option<&'s KeyState> {
    states.iter().find(|(k, _)| k == kid).map(|(_, state)| state)
}

#[tokio::test]
async fn a_successor_is_published_a_day_before_it_signs_and_the_old_key_goes_when_its_tokens_have_expired() {
    let bench = numbered().await;
    let made = rotate(&bench, false).await.unwrap();
    assert_eq!(made.iter().map(|k| k.kid.as_str()).collect::<Vec<_>>(), ["k2", "k2/refresh"]);
    assert_eq!(bench.place().await.issuer.keys.published().keys().len(), 2, "published at once");
    assert_eq!(rotate_due(bench.rules(), &issuer()).await.unwrap(), 0);
    assert!(matches!(rotate(&bench, false).await, Err(OperatorError::Refused { .. })), "one successor at a time");

    bench.clock.advance(Duration::from_hours(24));
    assert_eq!(rotate_due(bench.rules(), &issuer()).await.unwrap(), 4);
    let now = states(&bench).await;
    assert_eq!((state(&now, "k1"), state(&now, "k2")), (Some(&KeyState::Retiring), Some(&KeyState::Active)));

    // Deyel's access tokens live a day, its refresh tokens thirty; verifiers have a minute of leeway.
    bench.clock.advance(Duration::from_secs(86_400 + 61));
    rotate_due(bench.rules(), &issuer()).await.unwrap();
    let now = states(&bench).await;
    assert_eq!((state(&now, "k1"), state(&now, "k1/refresh")), (None, Some(&KeyState::Retiring)));
    bench.clock.advance(Duration::from_hours(24 * 30));
    rotate_due(bench.rules(), &issuer()).await.unwrap();
    assert_eq!(states(&bench).await.len(), 2);
}

#[tokio::test]
async fn now_means_at_once() {
    let bench = Bench::with("standard").await;
    let before = bench.token("hunter2").await.unwrap();
    let made = rotate(&bench, true).await.unwrap();
    assert_eq!(made[0].state, KeyState::Active);
    let after = bench.token("hunter2").await.unwrap();
    assert!(after.access_token.0.starts_with("ey"));
    assert_ne!(before.access_token.0.split('.').next(), after.access_token.0.split('.').next(), "another kid");
    assert_eq!(bench.against(&before).await, Vec::<String>::new(), "what the old key signed is still good");
}

#[tokio::test]
async fn a_withdrawn_key_takes_its_tokens_along_and_no_number_comes_twice() {
    let bench = Bench::with("pomelo").await;
    let before = bench.token("hunter2").await.unwrap();
    let key = bench.operator.keys(&issuer()).await.unwrap().remove(0);
    let gone = bench.operator.key_withdraw(&root(), &issuer(), &kid(&key.kid)).await.unwrap();
    assert!(gone.successor.is_some_and(|s| s.state == KeyState::Active));
    assert_eq!(bench.against(&before).await.len(), 1);
    let after = bench.token("hunter2").await.unwrap();
    assert_ne!(before.access_token.0, after.access_token.0, "the live token is replaced");

    let bench = numbered().await;
    let gone = bench.operator.key_withdraw(&root(), &issuer(), &kid("k1")).await.unwrap();
    assert_eq!(gone.successor.unwrap().kid, "k2");
    let scope = KeyScope { api: Some("cards".parse().unwrap()), ..KeyScope::default() };
    let made = bench.operator.key_rotate(&root(), &issuer(), &scope).await.unwrap();
    assert_eq!(made[0].kid, "k3");
    let gone = bench.operator.key_withdraw(&root(), &issuer(), &kid("k3")).await.unwrap().successor.unwrap();
    assert_eq!((gone.kid.as_str(), gone.state), ("k4", KeyState::Next));
    // The one that waits takes the signer's place.
    let gone = bench.operator.key_withdraw(&root(), &issuer(), &kid("k2")).await.unwrap().successor.unwrap();
    assert_eq!((gone.kid.as_str(), gone.state), ("k4", KeyState::Active));
}

#[tokio::test]
async fn an_apis_secret_is_made_exported_and_promoted_in_that_order() {
    let bench = Bench::with("leancore").await;
    let (actor, name) = (root(), issuer());
    let made = rotate(&bench, false).await.unwrap();
    assert_eq!((made[0].kid.as_str(), made[0].since, made[0].exported), ("hs2", None, Some(false)));
    bench.clock.advance(Duration::from_hours(24 * 365));
    assert_eq!(rotate_due(bench.rules(), &name).await.unwrap(), 0, "it never signs by itself");
    let early = bench.operator.key_promote(&actor, &name, &kid("hs2")).await;
    assert!(matches!(early, Err(OperatorError::Refused { .. })));

    let cards = "cards".parse().unwrap();
    let exported = bench.operator.key_export(&actor, &name, (None, Some(&cards))).await.unwrap();
    assert_eq!((exported.kid.as_str(), exported.secret.expose().len()), ("hs2", 43));
    bench.operator.key_promote(&actor, &name, &kid("hs2")).await.unwrap();
    let now = states(&bench).await;
    assert_eq!(now, [("hs1".to_owned(), KeyState::Retiring), ("hs2".to_owned(), KeyState::Active)]);
    assert!(matches!(rotate(&bench, false).await, Err(OperatorError::Refused { .. })), "verifiers hold two");

    // What was exported is what signs.
    let token = bench.token("hunter2").await.unwrap().access_token.0;
    let secret =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, exported.secret.expose()).unwrap();
    let key = ficha_jose::VerifyingKey::from_secret(&secret).unwrap();
    assert!(ficha_jose::Compact::parse(&token).unwrap().verify_with(&key));
    let audit = bench.store().audit(&name, 10).await.unwrap();
    assert!(audit.iter().any(|e| e.action == "key.export" && e.subject == "hs2" && e.actor == "uid:0"));
    assert!(!format!("{audit:?}").contains(exported.secret.expose()));
}

#[tokio::test]
async fn a_private_key_is_never_exported() {
    let bench = Bench::with("standard").await;
    let key = bench.operator.keys(&issuer()).await.unwrap().remove(0);
    let refused = bench.operator.key_export(&root(), &issuer(), (Some(&kid(&key.kid)), None)).await;
    assert!(matches!(refused, Err(OperatorError::Refused { .. })), "{refused:?}");
}
