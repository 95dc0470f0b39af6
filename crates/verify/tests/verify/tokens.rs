//! Structure, algorithm, signature, issuer, audience, times.

use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_jose::{SigningKey, jws};
use ficha_verify::{Algorithm, BuildError, FeedOptions, JwkSet, Malformed, Rejection, Seconds, UnixSeconds, Verifier};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::{
    issuer::{AUDIENCE, NOON, TestClock},
    vouch::{ISSUER, claims, es256, jwk, key, knows_all, private, signed, token, with},
};

async fn verdict(members: Value) -> Result<(), Rejection> {
    let (verifier, _) = knows_all();
    verifier.verify(&token("ES256", &with(claims(ISSUER), &members))).await.map(|_| ())
}

#[tokio::test]
async fn a_good_token_says_who_may_do_what() {
    let (verifier, _) = knows_all();
    let read = verifier.verify(&token("ES256", &claims(ISSUER))).await.unwrap();
    assert_eq!((read.issuer(), read.subject(), read.client_id()), (ISSUER, Some("user-1"), Some("app")));
    assert_eq!(read.scopes().to_string(), "cards:get users:get");
    assert_eq!((read.issued_at(), read.expires_at()), (Some(UnixSeconds(NOON)), Some(UnixSeconds(NOON + 3600))));
    assert_eq!(read.token_id(), Some("token-1"));
    assert_eq!(read.all().get("aud").unwrap(), AUDIENCE);
    assert_eq!(read.require(&"cards:get".parse().unwrap()), Ok(()));
    let needed = "cards:get cards:create".parse().unwrap();
    assert_eq!(read.require(&needed).unwrap_err(), Rejection::InsufficientScope(needed));
}

#[tokio::test]
async fn the_client_is_also_read_from_azp() {
    let (verifier, _) = knows_all();
    let claims = with(claims(ISSUER), &json!({"client_id": null, "azp": "other"}));
    assert_eq!(verifier.verify(&token("ES256", &claims)).await.unwrap().client_id(), Some("other"));
}

#[tokio::test]
async fn a_token_of_another_library_passes_in_every_algorithm() {
    let (public, clock) = knows_all();
    let shared = Verifier::builder(ISSUER, AUDIENCE).clock(clock.reading());
    let shared = shared.shared_secret(private(Algorithm::Hs256)).build().unwrap();
    for algorithm in Algorithm::ALL {
        let private = private(algorithm);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(private));
        let their_key = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
            Algorithm::Es256 => EncodingKey::from_ec_pem(pem.as_bytes()).unwrap(),
            Algorithm::EdDsa => EncodingKey::from_ed_pem(pem.as_bytes()).unwrap(),
            Algorithm::Hs256 => EncodingKey::from_secret(private),
        };
        let mut header = Header::new(algorithm.as_str().parse().unwrap());
        header.kid = Some(algorithm.as_str().into());
        let token = jsonwebtoken::encode(&header, &claims(ISSUER), &their_key).unwrap();
        let verifier = if algorithm.is_symmetric() { &shared } else { &public };
        assert_eq!(verifier.verify(&token).await.unwrap().subject(), Some("user-1"), "{algorithm}");
    }
}

#[tokio::test]
async fn the_public_key_is_no_shared_secret() {
    // RFC 8725 §2.1: HS256 "signed" with what everybody knows.
    let (verifier, clock) = knows_all();
    let public = serde_json::to_vec(&jwk(Algorithm::Rs256, "RS256")).unwrap();
    let forger = SigningKey::from_private(Algorithm::Hs256, &public).unwrap();
    let token = signed(&json!({"alg": "HS256", "kid": "RS256"}), &claims(ISSUER), &forger);
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::AlgorithmNotAllowed);
    let shared = Verifier::builder(ISSUER, AUDIENCE).clock(clock.reading()).shared_secret(&[7; 32]).build().unwrap();
    assert_eq!(shared.verify(&token).await.unwrap_err(), Rejection::BadSignature);
}

#[tokio::test]
async fn the_algorithm_is_the_keys_and_never_the_tokens() {
    let (verifier, _) = knows_all();
    // Signed by RS256 under the name of the PS256 key, and the other way round; and by its own key under a wrong name.
    for (alg, kid) in [("RS256", "PS256"), ("PS256", "RS256"), ("ES256", "EdDSA"), ("RS256", "ES256")] {
        let token = signed(&json!({"alg": alg, "kid": kid}), &claims(ISSUER), key(alg.parse().unwrap()));
        assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::AlgorithmOfAnotherKey, "{alg} {kid}");
    }
}

#[tokio::test]
async fn only_allowed_algorithms_are_looked_at() {
    let set = JwkSet::new(vec![jwk(Algorithm::Es256, "a"), jwk(Algorithm::Rs256, "b")]);
    let verifier = Verifier::builder(ISSUER, AUDIENCE).clock(|| UnixSeconds(NOON)).keys(set);
    let verifier = verifier.algorithms([Algorithm::Es256]).build().unwrap();
    let token = signed(&json!({"alg": "RS256", "kid": "b"}), &claims(ISSUER), key(Algorithm::Rs256));
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::AlgorithmNotAllowed);
    assert!(verifier.verify(&crate::vouch::token("a", &claims(ISSUER))).await.is_ok());
}

#[tokio::test]
async fn none_is_no_algorithm_in_any_spelling() {
    let (verifier, _) = knows_all();
    for alg in ["none", "None", "NONE", "nOnE", "", "es256", "RS512", "HS256"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "kid": "ES256"}).to_string());
        let payload = URL_SAFE_NO_PAD.encode(claims(ISSUER).to_string());
        for signature in ["", "AAAA"] {
            let token = format!("{header}.{payload}.{signature}");
            assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::AlgorithmNotAllowed, "{alg}");
        }
    }
}

#[tokio::test]
async fn an_altered_token_is_refused() {
    let (verifier, _) = knows_all();
    let token = token("ES256", &claims(ISSUER));
    let [header, _, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let richer = with(claims(ISSUER), &json!({"scope": "everything"}));
    let altered = format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(richer.to_string()));
    assert_eq!(verifier.verify(&altered).await.unwrap_err(), Rejection::BadSignature);
    let cut = token.rsplit_once('.').map(|(rest, _)| format!("{rest}.")).unwrap();
    assert_eq!(verifier.verify(&cut).await.unwrap_err(), Rejection::BadSignature);
}

#[tokio::test]
async fn another_key_under_the_same_name_is_refused() {
    let (verifier, _) = knows_all();
    let (forger, _) = SigningKey::generate(Algorithm::Es256, 2048).unwrap();
    let token = signed(&json!({"alg": "ES256", "kid": "ES256"}), &claims(ISSUER), &forger);
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::BadSignature);
}

#[tokio::test]
async fn a_token_without_kid_finds_its_key_by_its_algorithm() {
    let (verifier, _) = knows_all();
    let token = signed(&json!({"alg": "EdDSA"}), &claims(ISSUER), key(Algorithm::EdDsa));
    assert!(verifier.verify(&token).await.is_ok());
    let (stranger, _) = SigningKey::generate(Algorithm::EdDsa, 2048).unwrap();
    let token = signed(&json!({"alg": "EdDSA"}), &claims(ISSUER), &stranger);
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::BadSignature);
}

#[tokio::test]
async fn of_many_keys_without_a_name_only_a_few_are_tried() {
    let other = || SigningKey::generate(Algorithm::Es256, 2048).unwrap().0.public_jwk("x").unwrap();
    let keys: Vec<_> = std::iter::repeat_with(other).take(4).chain([jwk(Algorithm::Es256, "ours")]).collect();
    let verifier = Verifier::builder(ISSUER, AUDIENCE).clock(|| UnixSeconds(NOON)).keys(JwkSet::new(keys)).build();
    let verifier = verifier.unwrap();
    let unnamed = signed(&json!({"alg": "ES256"}), &claims(ISSUER), es256());
    assert_eq!(verifier.verify(&unnamed).await.unwrap_err(), Rejection::UnknownKey);
    assert!(verifier.verify(&token("ours", &claims(ISSUER))).await.is_ok());
}

#[tokio::test]
async fn a_key_without_alg_gets_the_first_allowed_one_of_its_kind() {
    let mut bare = serde_json::to_value(jwk(Algorithm::Rs256, "k")).unwrap();
    bare.as_object_mut().unwrap().remove("alg");
    let set = JwkSet::parse(json!({"keys": [bare]}).to_string().as_bytes()).unwrap();
    let by = |alg: &str, key| signed(&json!({"alg": alg, "kid": "k"}), &claims(ISSUER), key);
    let pss = SigningKey::from_private(Algorithm::Ps256, private(Algorithm::Rs256)).unwrap();
    let builder = || Verifier::builder(ISSUER, AUDIENCE).clock(|| UnixSeconds(NOON)).keys(set.clone());

    let usual = builder().build().unwrap();
    assert!(usual.verify(&by("RS256", key(Algorithm::Rs256))).await.is_ok());
    assert_eq!(usual.verify(&by("PS256", &pss)).await.unwrap_err(), Rejection::AlgorithmOfAnotherKey);
    let only_pss = builder().algorithms([Algorithm::Ps256]).build().unwrap();
    assert!(only_pss.verify(&by("PS256", &pss)).await.is_ok());
}

#[tokio::test]
async fn two_shared_secrets_are_both_tried() {
    let clock = TestClock::at_noon();
    let builder = || Verifier::builder(ISSUER, AUDIENCE).clock(clock.reading());
    let verifier = builder().shared_secret(&[1; 32]).shared_secret(&[2; 32]).build().unwrap();
    let by = |secret: &[u8]| {
        // LeanCore's header, byte for byte.
        let key = SigningKey::from_private(Algorithm::Hs256, secret).unwrap();
        jws::compact(br#"{"alg":"HS256","typ":"JWT"}"#, claims(ISSUER).to_string().as_bytes(), &key).unwrap()
    };
    assert!(verifier.verify(&by(&[1; 32])).await.is_ok());
    assert!(verifier.verify(&by(&[2; 32])).await.is_ok());
    assert_eq!(verifier.verify(&by(&[3; 32])).await.unwrap_err(), Rejection::BadSignature);
}

#[tokio::test]
async fn what_is_no_jwt_is_refused_with_the_reason() {
    let (verifier, _) = knows_all();
    for (text, why) in [
        ("", Malformed::Parts),
        ("opaque", Malformed::Parts),
        ("a.b", Malformed::Parts),
        ("a.b.c.d.e", Malformed::Parts),
        ("a b.c.d", Malformed::Base64),
        ("e30.e30.e30", Malformed::Header),
        ("e30=.e30.e30", Malformed::Base64),
    ] {
        assert_eq!(verifier.verify(text).await.unwrap_err(), Rejection::Malformed(why), "{text}");
    }
    let token = signed(&json!({"alg": "ES256", "kid": "ES256", "crit": ["x"], "x": 1}), &claims(ISSUER), es256());
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::Malformed(Malformed::Critical));
}

#[tokio::test]
async fn a_signed_payload_that_is_no_claims_is_refused() {
    let (verifier, _) = knows_all();
    let by = |payload: &[u8]| jws::compact(br#"{"alg":"ES256","kid":"ES256"}"#, payload, es256()).unwrap();
    for payload in ["", "[]", "7", "{", r#"{"aud":"a","aud":"b"}"#] {
        let refused = verifier.verify(&by(payload.as_bytes())).await.unwrap_err();
        assert_eq!(refused, Rejection::MalformedClaims, "{payload}");
    }
}

#[tokio::test]
async fn a_large_or_deep_token_does_no_harm() {
    let (verifier, _) = knows_all();
    let by = |payload: &str| jws::compact(br#"{"alg":"ES256","kid":"ES256"}"#, payload.as_bytes(), es256()).unwrap();
    let deep = |depth: usize| format!(r#"{{"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert_eq!(verifier.verify(&by(&deep(20_000))).await.unwrap_err(), Rejection::MalformedClaims);
    assert_eq!(verifier.verify(&by(&deep(100_000))).await.unwrap_err(), Rejection::TooLong);
    assert_eq!(verifier.verify(&"x".repeat(64 * 1024 + 1)).await.unwrap_err(), Rejection::TooLong);

    let many = |list: &[String]| token("ES256", &with(claims(ISSUER), &json!({ "aud": list })));
    let mut audiences: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    assert_eq!(verifier.verify(&many(&audiences)).await.unwrap_err(), Rejection::TooLong);
    // So short, ten thousand pass the size.
    let shortest = token("ES256", &with(claims(ISSUER), &json!({ "aud": vec![""; 10_000] })));
    assert_eq!(verifier.verify(&shortest).await.unwrap_err(), Rejection::TooManyAudiences);
    audiences.truncate(255);
    audiences.push(AUDIENCE.into());
    assert!(verifier.verify(&many(&audiences)).await.is_ok());
    audiences.push(AUDIENCE.into());
    assert_eq!(verifier.verify(&many(&audiences)).await.unwrap_err(), Rejection::TooManyAudiences);
}

#[tokio::test]
async fn a_member_twice_is_refused_at_any_depth() {
    let (verifier, _) = knows_all();
    let text = claims(ISSUER).to_string();
    for more in [r#","x":{"a":1,"a":1}}"#, r#","x":[{"a":1,"b":2,"a":3}]}"#, r#","sub":"user-1"}"#] {
        let payload = text.replacen('}', "", 1) + more;
        let token = jws::compact(br#"{"alg":"ES256","kid":"ES256"}"#, payload.as_bytes(), es256()).unwrap();
        assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::MalformedClaims, "{more}");
    }
}

#[tokio::test]
async fn keys_that_a_token_brings_along_mean_nothing() {
    let (verifier, _) = knows_all();
    let (forger, _) = SigningKey::generate(Algorithm::Es256, 2048).unwrap();
    let own = serde_json::to_value(forger.public_jwk("ES256").unwrap()).unwrap();
    for extra in [
        json!({ "jwk": own }),
        json!({"jku": "https://evil.example/jwks"}),
        json!({"x5u": "https://evil.example"}),
        json!({"x5c": ["AA=="]}),
    ] {
        let header = with(json!({"alg": "ES256", "kid": "ES256"}), &extra);
        let refused = verifier.verify(&signed(&header, &claims(ISSUER), &forger)).await.unwrap_err();
        assert_eq!(refused, Rejection::BadSignature, "{extra}");
        assert!(verifier.verify(&signed(&header, &claims(ISSUER), es256())).await.is_ok(), "{extra}");
    }
}

#[tokio::test]
async fn a_token_bound_to_its_sender_is_no_bearer_token() {
    let bound = json!({"cnf": {"x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"}});
    assert_eq!(verdict(bound.clone()).await, Err(Rejection::SenderBound));
    assert_eq!(verdict(json!({"cnf": {"jkt": "x"}})).await, Err(Rejection::SenderBound));
    assert_eq!(verdict(json!({"cnf": []})).await, Err(Rejection::SenderBound));
    let takes_it = Verifier::builder(ISSUER, AUDIENCE).clock(|| UnixSeconds(NOON)).keys(crate::vouch::set(&["k"]));
    let takes_it = takes_it.accept_sender_bound().build().unwrap();
    assert!(takes_it.verify(&token("k", &with(claims(ISSUER), &bound))).await.is_ok());
}

#[tokio::test]
async fn issuer_audience_and_expiry_are_required() {
    for claim in ["iss", "aud", "exp"] {
        assert_eq!(verdict(json!({ claim: null })).await, Err(Rejection::MissingClaim(claim)));
    }
    // Those are not.
    assert_eq!(verdict(json!({"sub": null, "iat": null, "jti": null, "scope": null, "client_id": null})).await, Ok(()));
}

#[tokio::test]
async fn another_issuer_is_refused_however_near() {
    for iss in [json!("https://issuer.example/"), json!("https://ISSUER.example"), json!([ISSUER]), json!(7), json!("")]
    {
        assert_eq!(verdict(json!({ "iss": iss })).await, Err(Rejection::WrongIssuer), "{iss}");
    }
}

#[tokio::test]
async fn the_audience_is_this_api_alone_or_in_a_list() {
    assert_eq!(verdict(json!({"aud": ["other", AUDIENCE]})).await, Ok(()));
    for aud in [json!("other"), json!([]), json!(["other"]), json!([[AUDIENCE]]), json!(7), json!({"a": AUDIENCE})] {
        assert_eq!(verdict(json!({ "aud": aud })).await, Err(Rejection::WrongAudience), "{aud}");
    }
}

#[tokio::test]
async fn times_have_a_leeway_of_30_seconds() {
    let (verifier, clock) = knows_all();
    let token = token("ES256", &with(claims(ISSUER), &json!({"nbf": NOON + 10, "iat": NOON + 10})));
    let at = async |second: i64| {
        clock.advance(second - (clock.now() - NOON));
        verifier.verify(&token).await.map(|_| ())
    };
    assert_eq!(at(-21).await, Err(Rejection::NotYetValid));
    assert_eq!(at(-20).await, Ok(()));
    assert_eq!(at(3629).await, Ok(()));
    assert_eq!(at(3630).await, Err(Rejection::Expired));
    assert_eq!(verdict(json!({"iat": NOON + 31})).await, Err(Rejection::IssuedInFuture));
    assert_eq!(verdict(json!({"iat": NOON + 30})).await, Ok(()));
}

#[tokio::test]
async fn another_leeway_holds_too() {
    for (leeway, last) in [(0, 3599), (60, 3659)] {
        let clock = TestClock::at_noon();
        let builder = Verifier::builder(ISSUER, AUDIENCE).clock(clock.reading()).keys(crate::vouch::set(&["k"]));
        let verifier = builder.leeway(Seconds(leeway)).build().unwrap();
        let token = token("k", &claims(ISSUER));
        clock.advance(last);
        assert!(verifier.verify(&token).await.is_ok(), "{leeway}");
        clock.advance(1);
        assert_eq!(verifier.verify(&token).await.unwrap_err(), Rejection::Expired, "{leeway}");
    }
}

#[tokio::test]
async fn a_time_that_is_no_number_is_refused() {
    for claim in ["exp", "nbf", "iat"] {
        assert_eq!(verdict(json!({ claim: "1800000000" })).await, Err(Rejection::MalformedClaim(claim)));
    }
    assert_eq!(verdict(json!({"exp": f64::MAX})).await, Ok(()));
    assert_eq!(verdict(json!({"exp": i64::MIN})).await, Err(Rejection::Expired));
    assert_eq!(verdict(json!({"nbf": i64::MAX})).await, Err(Rejection::NotYetValid));
}

#[test]
fn what_does_not_fit_is_refused_before_a_token_meets_it() {
    let builder = || Verifier::builder(ISSUER, AUDIENCE);
    let set = || JwkSet::new(vec![jwk(Algorithm::Es256, "k")]);
    assert!(matches!(Verifier::builder("", AUDIENCE).build(), Err(BuildError::NoIssuer)));
    assert!(matches!(Verifier::builder(ISSUER, "").build(), Err(BuildError::NoAudience)));
    assert!(matches!(builder().leeway(Seconds(61)).build(), Err(BuildError::Leeway(Seconds(61)))));
    assert!(matches!(builder().leeway(Seconds(-1)).build(), Err(BuildError::Leeway(_))));
    assert!(matches!(builder().keys_kept_for(Seconds(86_401)).build(), Err(BuildError::KeysKeptFor(_))));
    assert!(matches!(builder().keys(set()).shared_secret(&[1; 32]).build(), Err(BuildError::TwoSources)));
    assert!(matches!(builder().shared_secret(&[1; 31]).build(), Err(BuildError::Secret(_))));
    let three = builder().shared_secret(&[1; 32]).shared_secret(&[2; 32]).shared_secret(&[3; 32]);
    assert!(matches!(three.build(), Err(BuildError::TooManySecrets)));
    for algorithms in [vec![], vec![Algorithm::Hs256], vec![Algorithm::Hs256, Algorithm::Rs256]] {
        let refused = builder().keys(set()).algorithms(algorithms.clone()).build();
        assert!(matches!(refused, Err(BuildError::Algorithms(_))), "{algorithms:?}");
    }
    let both = builder().shared_secret(&[1; 32]).algorithms([Algorithm::Hs256, Algorithm::Rs256]).build();
    assert!(matches!(both, Err(BuildError::Algorithms(_))));
    assert!(matches!(builder().keys(set()).algorithms([Algorithm::EdDsa]).build(), Err(BuildError::NoUsableKey)));
    for url in ["http://issuer.example/jwks", "jwks", "ftp://localhost"] {
        assert!(matches!(builder().jwks_url(url).build(), Err(BuildError::Url { .. })), "{url}");
        assert!(
            matches!(builder().introspection(url, "a", String::new()).build(), Err(BuildError::Url { .. })),
            "{url}"
        );
    }
    assert!(matches!(Verifier::builder("accounts", AUDIENCE).build(), Err(BuildError::Url { .. })));
    let cached = |seconds| builder().introspection_cache(std::time::Duration::from_secs(seconds));
    let asked = |seconds| cached(seconds).introspection("https://issuer.example/i", "a", String::new());
    assert!(asked(1).build().is_ok());
    assert!(matches!(asked(2).build(), Err(BuildError::IntrospectionCache(_))));
    assert!(matches!(cached(1).keys(set()).build(), Err(BuildError::NothingIntrospected)));
    let feed = || FeedOptions::with_secret("a", "s".to_owned());
    assert!(asked(300).follow(feed()).build().is_ok());
    assert!(matches!(asked(301).follow(feed()).build(), Err(BuildError::IntrospectionCache(_))));
    let stale = |seconds| builder().follow(feed().allow_stale_for(Seconds(seconds))).build();
    assert!(stale(0).is_ok() && stale(86_400).is_ok());
    assert!(matches!(stale(86_401), Err(BuildError::StaleFor(_))));
    assert!(matches!(stale(-1), Err(BuildError::StaleFor(_))));
    for (feed_url, keys_url) in
        [("http://issuer.example/f", "https://issuer.example/k"), ("https://issuer.example/f", "k")]
    {
        let refused = builder().follow(feed().at(feed_url, keys_url)).build();
        assert!(matches!(refused, Err(BuildError::Url { .. })), "{feed_url} {keys_url}");
    }
    for pem in [&b""[..], b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        assert!(matches!(builder().root_ca_pem(pem).build(), Err(BuildError::RootCa(_) | BuildError::HttpClient(_))));
    }
}
