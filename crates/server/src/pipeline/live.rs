//! The live token.

use super::*;

#[tokio::test]
async fn a_property_that_stands_in_the_token_ends_it_when_it_changes() {
    let text = |of: &str| {
        let property = format!("id = \"app\"\nproperties = {{ pomelo_client_id = \"{}\" }}", of.repeat(32));
        acme("pomelo").replace("id = \"app\"", &property)
    };
    let bench = Bench::of(&text("ab")).await;
    let before = bench.token().await.unwrap().access_token.0;
    bench.apply(&text("ab")).await;
    assert_eq!(bench.token().await.unwrap().access_token.0, before, "nothing changed");
    bench.apply(&text("cd")).await;
    assert_ne!(bench.token().await.unwrap().access_token.0, before);
}

#[tokio::test]
async fn another_canonical_url_ends_the_live_token() {
    let bench = Bench::with("pomelo").await;
    let before = bench.token().await.unwrap();
    bench.apply(&acme("pomelo").replace("auth.example.com", "login.example.com")).await;
    let after = bench.token().await.unwrap();
    assert_ne!(after.access_token.0, before.access_token.0, "its iss is no longer this issuer's");
    assert_eq!(bench.against(&after).await, Vec::<String>::new());
}
