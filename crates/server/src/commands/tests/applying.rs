use ficha_core::{
    operator::{DeclaredPassword, Effect, OperatorError},
    ports::{Commit, Edit, Expect, Page},
    records::{KeyState, PasswordHash, Status},
};
use ficha_types::Secret;

use super::*;

/// bcrypt of `password`, cost 4.
const IMPORTED: &str = "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie";

fn with_user(password: &str) -> String {
    format!("{}\n[[issuer.user]]\nname = \"ana\"\npassword = {password}\n", acme("deyel"))
}

async fn ana(bench: &Bench) -> ficha_core::records::User {
    bench.rules().clients.user(&issuer(), &"ana".parse().unwrap()).await.unwrap().unwrap().user
}

#[tokio::test]
async fn applying_twice_changes_nothing() {
    let bench = Bench::new();
    let text = with_user("{ file = \"geheim\" }")
        .replace("grants = [\"client_credentials\"]", "grants = [\"password\", \"refresh_token\"]");
    let first = bench.apply(&text).await.unwrap();
    assert!(first.steps.iter().all(|step| step.effect == Effect::Add), "{first:?}");
    let before = bench.rules().clients.issuer(&issuer()).await.unwrap().unwrap();
    let second = bench.apply(&text).await.unwrap();
    assert_eq!((second.steps.len(), second.unchanged), (0, 4), "{second:?}");
    let after = bench.rules().clients.issuer(&issuer()).await.unwrap().unwrap();
    assert_eq!((after.change, after.configured), (before.change, before.configured));
}

#[tokio::test]
async fn a_plan_writes_nothing() {
    let bench = Bench::new();
    let plan = bench.operator.apply(&root(), &declared(&acme("standard")), false).await.unwrap();
    assert!(!plan.applied && plan.steps.len() == 4, "{plan:?}");
    assert!(bench.rules().clients.issuers(Page { after: String::new(), limit: 9 }).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_declaration_tells_every_problem_with_its_line_and_writes_nothing() {
    let bench = Bench::new();
    let text = acme("standard")
        .replace("grants = [\"client_credentials\"]", "grants = [\"password\"]")
        .replace(
            "scopes = { cards = [\"cards:read\", \"cards:write\"] }",
            "scopes = { cards = [\"cards:fly\"], users = [] }",
        )
        .replace("https://auth", "http://auth");
    let Err(OperatorError::Declaration(problems)) = bench.apply(&text).await else { panic!("it was applied") };
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    for expected in [
        "a.toml:5: issuer.base_urls: http://auth.example.com: expected https",
        "a.toml:15: issuer.client.grants: no dialect of the issuer has the grant password",
        "a.toml:16: issuer.client.scopes.cards: the API cards does not declare the scope cards:fly",
        "a.toml:16: issuer.client.scopes.users: there is no API users",
    ] {
        assert!(told.iter().any(|p| p.starts_with(expected)), "{expected}: {told:#?}");
    }
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(bench.rules().clients.issuers(Page { after: String::new(), limit: 9 }).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_base_url_of_another_issuer_is_refused() {
    let bench = Bench::with("standard").await;
    let text = acme("standard").replace("name = \"acme\"", "name = \"other\"");
    let Err(OperatorError::Declaration(problems)) = bench.apply(&text).await else { panic!("it was applied") };
    assert!(problems[0].message.contains("of the issuer acme too"), "{problems:?}");
}

#[tokio::test]
async fn an_issuer_is_made_with_the_keys_that_its_dialect_and_its_apis_need() {
    for (dialect, keys, published) in [("standard", 1, 1), ("leancore", 1, 0), ("deyel", 2, 1), ("pomelo", 1, 1)] {
        let bench = Bench::new();
        let text = acme(dialect).replace("grants = [\"client_credentials\"]", "grants = [\"refresh_token\"]");
        let text = if dialect == "pomelo" { acme(dialect) } else { text };
        bench.apply(&text).await.unwrap();
        let rows = bench.rules().clients.issuer(&issuer()).await.unwrap().unwrap();
        assert_eq!((rows.keys.len(), rows.sealing.len()), (keys, 5), "{dialect}");
        assert!(rows.keys.iter().all(|key| key.state == KeyState::Active && key.since == NOON));
        assert_eq!(bench.place().await.issuer.keys.published().keys().len(), published, "{dialect}");
        if dialect == "deyel" {
            let kids: Vec<_> = rows.keys.iter().map(|key| key.kid.as_str()).collect();
            assert_eq!(kids, ["k1", "k1/refresh"]);
        }
    }
}

#[tokio::test]
async fn an_imported_hash_that_a_login_upgraded_is_not_taken_back() {
    let bench = Bench::new();
    let text = with_user(&format!("\"{IMPORTED}\"")).replace("client_credentials", "password");
    bench.apply(&text).await.unwrap();
    let user = ana(&bench).await;
    assert_eq!(user.password.expose(), IMPORTED);
    let better = PasswordHash::new("$argon2id$v=19$m=19456,t=2,p=1$better".into());
    let edit = Edit::UpgradePassword { name: user.name.clone(), from: user.password, to: better.clone() };
    let commit = Commit { issuer: issuer(), edits: vec![edit], expect: Expect::Any, audit: Vec::new(), now: NOON };
    bench.store().commit(commit).await.unwrap();

    assert_eq!(bench.apply(&text).await.unwrap().steps, []);
    assert_eq!(ana(&bench).await.password, better);
    // Another hash is another password.
    let other = IMPORTED.replace("xcie", "ycie");
    let plan = bench.apply(&text.replace(IMPORTED, &other)).await.unwrap();
    assert_eq!(plan.steps[0].details[0], "password");
    assert_eq!(ana(&bench).await.password.expose(), other);
}

#[tokio::test]
async fn a_password_that_was_set_since_survives_the_hash_of_the_file() {
    let bench = Bench::new();
    let text = with_user(&format!("\"{IMPORTED}\"")).replace("client_credentials", "password");
    bench.apply(&text).await.unwrap();
    let name = "ana".parse().unwrap();
    let new = DeclaredPassword::Plain(Secret::new("neu".into()));
    bench.operator.user_password(&root(), (&issuer(), &name), (&new, false)).await.unwrap();
    assert_eq!(bench.apply(&text).await.unwrap().steps, []);
    let hash = ana(&bench).await.password;
    assert!(bench.rules().passwords.check(Secret::new("neu".into()), Some(&hash)).await.unwrap().right);
}

#[tokio::test]
async fn a_hash_that_nobody_can_check_is_refused_and_not_repeated() {
    let bench = Bench::new();
    let text = with_user("\"$md5$Tr0ub4dor\"").replace("client_credentials", "password");
    let Err(OperatorError::Declaration(problems)) = bench.apply(&text).await else { panic!("it was applied") };
    assert_eq!((problems.len(), problems[0].key.as_str()), (1, "issuer.user.password.hash"));
    assert!(!problems[0].message.contains("Tr0ub4dor"));
}

#[tokio::test]
async fn what_is_not_declared_stays_and_so_does_what_was_disabled() {
    let bench = Bench::with("standard").await;
    let (app, actor) = ("app".parse().unwrap(), root());
    bench
        .operator
        .client_secret_add(&actor, (&issuer(), &app), &ficha_core::operator::NewSecret::default())
        .await
        .unwrap();
    bench.operator.client_disable(&actor, (&issuer(), &app), false).await.unwrap();
    assert_eq!(bench.apply(&acme("standard")).await.unwrap().steps, []);
    let other = acme("standard").replace("id = \"app\"", "id = \"other\"");
    bench.apply(&other).await.unwrap();
    let clients = bench.store().clients(&issuer(), Page { after: String::new(), limit: 10 }).await.unwrap();
    let said: Vec<_> = clients.iter().map(|c| (c.id.as_str(), c.status, c.secrets.len())).collect();
    assert_eq!(said, [("app", Status::Disabled, 2), ("other", Status::Enabled, 1)]);
}

#[tokio::test]
async fn a_third_secret_is_a_problem_of_its_line_before_anything_is_written() {
    let bench = Bench::with("standard").await;
    let app = "app".parse().unwrap();
    bench
        .operator
        .client_secret_add(&root(), (&issuer(), &app), &ficha_core::operator::NewSecret::default())
        .await
        .unwrap();
    let text = acme("standard")
        .replace(HUNTER2, &"ab".repeat(32))
        .replace("\"cards:write\"]\n", "\"cards:write\", \"cards:fly\"]\n");
    let Err(OperatorError::Declaration(problems)) = bench.apply(&text).await else { panic!("it was applied") };
    assert_eq!((problems.len(), problems[0].key.as_str(), problems[0].line), (1, "issuer.client.secrets", 14));
    assert_eq!(bench.operator.api(&issuer(), &"cards".parse().unwrap()).await.unwrap().scopes.len(), 2);
}

#[tokio::test]
async fn another_algorithm_brings_its_key_and_the_old_one_retires_by_itself() {
    let bench = Bench::with("standard").await;
    let text = acme("standard").replace("audience", "algorithm = \"EdDSA\"\naudience");
    let plan = bench.apply(&text).await.unwrap();
    let said: Vec<_> = plan.steps.iter().map(|s| (s.effect, s.kind.as_str(), s.name.as_str())).collect();
    assert_eq!(said, [(Effect::Change, "api", "cards"), (Effect::Add, "key", "EdDSA")]);
    bench.token("hunter2").await.unwrap();
    ficha_core::upkeep::rotate_keys::rotate_due(bench.rules(), &issuer()).await.unwrap();
    let keys = bench.operator.keys(&issuer()).await.unwrap();
    let states: Vec<_> = keys.iter().map(|k| (k.algorithm.as_str(), k.state)).collect();
    assert!(
        states.contains(&("ES256", KeyState::Retiring)) && states.contains(&("EdDSA", KeyState::Active)),
        "{states:?}"
    );
}
