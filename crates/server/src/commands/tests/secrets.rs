use ficha_core::{
    Refusal,
    operator::{NewClient, NewSecret, OperatorError, SecretSource, is_generated},
    records::SecretOrigin,
};
use ficha_types::{AuthMethod, ClientId, GrantKind};

use super::*;

fn app() -> ClientId {
    "app".parse().unwrap()
}

fn new_client(id: &str) -> NewClient {
    NewClient {
        id: id.parse().unwrap(),
        grants: [GrantKind::ClientCredentials].into(),
        scopes: [].into(),
        whole_apis: ["cards".parse().unwrap()].into(),
        auth_methods: None,
        refresh_without_secret: false,
        properties: [].into(),
        max_per_second: None,
        secret: NewSecret::default(),
    }
}

#[tokio::test]
async fn two_secrets_work_until_one_is_removed_and_a_third_is_refused() {
    let bench = Bench::with("standard").await;
    let (actor, name) = (root(), issuer());
    let shown = bench.operator.client_secret_add(&actor, (&name, &app()), &NewSecret::default()).await.unwrap();
    let made = shown.secret.unwrap();
    assert!(is_generated(made.expose()));
    bench.token("hunter2").await.unwrap();
    bench.token(made.expose()).await.unwrap();

    let third = bench.operator.client_secret_add(&actor, (&name, &app()), &NewSecret::default()).await;
    assert!(matches!(third, Err(OperatorError::Refused { .. })), "{third:?}");
    let secrets = bench.operator.client_secrets(&name, &app()).await.unwrap();
    let hour = UnixSeconds(NOON.0 - NOON.0 % 3600);
    let told: Vec<_> = secrets.iter().map(|s| (s.origin, s.last_used)).collect();
    assert_eq!(told, [(SecretOrigin::Chosen, Some(hour)), (SecretOrigin::Generated, Some(hour))]);

    bench.operator.client_secret_remove(&actor, (&name, &app()), &secrets[0].id).await.unwrap();
    assert!(matches!(bench.token("hunter2").await, Err(Refusal::Client(_))));
    bench.token(made.expose()).await.unwrap();
    let gone = bench.operator.client_secret_remove(&actor, (&name, &app()), "none").await;
    assert!(matches!(gone, Err(OperatorError::Refused { .. })));
}

#[tokio::test]
async fn a_change_of_secrets_ends_the_live_token() {
    let bench = Bench::with("pomelo").await;
    let first = bench.token("hunter2").await.unwrap();
    assert_eq!(bench.token("hunter2").await.unwrap().access_token.0, first.access_token.0);
    bench.operator.client_secret_add(&root(), (&issuer(), &app()), &NewSecret::default()).await.unwrap();
    assert_ne!(bench.token("hunter2").await.unwrap().access_token.0, first.access_token.0);
}

#[tokio::test]
async fn a_new_client_gets_a_secret_that_works_and_every_scope_of_the_api() {
    let bench = Bench::with("standard").await;
    let shown = bench.operator.client_add(&root(), &issuer(), &new_client("new")).await.unwrap();
    assert!(shown.secret.is_some_and(|s| is_generated(s.expose())));
    let client = bench.operator.client(&issuer(), &"new".parse().unwrap()).await.unwrap();
    assert_eq!(client.scopes["cards"], ["cards:read", "cards:write"]);
    let again = bench.operator.client_add(&root(), &issuer(), &new_client("new")).await;
    assert!(matches!(again, Err(OperatorError::Refused { .. })));
    let api = bench.operator.client_add(&root(), &issuer(), &new_client("cards")).await;
    assert!(matches!(api, Err(OperatorError::Store(_))), "the name of an API: {api:?}");
    let grant = NewClient { grants: [GrantKind::Password].into(), ..new_client("third") };
    let grant = bench.operator.client_add(&root(), &issuer(), &grant).await;
    assert!(matches!(grant, Err(OperatorError::Refused { .. })));
}

#[tokio::test]
async fn a_given_secret_travels_as_its_digest_alone() {
    let bench = Bench::with("standard").await;
    let source = SecretSource::Chosen(ficha_jose::sha256(b"Tr0ub4dor"));
    let new = NewSecret { id: Some("second".into()), source };
    let shown = bench.operator.client_secret_add(&root(), (&issuer(), &app()), &new).await.unwrap();
    assert!(shown.secret.is_none() && shown.id == "second");
    bench.token("Tr0ub4dor").await.unwrap();
}

#[tokio::test]
async fn administrators_who_act_at_the_same_time_all_get_their_way() {
    let bench = Bench::with("standard").await;
    let (actor, name) = (root(), issuer());
    let news = ["a", "b", "c", "d"].map(new_client);
    let [a, b, c, d] = news.each_ref().map(|new| bench.operator.client_add(&actor, &name, new));
    let (a, b, c, d) = tokio::join!(a, b, c, d);
    for done in [a, b, c, d] {
        done.unwrap();
    }
}

#[tokio::test]
async fn an_apis_secret_is_good_for_introspection_and_bears_its_own_prefix() {
    let bench = Bench::with("standard").await;
    let cards = "cards".parse().unwrap();
    let shown = bench.operator.api_secret_add(&root(), (&issuer(), &cards), &NewSecret::default()).await.unwrap();
    let secret = shown.secret.unwrap();
    assert!(secret.expose().starts_with("fas_"));
    let answer = bench.token("hunter2").await.unwrap();
    let who = Credentials::Secret {
        method: AuthMethod::ClientSecretBasic,
        readings: vec![Reading { id: "cards".into(), secret }],
    };
    let caller = Caller { address: [127, 0, 0, 1].into(), arrived: Duration::ZERO };
    let place = bench.place().await;
    let told =
        ficha_core::token::introspect(bench.rules(), &place, &caller, (&who, &answer.access_token.0)).await.unwrap();
    assert!(matches!(told.1, ficha_core::token::Introspection::Active(_)));
}
