//! The live token.

use super::*;

#[tokio::test]
async fn another_canonical_url_ends_the_live_token() {
    let bench = Bench::with("pomelo").await;
    let before = bench.token().await.unwrap();
    bench.apply(&acme("pomelo").replace("auth.example.com", "login.example.com")).await;
    let after = bench.token().await.unwrap();
    assert_ne!(after.access_token.0, before.access_token.0, "its iss is no longer this issuer's");
    assert_eq!(bench.against(&after).await, Vec::<String>::new());
}
