//! Who guesses is slowed, and learns nothing by the time that an answer takes.

use ficha_core::{client_auth::authenticate, token::revoke_token};
use tokio::task::JoinHandle;

use super::*;

/// A client of a generated secret, and that secret.
async fn generated(bench: &Bench, id: &str) -> String {
    let new = serde_json::json!({ "id": id, "grants": ["client_credentials"], "whole_apis": ["cards"] });
    let new = serde_json::from_value(new).unwrap();
    let made = bench.operator.client_add(&root(), &issuer(), &new).await.unwrap();
    made.secret.unwrap().expose().to_owned()
}

/// What comes of it while time passes, however late it begins to wait.
async fn in_time<T>(bench: &Bench, asking: JoinHandle<T>) -> T {
    while !asking.is_finished() {
        bench.clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    asking.await.unwrap()
}

#[tokio::test]
async fn a_right_generated_secret_is_never_kept_waiting_whichever_reading_it_is() {
    let bench = Bench::with("standard").await;
    let secret = generated(&bench, "my app").await;
    let readings = |secret| secrets(&[("my+app", secret), ("my app", secret)]);
    for _ in 0..20 {
        assert!(bench.ask(readings("wrong"), client_credentials()).await.is_err());
    }
    bench.ask(readings(&secret), client_credentials()).await.unwrap();
    let guessed = bench.ask(readings("wrong"), client_credentials()).await;
    assert!(matches!(guessed, Err(Refusal::TooManyFailures(_))), "{guessed:?}");
}

#[tokio::test]
async fn the_refusal_of_a_user_waits_its_time_though_the_body_came_late() {
    let bench = Arc::new(Bench::of(&people()).await);
    let asking = tokio::spawn({
        let (bench, arrived) = (bench.clone(), Duration::ZERO);
        bench.clock.advance(Duration::from_secs(9));
        async move {
            let request = TokenRequest { who: app("hunter2"), grant: login("wrong") };
            exchange(bench.rules(), &bench.place().await, &Caller { address: HOME, arrived }, request).await
        }
    });
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!asking.is_finished(), "the time until its answer tells how its password was hashed");
    assert_eq!(in_time(&bench, asking).await.unwrap_err(), Refusal::User);
}

#[tokio::test]
async fn a_right_password_with_a_scope_that_is_refused_leaves_no_sooner_than_a_wrong_one() {
    let bench = Arc::new(Bench::of(&people()).await);
    let GrantRequest::Password { username, password, target, .. } = login("old") else { panic!() };
    let scope = "cards:write".parse().ok();
    let grant = GrantRequest::Password { username, password, scope, target };
    let asking = tokio::spawn({
        let bench = bench.clone();
        async move { bench.ask(app("hunter2"), grant).await }
    });
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!asking.is_finished(), "the time tells that the password was right");
    assert!(matches!(in_time(&bench, asking).await, Err(Refusal::Scope(_))));
}

#[tokio::test]
async fn who_asks_as_an_api_with_a_clients_secret_uses_up_none_of_the_clients_failures() {
    let bench = Bench::with("standard").await;
    let place = bench.place().await;
    let (caller, who) = (bench.caller(), app("hunter2"));
    let asks = || ficha_core::token::introspect(bench.rules(), &place, &caller, (&who, "x"));
    for _ in 0..10 {
        assert!(matches!(asks().await, Err(Refusal::Client(_))), "it is no API");
    }
    assert!(matches!(asks().await, Err(Refusal::TooManyFailures(_))));
    bench.token().await.unwrap();
}

#[tokio::test]
async fn a_client_does_not_refill_its_rate_by_revoking_its_own_tokens() {
    let bench = Bench::with("standard").await;
    bench.apply(&acme("standard").replace("id = \"app\"", "id = \"app\"\nmax_per_second = 4")).await;
    let place = bench.place().await;
    let mut answered = 0;
    for _ in 0..10 {
        let Ok(answer) = bench.token().await else { continue };
        answered += 1;
        let client = authenticate(bench.rules(), &place, &bench.caller(), app("hunter2")).await.unwrap();
        revoke_token(bench.rules(), &place, (&bench.caller(), &client), &answer.access_token.0).await.unwrap();
    }
    assert_eq!(answered, 2);
}

#[tokio::test]
async fn many_guesses_at_once_learn_no_more_than_one_after_the_other() {
    let bench = Arc::new(Bench::of(&people()).await);
    let guess = |password: &'static str| {
        let bench = bench.clone();
        tokio::spawn(async move { bench.ask(app("hunter2"), login(password)).await })
    };
    let wrong: Vec<_> = (0..12).map(|_| guess("wrong")).collect();
    let right = guess("old").await.unwrap();
    assert!(matches!(right, Err(Refusal::TooManyFailures(_))), "the right one came among many wrong ones: {right:?}");
    for guess in wrong {
        assert!(in_time(&bench, guess).await.is_err());
    }
}

#[tokio::test]
async fn strangers_who_know_a_clients_id_use_up_none_of_its_rate() {
    let text = people().replace("id = \"app\"", "id = \"app\"\nmax_per_second = 1\nrefresh_without_secret = true");
    let bench = Bench::of(&text).await;
    for _ in 0..5 {
        let grant = GrantRequest::RefreshToken {
            token: Secret::new("frt_made_up".into()),
            scope: None,
            target: Target::default(),
        };
        let refused = bench.ask(Credentials::Id("app".into()), grant).await;
        assert!(matches!(refused, Err(Refusal::RefreshUnknown)), "{refused:?}");
    }
    bench.ask(app("hunter2"), login("old")).await.unwrap();
    let again = bench.ask(app("hunter2"), login("old")).await;
    assert!(matches!(again, Err(Refusal::TooMany(_))), "{again:?}");
}

#[tokio::test]
async fn a_refresh_names_one_api_at_most() {
    let bench = Bench::of(&people()).await;
    let token = bench.ask(app("hunter2"), login("old")).await.unwrap().refresh_token.unwrap();
    let audience = "https://cards.example.com".to_owned();
    for (resources, good) in [(vec![audience.clone()], true), (vec![audience.clone(), audience], false)] {
        let token = Secret::new(token.expose().to_owned());
        let grant = GrantRequest::RefreshToken { token, scope: None, target: Target { audience: None, resources } };
        assert_eq!(bench.ask(app("hunter2"), grant).await.is_ok(), good);
    }
}
