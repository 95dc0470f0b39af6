use ficha_core::{
    Refusal,
    operator::{Marking, OperatorError, RevokeById, Severity},
    records::Status,
};
use ficha_types::{ClientId, Seconds};

use super::*;

fn app() -> ClientId {
    "app".parse().unwrap()
}

#[tokio::test]
async fn a_token_revoked_by_its_jti_is_dead_and_no_longer_the_live_one() {
    let bench = Bench::with("pomelo").await;
    let token = bench.token("hunter2").await.unwrap();
    assert_eq!(bench.against(&token).await, Vec::<String>::new());
    let which = RevokeById { jti: token.issued.id.clone(), api: None };
    let until = bench.operator.token_revoke(&root(), &issuer(), &which).await.unwrap();
    assert_eq!(until.until, NOON + Seconds(86_400 + 60), "the longest lifetime and the leeway");
    assert_eq!(bench.against(&token).await.len(), 1);
    assert_ne!(bench.token("hunter2").await.unwrap().access_token.0, token.access_token.0);
}

#[tokio::test]
async fn everything_until_now_is_dead_and_what_comes_after_is_not() {
    for whose in [
        Marking::Issuer,
        Marking::Client { id: app(), api: None },
        Marking::Client { id: app(), api: Some("cards".parse().unwrap()) },
    ] {
        let bench = Bench::with("standard").await;
        let before = bench.token("hunter2").await.unwrap();
        let mark = bench.operator.token_revoke_all(&root(), &issuer(), &whose).await.unwrap();
        assert_eq!(mark.until, NOON);
        assert_eq!(bench.against(&before).await.len(), 1, "{whose:?}");
        bench.clock.advance(Duration::from_secs(1));
        let after = bench.token("hunter2").await.unwrap();
        assert_eq!(bench.against(&after).await, Vec::<String>::new(), "{whose:?}");
        let audit = bench.store().audit(&issuer(), 1).await.unwrap();
        assert_eq!((audit[0].action.as_str(), audit[0].actor.as_str()), ("token.revoke", "uid:0"));
    }
}

#[tokio::test]
async fn nobody_is_revoked_who_is_not_there() {
    let bench = Bench::with("standard").await;
    for whose in [
        Marking::Client { id: "nobody".parse().unwrap(), api: None },
        Marking::Client { id: app(), api: Some("nothing".parse().unwrap()) },
        Marking::User { name: "nobody".parse().unwrap() },
    ] {
        let refused = bench.operator.token_revoke_all(&root(), &issuer(), &whose).await;
        assert!(matches!(refused, Err(OperatorError::NotFound { .. })), "{whose:?}");
    }
}

#[tokio::test]
async fn disabling_ends_what_was_issued_unless_it_is_to_be_kept() {
    for keep_tokens in [false, true] {
        let bench = Bench::with("standard").await;
        let token = bench.token("hunter2").await.unwrap();
        bench.operator.client_disable(&root(), (&issuer(), &app()), keep_tokens).await.unwrap();
        assert!(matches!(bench.token("hunter2").await, Err(Refusal::Client(_))));
        assert!(!bench.against(&token).await.is_empty());
        assert_eq!(bench.operator.client(&issuer(), &app()).await.unwrap().status, Status::Disabled);
        bench.clock.advance(Duration::from_secs(1));
        bench.operator.client_enable(&root(), &issuer(), &app()).await.unwrap();
        bench.token("hunter2").await.unwrap();
        assert_eq!(bench.against(&token).await.is_empty(), keep_tokens);
    }
}

#[tokio::test]
async fn a_token_of_somebody_else_is_shown_and_told_apart() {
    let (bench, other) = (Bench::with("standard").await, Bench::with("standard").await);
    // The same names, other keys.
    other
        .operator
        .key_rotate(&root(), &issuer(), &ficha_core::operator::KeyScope { now: true, ..Default::default() })
        .await
        .unwrap();
    let token = other.token("hunter2").await.unwrap();
    let found = bench.operator.token_inspect(None, &token.access_token.0).await.unwrap();
    assert_eq!((found.issuer, found.kind, found.against.len()), (None, None, 1));
    assert_eq!(found.claims.unwrap()["iss"], "https://auth.example.com");
    let nothing = bench.operator.token_inspect(None, "frt_nothing").await.unwrap();
    assert_eq!((nothing.claims, nothing.against.len()), (None, 1));
}

#[tokio::test]
async fn doctor_names_what_is_advised_against_with_the_way_out() {
    let bench = Bench::new();
    let text = acme("deyel")
        .replace(
            "grants = [\"client_credentials\"]",
            "grants = [\"password\", \"refresh_token\"]\nrefresh_without_secret = true",
        )
        .replace("audience", "algorithm = \"HS256\"\naudience");
    bench.apply(&text).await.unwrap();
    let findings = bench.operator.doctor().await.unwrap();
    for expected in
        ["HS256", "grant password", "without a secret", "somebody chose", "no secret of its own", "unrotated"]
    {
        assert!(findings.iter().any(|f| f.what.contains(expected)), "{expected}: {findings:#?}");
    }
    assert!(findings.iter().all(|f| !f.why.is_empty() && !f.way_out.is_empty() && f.severity != Severity::Error));
    assert!(findings.is_sorted_by_key(|f| f.severity));
}
