//! The revocation feed: what an API is told, and when it is told no more.

use bytes::Bytes;
use ficha_core::{
    feed::Trust,
    operator::{Marking, RevokeById},
    ports::{Commit, Edit, Expect, Revocation},
    revocation_feed::{Chunk, FeedLimits, Feeds, Follower, NotFollowed, Signed, WhoFollows, feed_keys},
};
use ficha_jose::{Compact, VerifyingKey};
use ficha_types::{Seconds, TokenId};
use serde_json::Value;

use super::*;

/// The SHA-256 of `hunter2`: every API's secret here, as every client's.
const HUNTER2: &str = "sha256:f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7";

/// [`acme`] with a secret of the API `cards`, a second API `loans`, and a scope to follow.
fn followed() -> String {
    let text = acme("standard")
        .replace(
            "scopes = [\"cards:read\", \"cards:write\"]",
            &format!("scopes = [\"cards:read\", \"ficha:revocations\"]\nsecrets = [\"{HUNTER2}\"]"),
        )
        .replace(
            "{ cards = [\"cards:read\", \"cards:write\"] }",
            "{ cards = [\"cards:read\", \"ficha:revocations\"] }",
        );
    text.replace(
        "[[issuer.client]]",
        &format!("[[issuer.api]]\nname = \"loans\"\naudience = \"https://loans.example.com\"\nscopes = [\"loans:read\"]\nsecrets = [\"{HUNTER2}\"]\n\n[[issuer.client]]"),
    )
}

struct Followed {
    bench: Bench,
    feeds: Arc<Feeds>,
}

fn render(event: &Signed) -> Bytes {
    event.jws.clone().into()
}

fn token_id(n: u32) -> TokenId {
    format!("{n:a>22}").parse().unwrap()
}

impl Followed {
    async fn new() -> Self {
        Self::within(FeedLimits::default()).await
    }

    async fn within(limits: FeedLimits) -> Self {
        let bench = Bench::of(&followed()).await;
        let feeds = Feeds::new(bench.rules().clone(), limits, render);
        Self { bench, feeds }
    }

    async fn follow(&self, who: WhoFollows, resume: Option<i64>) -> Result<Follower, NotFollowed> {
        self.feeds.follow(&self.bench.place().await, &self.bench.caller(), &who, resume).await
    }

    async fn follows(&self, api: &str, resume: Option<i64>) -> Follower {
        self.follow(WhoFollows::Secret(secrets(&[(api, "hunter2")])), resume).await.unwrap()
    }

    /// The next thing that a follower is sent, while time goes on.
    async fn chunk(&self, follower: &mut Follower) -> Option<Chunk> {
        let mut next = std::pin::pin!(follower.next());
        loop {
            tokio::select! {
                chunk = &mut next => return chunk,
                () = tokio::time::sleep(Duration::from_millis(2)) => self.bench.clock.advance(Duration::from_millis(250)),
            }
        }
    }

    /// The next event, whose signature is good.
    async fn event(&self, follower: &mut Follower) -> Value {
        loop {
            match self.chunk(follower).await {
                Some(Chunk::Retry(_)) => {}
                Some(Chunk::Event(jws)) => return self.read(&jws).await,
                None => panic!("the stream has ended"),
            }
        }
    }

    /// The next event that is no heartbeat.
    async fn news(&self, follower: &mut Follower) -> Value {
        loop {
            let event = self.event(follower).await;
            if event["kind"] != "heartbeat" {
                return event;
            }
        }
    }

    async fn read(&self, jws: &[u8]) -> Value {
        let text = std::str::from_utf8(jws).unwrap();
        let signed = Compact::parse(text).unwrap();
        let keys = feed_keys(self.bench.rules(), &self.bench.place().await).await.unwrap();
        let key = keys.find(signed.header().kid.as_deref().unwrap()).unwrap();
        assert!(signed.verify_with(&VerifyingKey::from_jwk(key).unwrap()));
        assert_eq!(signed.header().typ.as_deref(), Some("ficha-revocations+jwt"));
        serde_json::from_slice(signed.payload()).unwrap()
    }

    /// Until its end; what was sent before is passed over.
    async fn ends(&self, mut follower: Follower) -> bool {
        for _ in 0..1_000 {
            if self.chunk(&mut follower).await.is_none() {
                return true;
            }
        }
        false
    }

    async fn revoke(&self, n: u32) {
        let revoke = RevokeById { jti: token_id(n), api: None };
        self.bench.operator.token_revoke(&root(), &issuer(), &revoke).await.unwrap();
    }

    async fn change(&self) -> i64 {
        self.bench.rules().clients.issuer(&issuer()).await.unwrap().unwrap().change
    }
}

fn told(event: &Value, n: u32) -> bool {
    event["events"].as_array().unwrap().iter().any(|e| e["token"] == token_id(n).as_str())
}

#[tokio::test]
async fn a_follower_begins_with_a_snapshot_and_hears_what_comes_in_an_unbroken_chain() {
    let bench = Followed::new().await;
    bench.revoke(1).await;
    let mut follower = bench.follows("cards", None).await;
    let Some(Chunk::Retry(wait)) = bench.chunk(&mut follower).await else { panic!("when to come back is said first") };
    assert!(wait >= Duration::from_millis(500));
    let snapshot = bench.event(&mut follower).await;
    assert_eq!(
        snapshot.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["iss", "aud", "kind", "from", "to", "part", "parts", "at", "events"]
    );
    assert_eq!(
        (&snapshot["iss"], &snapshot["aud"]),
        (&"https://auth.example.com".into(), &"https://cards.example.com".into())
    );
    assert_eq!((&snapshot["kind"], &snapshot["from"]), (&"snapshot".into(), &0.into()));
    assert_eq!((&snapshot["to"], told(&snapshot, 1)), (&bench.change().await.into(), true));
    let beat = bench.event(&mut follower).await;
    assert_eq!((&beat["kind"], &beat["from"], &beat["to"]), (&"heartbeat".into(), &snapshot["to"], &snapshot["to"]));
    assert!(beat["at"].as_i64() > snapshot["at"].as_i64() && beat["events"] == serde_json::json!([]));
    bench.revoke(2).await;
    let batch = bench.news(&mut follower).await;
    assert_eq!((&batch["kind"], &batch["from"], told(&batch, 2)), (&"batch".into(), &snapshot["to"], true));
    assert_eq!(batch["to"], bench.change().await);
}

#[tokio::test]
async fn marks_keys_and_families_are_told_and_no_api_hears_of_anothers() {
    let bench = Followed::new().await;
    let (mut cards, mut loans) = (bench.follows("cards", None).await, bench.follows("loans", None).await);
    let begun = bench.event(&mut cards).await;
    bench.event(&mut loans).await;
    let operator = &bench.bench.operator;
    let at_cards = Marking::Client { id: app_id(), api: "cards".parse().ok() };
    operator.token_revoke_all(&root(), &issuer(), &at_cards).await.unwrap();
    let only_loans = RevokeById { jti: token_id(3), api: "loans".parse().ok() };
    operator.token_revoke(&root(), &issuer(), &only_loans).await.unwrap();
    let kid = operator.keys(&issuer()).await.unwrap()[0].kid.parse().unwrap();
    operator.key_withdraw(&root(), &issuer(), &kid).await.unwrap();
    let (mut heard, mut of_loans, mut last) = (Vec::new(), Vec::new(), begun["to"].clone());
    while last != bench.change().await {
        let batch = bench.news(&mut cards).await;
        assert_eq!(batch["from"], last);
        last = batch["to"].clone();
        heard.extend(batch["events"].as_array().unwrap().clone());
    }
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert_eq!((&heard[0]["client"], &heard[1]), (&"app".into(), &serde_json::json!({ "key": kid.as_str() })));
    while of_loans.len() < 2 {
        of_loans.extend(bench.news(&mut loans).await["events"].as_array().unwrap().clone());
    }
    assert_eq!(of_loans[0]["token"], token_id(3).as_str());
}

#[tokio::test]
async fn who_comes_back_hears_what_it_missed_and_nothing_else() {
    let bench = Followed::new().await;
    let mut follower = bench.follows("cards", None).await;
    let snapshot = bench.event(&mut follower).await;
    drop(follower);
    bench.revoke(1).await;
    bench.revoke(2).await;
    let known = snapshot["to"].as_i64();
    let mut again = bench.follows("cards", known).await;
    let batch = bench.news(&mut again).await;
    assert_eq!((&batch["kind"], batch["from"].as_i64()), (&"batch".into(), known));
    assert!(told(&batch, 1) && told(&batch, 2));
    for nonsense in [Some(i64::MAX), Some(-1), None] {
        let mut stranger = bench.follows("cards", nonsense).await;
        assert_eq!(bench.event(&mut stranger).await["kind"], "snapshot", "{nonsense:?}");
    }
}

#[tokio::test]
async fn a_follower_that_takes_nothing_is_cut_off_and_others_are_not() {
    let bench = Followed::new().await;
    let (slow, mut quick) = (bench.follows("cards", None).await, bench.follows("cards", None).await);
    let mut slow = slow;
    bench.event(&mut slow).await;
    bench.event(&mut quick).await;
    for _ in 0..80 {
        bench.event(&mut quick).await;
    }
    assert!(matches!(bench.chunk(&mut slow).await, Some(Chunk::Retry(_))), "it is told when to come back");
    assert!(bench.chunk(&mut slow).await.is_none());
    bench.event(&mut quick).await;
}

#[tokio::test]
async fn who_may_no_longer_follow_hears_no_more() {
    let bench = Followed::new().await;
    let by_secret = bench.follows("cards", None).await;
    let token = || async { bench.bench.ask(app("hunter2"), client_credentials()).await.unwrap() };
    let by = |token: &TokenAnswer| WhoFollows::Token(Secret::new(token.access_token.0.to_string()));
    let (one, other) = (token().await, token().await);
    let (revoked, expired) =
        (bench.follow(by(&one), None).await.unwrap(), bench.follow(by(&other), None).await.unwrap());
    let revoke = RevokeById { jti: one.issued.id.clone(), api: None };
    bench.bench.operator.token_revoke(&root(), &issuer(), &revoke).await.unwrap();
    assert!(bench.ends(revoked).await, "its token was revoked");
    assert_eq!(bench.follow(by(&one), None).await.err(), Some(NotFollowed::BadToken));
    bench.bench.clock.advance(Duration::from_hours(2));
    assert!(bench.ends(expired).await, "its token has expired");
    assert_eq!(bench.follow(by(&other), None).await.err(), Some(NotFollowed::BadToken));
    let secret = bench.bench.operator.api_secrets(&issuer(), &"cards".parse().unwrap()).await.unwrap().remove(0);
    bench.bench.operator.api_secret_remove(&root(), (&issuer(), &"cards".parse().unwrap()), &secret.id).await.unwrap();
    assert!(bench.ends(by_secret).await, "its secret was removed");
}

#[tokio::test]
async fn a_token_needs_the_scope() {
    let bench = Followed::new().await;
    let grant = GrantRequest::ClientCredentials { scope: "cards:read".parse().ok(), target: cards() };
    let token = bench.bench.ask(app("hunter2"), grant).await.unwrap();
    let refused = bench.follow(WhoFollows::Token(Secret::new(token.access_token.0.to_string())), None).await;
    assert_eq!(refused.err(), Some(NotFollowed::NoScope));
    let nonsense = bench.follow(WhoFollows::Token(Secret::new("a.b.c".into())), None).await;
    assert_eq!(nonsense.err(), Some(NotFollowed::BadToken));
}

#[tokio::test]
async fn no_more_follow_than_may_and_a_place_that_was_left_is_free() {
    let bench = Followed::within(FeedLimits { followers: 3, followers_per_api: 2 }).await;
    let by = |api: &str| WhoFollows::Secret(secrets(&[(api, "hunter2")]));
    let one = bench.follows("cards", None).await;
    let _two = bench.follows("cards", None).await;
    let third = bench.follow(by("cards"), None).await;
    assert!(matches!(third.err(), Some(NotFollowed::Refused(Refusal::TooMany(_)))));
    let _three = bench.follows("loans", None).await;
    assert!(matches!(bench.follow(by("loans"), None).await.err(), Some(NotFollowed::Refused(Refusal::Busy(_)))));
    drop(one);
    bench.follows("cards", None).await;
}

#[tokio::test]
async fn a_node_that_goes_down_sends_its_followers_away_and_takes_none() {
    let bench = Followed::new().await;
    let mut follower = bench.follows("cards", None).await;
    bench.event(&mut follower).await;
    bench.feeds.close().await;
    assert!(matches!(bench.chunk(&mut follower).await, Some(Chunk::Retry(_))));
    assert!(bench.chunk(&mut follower).await.is_none());
    let late = bench.follow(WhoFollows::Secret(secrets(&[("cards", "hunter2")])), None).await;
    assert_eq!(late.err(), Some(NotFollowed::Refused(Refusal::Unavailable)));
}

#[tokio::test]
async fn a_large_snapshot_comes_in_parts_that_hold_everything() {
    let bench = Followed::new().await;
    let now = bench.bench.clock.now();
    let revoke = |n| {
        Edit::Revoke(Revocation {
            id: token_id(n),
            client: None,
            api: None,
            issued_at: now,
            until: now + Seconds::days(1),
        })
    };
    let edits = (0..21_000).map(revoke).collect();
    let commit = Commit { issuer: issuer(), edits, expect: Expect::Any, audit: Vec::new(), now };
    bench.bench.rules().operator.commit(commit).await.unwrap();
    let mut follower = bench.follows("cards", None).await;
    let (mut tokens, mut part) = (std::collections::BTreeSet::new(), 0);
    loop {
        let event = bench.event(&mut follower).await;
        part += 1;
        assert_eq!((&event["kind"], &event["part"]), (&"snapshot".into(), &part.into()));
        tokens.extend(event["events"].as_array().unwrap().iter().map(|e| e["token"].as_str().unwrap().to_owned()));
        if event["part"] == event["parts"] {
            break;
        }
    }
    assert_eq!(tokens.len(), 21_000);
    assert_ne!(bench.event(&mut follower).await["kind"], "snapshot");
}

#[tokio::test]
async fn without_the_store_nobody_follows_and_nobody_is_told_that_a_secret_is_wrong() {
    let Followed { bench, feeds } = Followed::new().await;
    let away = Place { trust: Trust::Away, ..bench.place().await };
    for secret in ["hunter2", "wrong"] {
        let who = WhoFollows::Secret(secrets(&[("cards", secret)]));
        let refused = feeds.follow(&away, &bench.caller(), &who, None).await.err();
        assert!(matches!(refused, Some(NotFollowed::Refused(Refusal::Unavailable))), "{secret}: {refused:?}");
    }
}
