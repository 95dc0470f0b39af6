//! What passes and what does not.

use crate::site::{Question, Site};

#[tokio::test]
async fn a_good_token_passes_and_says_whose_it_is() {
    let site = Site::new().await;
    let answer = site.card(&site.token("b cards:read a")).await;
    assert_eq!((answer.verdict().as_str(), answer.caller()), ("200", ["my%20app", "a b cards:read", "ana"]));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn head_is_as_get() {
    let site = Site::new().await;
    let token = site.token("cards:read");
    assert_eq!(site.ask(&Question::of("HEAD", "/cards/7").token(&token)).await.verdict(), "200");
    assert_eq!(site.ask(&Question::of("head", "/cards/7").token(&token)).await.verdict(), "403 no_route");
}

#[tokio::test]
async fn a_public_rule_tells_of_nobody_whatever_is_sent() {
    let site = Site::new().await;
    for question in [Question::of("GET", "/health"), Question::of("GET", "/health?a=b").token(&site.token("x"))] {
        let answer = site.ask(&question).await;
        assert_eq!((answer.verdict().as_str(), answer.caller()), ("200", ["", "", ""]));
    }
}

#[tokio::test]
async fn a_token_that_does_not_cover_the_request_is_refused_with_a_challenge_that_says_so() {
    let site = Site::new().await;
    let answer = site.card(&site.token("cards:write")).await;
    assert_eq!(answer.verdict(), "403 insufficient_scope");
    assert!(answer.header("www-authenticate").unwrap().ends_with("scope=\"cards:read\""));
    assert_eq!(site.ask(&Question::of("GET", "/me").token(&site.token(""))).await.verdict(), "200");
}

#[tokio::test]
async fn what_no_rule_matches_is_refused_and_says_nothing_to_who_has_no_token() {
    let site = Site::new().await;
    let nowhere = Question::of("GET", "/nowhere");
    assert_eq!(site.ask(&nowhere).await.verdict(), "401 no_token");
    assert_eq!(site.ask(&Question::of("GET", "/cards/7")).await.verdict(), "401 no_token");
    assert_eq!(site.ask(&nowhere.token(&site.token("cards:read"))).await.verdict(), "403 no_route");
    let elsewhere =
        Question::of("GET", "/cards/7").without("x-forwarded-host").with("x-forwarded-host", "other.example");
    assert_eq!(site.ask(&elsewhere.token(&site.token("cards:read"))).await.verdict(), "403 no_route");
}

#[tokio::test]
async fn a_bad_token_is_refused() {
    let site = Site::new().await;
    assert_eq!(site.card("x.y.z").await.verdict(), "401 malformed_token");
    assert_eq!(site.card("a b").await.verdict(), "403 malformed_header");
    let other = crate::site::Key::new("one").token(&site.issuer.url, "cards:read");
    assert_eq!(site.card(&other).await.verdict(), "401 bad_signature");
    let twice = Question::of("GET", "/cards/7").token(&site.token("cards:read")).token(&site.token("cards:read"));
    assert_eq!(site.ask(&twice).await.verdict(), "403 malformed_header");
    let in_query = Question::of("GET", "/cards/7?access_token=x").token(&site.token("cards:read"));
    assert_eq!(site.ask(&in_query).await.verdict(), "403 token_in_query");
    site.advance(3_700);
    assert_eq!(site.card(&site.token("cards:read")).await.verdict(), "401 expired");
}

#[tokio::test]
async fn an_odd_path_is_refused_before_any_rule_is_looked_at() {
    let site = Site::new().await;
    let token = site.token("cards:read cards:write");
    for uri in [
        "/cards/..%2Fhealth",
        "/health/../cards/7",
        "/cards/%2e%2e/health",
        "//health",
        "/health/",
        "/cards\\7",
        "/cards/7;x",
        "/cards/7%00",
        "/cards/7%252f8",
        "/cards/%ff",
        "https://api.example.com/health",
    ] {
        let answer = site.ask(&Question::of("GET", uri).token(&token)).await;
        let expected = if uri == "/health/" { "403 no_route" } else { "403 odd_path" };
        assert_eq!(answer.verdict(), expected, "{uri}");
    }
}

#[tokio::test]
async fn who_is_no_trusted_proxy_is_told_nothing() {
    let site = Site::new().await;
    for uri in ["/health", "/cards/7"] {
        let mut question = Question::of("GET", uri).token(&site.token("cards:read"));
        question.peer = "192.0.2.1:40000";
        let answer = site.ask(&question).await;
        assert_eq!(answer.verdict(), "403 untrusted_proxy");
        assert_eq!(answer.header("www-authenticate"), None);
    }
}

#[tokio::test]
async fn what_did_not_come_by_https_is_refused_before_its_token_is_looked_at() {
    let site = Site::new().await;
    let question = Question::of("GET", "/health").without("x-forwarded-proto");
    for insecure in [
        question.clone(),
        question.clone().with("x-forwarded-proto", "http"),
        question.clone().with("x-forwarded-proto", "https, http"),
        question.clone().with("x-forwarded-proto", "https").with("x-forwarded-proto", "http"),
        question.clone().with("x-forwarded-proto", "https").with("forwarded", "proto=http"),
    ] {
        assert_eq!(site.ask(&insecure.token("garbage")).await.verdict(), "403 insecure_transport");
    }
}

#[tokio::test]
async fn repeated_or_contradicting_headers_are_refused() {
    let site = Site::new().await;
    let question = Question::of("GET", "/health");
    for unclear in [
        question.clone().with("x-original-uri", "/health"),
        question.clone().with("x-forwarded-uri", "/cards/7"),
        question.clone().with("x-forwarded-method", "POST"),
        question.clone().with("x-original-method", "GET"),
        question.clone().with("x-forwarded-host", "other.example"),
        question.clone().with("forwarded", "host=other.example;proto=https"),
        question.clone().without("x-original-uri"),
        question.clone().without("x-original-method"),
        question.clone().without("x-original-method").with("x-original-method", "G T"),
    ] {
        assert_eq!(site.ask(&unclear).await.verdict(), "403 unclear_request");
    }
    assert_eq!(site.ask(&question.with("x-forwarded-uri", "/health")).await.verdict(), "200");
}
